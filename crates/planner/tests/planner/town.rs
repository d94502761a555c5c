//! One service and a world that does what its plans say: Units get nodes, start, answer their health checks and end, on a clock
//! of the test's own. What happens is written down line by line.

use crate::world::{World, at, cluster, scope, wish};
use model::ecs::deployment::{
    Deployment, DeploymentConfiguration, DeploymentState, DeploymentStrategy, HookAction, HookAnswer, StopAsk, StopKind,
};
use model::ecs::service::{Controller, SchedulingStrategy, Service, ServiceRevision, ServiceState, TaskSet};
use model::ecs::{LaunchType, StrategyItem};
use model::unit::observed::{ContainerObserved, StopObserved};
use model::unit::{Face, Health, Lifecycle, Owner, Placement, SlotPlace, StopCause, StopIntent, Unit};
use model::{NodeId, ServiceId, TaskDefinitionId, Timestamp, UnitName};
use planner::ecs::service::{Around, Event, Plan, Settings, plan, started};
use planner::placement::Answer;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// What becomes of tasks of a revision.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They run until they are stopped.
    Runs,
    /// They never start.
    NeverStarts,
    /// They exit as soon as they run.
    Exits,
    /// They run, and their health check says so.
    Healthy,
}

pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    pub(crate) firing: BTreeSet<String>,
    pub(crate) story: String,
    fates: BTreeMap<Arc<str>, Fate>,
    rng: StdRng,
    made: u32,
}

pub(crate) fn rolling(maximum_percent: u32, minimum_healthy_percent: u32) -> DeploymentConfiguration {
    DeploymentConfiguration {
        strategy: DeploymentStrategy::Rolling,
        maximum_percent,
        minimum_healthy_percent,
        breaker: None,
        alarms: None,
        bake_minutes: None,
        hooks: Vec::new(),
        early_success: None,
    }
}

pub(crate) fn id() -> ServiceId {
    ServiceId { cluster: cluster("default"), name: "web".into() }
}

impl Town {
    /// A cluster of so many nodes and a service that wants so many tasks, with a first deployment that nobody has taken up.
    pub(crate) fn new(nodes: usize, desired: u32, configuration: DeploymentConfiguration) -> Self {
        let mut world = World::new();
        for number in 1..=nodes {
            world.node(&format!("node-{number}"), |_| {});
        }
        let mut town = Self {
            world,
            now: at(0),
            settings: Settings::default(),
            firing: BTreeSet::new(),
            story: String::new(),
            fates: BTreeMap::new(),
            rng: StdRng::seed_from_u64(7),
            made: 0,
        };
        town.put_service(|service| {
            service.desired_count = desired;
            service.configuration = configuration;
        });
        town
    }

    /// Changes what clients want of the service.
    pub(crate) fn put_service(&mut self, change: impl FnOnce(&mut Service)) {
        let mut service = match self.world.snapshot.services.get(&id()) {
            Some(stored) => (*stored.value).clone(),
            None => Service {
                id: id(),
                uid: "uid-web".into(),
                created_at: self.now,
                created_by: "root".into(),
                controller: Controller::Ecs,
                scheduling: SchedulingStrategy::Replica,
                desired_count: 0,
                configuration: rolling(200, 100),
                constraints: Vec::new(),
                strategy: Vec::new(),
                health_check_grace_s: None,
                propagate_tags: None,
                enable_managed_tags: false,
                enable_execute_command: false,
                zone_rebalancing: false,
                tags: Default::default(),
                role: None,
                deployment: None,
                primary_task_set: None,
                client_token: None,
                deleted_at: None,
            },
        };
        change(&mut service);
        let stored = self.world.versioned(service);
        self.world.snapshot.services.insert(id(), stored);
    }

    pub(crate) fn service(&self) -> Arc<Service> {
        self.world.snapshot.services[&id()].value.clone()
    }

    /// Asks for a deployment of a revision whose tasks have a fate.
    pub(crate) fn deploy(&mut self, revision: &str, fate: Fate) {
        self.deploy_with(revision, fate, &[]);
    }

    pub(crate) fn deploy_with(&mut self, revision: &str, fate: Fate, capacity: &[StrategyItem]) {
        let key: (ServiceId, Arc<str>) = (id(), revision.into());
        self.fates.insert(revision.into(), fate);
        let record = self.world.versioned(ServiceRevision {
            service: id(),
            number: revision.into(),
            service_uid: "uid-web".into(),
            created_at: self.now,
            task_definition: TaskDefinitionId { scope: scope(), family: "app".into(), revision: 1 },
            launch_type: LaunchType::Ec2,
            capacity: capacity.to_vec(),
            platform_version: None,
            network: None,
            images: Vec::new(),
        });
        self.world.snapshot.service_revisions.insert(key, record);
        let number = self.world.snapshot.deployments.len() + 1;
        let deployment: Arc<str> = format!("d{number}").into();
        let source = self.state().sets.iter().map(|set| set.revision.clone()).collect();
        let asked = self.world.versioned(Deployment {
            service: id(),
            id: deployment.clone(),
            service_uid: "uid-web".into(),
            set: format!("ecs-svc/{number}").into(),
            created_at: self.now,
            source,
            target: revision.into(),
            configuration: self.service().configuration.clone(),
            stop: None,
            answers: Vec::new(),
        });
        self.world.snapshot.deployments.insert((id(), deployment.clone()), asked);
        self.put_service(|service| service.deployment = Some(deployment));
        self.note(&format!("a deployment of {revision} is asked for"));
    }

    /// What becomes of tasks of a revision from now on.
    pub(crate) fn change_fate(&mut self, revision: &str, fate: Fate) {
        self.fates.insert(revision.into(), fate);
    }

    fn change_deployment(&mut self, change: impl FnOnce(&mut Deployment)) {
        let key = (id(), self.service().deployment.clone().unwrap());
        let mut deployment = (*self.world.snapshot.deployments[&key].value).clone();
        change(&mut deployment);
        let stored = self.world.versioned(deployment);
        self.world.snapshot.deployments.insert(key, stored);
    }

    pub(crate) fn ask_to_stop(&mut self, kind: StopKind) {
        let at = self.now;
        self.change_deployment(|deployment| deployment.stop = Some(StopAsk { kind, at }));
        self.note(&format!("a user asks to stop the deployment: {kind:?}"));
    }

    /// Answers the hook that is waited for.
    pub(crate) fn answer(&mut self, action: HookAction) {
        let hook = self.progress().hooks.last().unwrap().id.clone();
        let at = self.now;
        self.change_deployment(|deployment| deployment.answers.push(HookAnswer { hook, action, at }));
        self.note(&format!("the hook is answered: {action:?}"));
    }

    pub(crate) fn put_task_set(&mut self, set: &str, scale_bp: u32, deleted: bool) {
        let record = self.world.versioned(TaskSet {
            service: id(),
            id: set.into(),
            service_uid: "uid-web".into(),
            revision: "r1".into(),
            created_at: self.now,
            updated_at: self.now,
            external_id: None,
            scale_bp,
            tags: Default::default(),
            client_token: None,
            deleted_at: deleted.then_some(self.now),
        });
        self.world.snapshot.task_sets.insert((id(), set.into()), record);
        self.fates.insert("r1".into(), Fate::Runs);
    }

    pub(crate) fn state(&self) -> ServiceState {
        self.world.snapshot.service_states.get(&id()).map(|state| (*state.value).clone()).unwrap_or_default()
    }

    pub(crate) fn progress(&self) -> DeploymentState {
        let key = (id(), self.service().deployment.clone().unwrap());
        (*self.world.snapshot.deployment_states[&key].value).clone()
    }

    /// Units that take part, by set, in order: how many of each lifecycle.
    pub(crate) fn units(&self) -> Vec<Arc<Unit>> {
        self.world.snapshot.units_of_service(&id()).map(|unit| unit.value.clone()).collect()
    }

    /// Running, and not asked to stop.
    pub(crate) fn serving(&self, set: &str) -> usize {
        let serves = |unit: &&Arc<Unit>| {
            let of_set = unit.owner.as_ref().is_some_and(|owner| &**owner.set() == set);
            of_set && unit.observed.lifecycle == Lifecycle::Running && unit.intent.stop.is_none()
        };
        self.units().iter().filter(serves).count()
    }

    pub(crate) fn note(&mut self, what: &str) {
        writeln!(self.story, "{:>7}.{:03}s  {what}", self.now.unix_ms() / 1000, self.now.unix_ms() % 1000).unwrap();
    }

    /// Plans and carries out until there is nothing to do now; when to look again.
    pub(crate) fn settle(&mut self) -> Option<Timestamp> {
        for _ in 0..1000 {
            let around = Around { now: self.now, settings: self.settings, firing: &self.firing.clone() };
            let snapshot = self.world.snapshot.clone();
            let planned = plan(&snapshot, &id(), &around, &mut self.rng)?;
            let next = planned.next;
            let did = !planned.is_nothing();
            self.apply(planned);
            if !self.live() && !did {
                return next;
            }
        }
        panic!("the service never comes to rest:\n{}", self.story);
    }

    /// One plan, and nothing that the world does about it.
    pub(crate) fn settle_without_life(&mut self) {
        let around = Around { now: self.now, settings: self.settings, firing: &self.firing.clone() };
        let snapshot = self.world.snapshot.clone();
        let planned = plan(&snapshot, &id(), &around, &mut self.rng).unwrap();
        self.apply(planned);
    }

    /// Lets time pass, stopping wherever the scheduler wants to look.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now.saturating_add_ms(seconds * 1000);
        while let Some(next) = self.settle().filter(|next| *next < end) {
            assert!(next > self.now, "it wants to look at a moment that is past:\n{}", self.story);
            self.now = next;
        }
        self.now = end;
        self.settle();
    }

    fn apply(&mut self, planned: Plan) {
        let mut made: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
        for start in &planned.start {
            for _ in 0..start.count {
                self.made += 1;
                let name = format!("t{}", self.made);
                made.entry(start.wish.set.clone()).or_default().push(name.clone());
                self.make(&name, &start.wish.set, &start.wish.place);
            }
        }
        for stop in &planned.stop {
            let wish = StopIntent { by: stop.by, reason: stop.reason.clone(), requested_at: self.now, grace_s: None };
            self.change(&stop.unit, |unit| {
                unit.intent = unit.intent.merge(wish);
                unit.settled = true;
            });
        }
        for name in &planned.settle {
            self.change(name, |unit| unit.settled = true);
        }
        for (deployment, next) in planned.deployments {
            let before =
                self.world.snapshot.deployment_states.get(&(id(), deployment.clone())).map(|s| (s.status, s.stage));
            if before != Some((next.status, next.stage)) {
                self.note(&format!("{deployment}: {:?}, {:?}", next.status, next.stage));
            }
            let stored = self.world.versioned(next);
            self.world.snapshot.deployment_states.insert((id(), deployment), stored);
        }
        if let Some(state) = planned.state {
            let stored = self.world.versioned(state);
            self.world.snapshot.service_states.insert(id(), stored);
        }
        for event in planned.events {
            match event {
                Event::Said(message) => self.note(&message),
                Event::Started { set, prefix } => {
                    let ids: Vec<&str> = made[&set].iter().map(String::as_str).collect();
                    self.note(&format!("{prefix} {}", started(&ids)));
                }
            }
        }
    }

    fn make(&mut self, name: &str, set: &Arc<str>, place: &SlotPlace) {
        let now = self.now;
        let mut like = wish().group("service:web").spread("attribute:ecs.availability-zone").spread("instanceId");
        like.scheduling.wait_for_room = true;
        if let SlotPlace::Node(node) = place {
            like.scheduling.node = Some(node.clone());
        }
        self.world.awaits(name, like);
        let unit = crate::world::task("default", name);
        let (set, place) = (set.clone(), place.clone());
        self.change(&unit, |unit| {
            unit.created_at = now;
            unit.owner = Some(Owner::EcsService { service: id(), uid: "uid-web".into(), set });
            if let (SlotPlace::Provider(provider, capacity), Face::Ecs(face)) = (place, &unit.face) {
                let mut face = (**face).clone();
                face.capacity_provider = Some(provider.to_string());
                unit.face = Face::Ecs(Arc::new(face));
                let mut scheduling = (*unit.scheduling).clone();
                scheduling.capacity = capacity;
                unit.scheduling = Arc::new(scheduling);
            }
        });
    }

    pub(crate) fn change(&mut self, name: &UnitName, change: impl FnOnce(&mut Unit)) {
        let mut unit = (*self.world.snapshot.units[name].value).clone();
        change(&mut unit);
        let stored = self.world.versioned(unit);
        self.world.snapshot.set_unit(name, Some(stored));
    }

    /// Units get nodes and come one step further; whether any did.
    fn live(&mut self) -> bool {
        let before = self.world.snapshot.revision;
        for answer in self.world.settle(1).answers {
            if let Answer::Wait(wait) = answer {
                let known = self.world.snapshot.units[&wait.unit].waits_for.is_some();
                if !known {
                    self.change(&wait.unit, |unit| unit.waits_for = Some(Arc::new(wait.refusal)));
                }
            }
        }
        let mut moved = self.world.snapshot.revision != before;
        for unit in self.units() {
            moved |= self.advance(&unit);
        }
        moved
    }

    fn advance(&mut self, unit: &Unit) -> bool {
        let (now, name) = (self.now, unit.name.clone());
        let is_bound = matches!(unit.placement, Placement::Bound { .. });
        let ends = unit.intent.stop.is_some();
        let fate = unit.owner.as_ref().and_then(|owner| {
            let set = self.state().set(owner.set()).cloned()?;
            self.fates.get(&set.revision).copied()
        });
        let fate = fate.unwrap_or(Fate::Runs);
        match unit.observed.lifecycle {
            _ if !is_bound => return false,
            Lifecycle::Stopped => return false,
            Lifecycle::Running if !ends && fate != Fate::Exits => return self.check_health(unit, fate),
            Lifecycle::Accepted if !ends && fate != Fate::NeverStarts => self.change(&name, |unit| {
                unit.observed.lifecycle = Lifecycle::Running;
                unit.observed.started_at = Some(now);
            }),
            _ => self.change(&name, |unit| {
                unit.observed.lifecycle = Lifecycle::Stopped;
                unit.observed.stopped_at = Some(now);
                unit.observed.stopping_at = Some(now);
                let cause = match (ends, unit.observed.started_at) {
                    (true, _) => StopCause::SchedulerInitiated,
                    (false, Some(_)) => StopCause::EssentialContainerExited,
                    (false, None) => StopCause::FailedToStart,
                };
                unit.observed.stop = Some(StopObserved { cause, reason: String::new() });
            }),
        }
        true
    }

    fn check_health(&mut self, unit: &Unit, fate: Fate) -> bool {
        let health = match fate {
            Fate::Healthy => Health::Healthy,
            _ => return false,
        };
        if unit.observed.health() == health {
            return false;
        }
        self.change(&unit.name, |unit| {
            unit.observed.containers = vec![ContainerObserved {
                name: "app".into(),
                essential: true,
                health: Some(health),
                ..Default::default()
            }];
        });
        true
    }

    /// A running task ends by itself.
    pub(crate) fn kill(&mut self, name: &str) {
        let now = self.now;
        self.change(&crate::world::task("default", name), |unit| {
            unit.observed.lifecycle = Lifecycle::Stopped;
            unit.observed.stopping_at = Some(now);
            unit.observed.stopped_at = Some(now);
            unit.observed.stop =
                Some(StopObserved { cause: StopCause::EssentialContainerExited, reason: String::new() });
        });
        self.note(&format!("task {name} exits"));
    }

    pub(crate) fn change_node(&mut self, name: &str, change: impl FnOnce(&mut model::Node)) {
        let key = NodeId::new(name);
        let mut node = (*self.world.snapshot.nodes[&key].value).clone();
        change(&mut node);
        let stored = self.world.versioned(node);
        self.world.snapshot.set_node(&key, Some(stored));
    }
}
