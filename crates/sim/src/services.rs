//! What users do with services; each call writes what its front-end writes, decided on what that sees.

use crate::admission::{definition, image};
use crate::chance::Chance;
use crate::temper::OF_SERVICES;
use crate::users::Answer;
use crate::world::World;
use model::ecs::deployment::{
    Alarms, Breaker, CleanUp, Deployment, DeploymentConfiguration, DeploymentStrategy, EarlySuccess, Hook, HookAction,
    HookAnswer, HookStatus, Stage, StopAsk, StopKind, Threshold, ThresholdKind,
};
use model::ecs::service::{Controller, SchedulingStrategy, Service, ServiceRevision};
use model::ecs::{LaunchType, ServiceState};
use model::unit::{Constraint, Face, Lifecycle, Strategy};
use model::{ServiceId, Snapshot, TaskDefinitionId, Timestamp, Versioned};
use records::{Draft, units};
use std::sync::Arc;
use test_support::{cluster_id, scope};

/// The names that services have. The last one is of daemons.
const NAMES: [&str; 3] = ["web", "api", "log"];
/// The alarm that may be on.
pub(crate) const BELL: &str = "bell";
/// Tasks that a user wants of a service, at most.
const COUNT_MAX: usize = 5;
/// Task definitions: one small and one large of each temper.
const DEFINITIONS: u32 = 2 * OF_SERVICES.len() as u32;

/// A service and the id of one of its deployments.
type DeploymentId = (ServiceId, Arc<str>);

/// Adds the task definitions that services are made of.
pub(crate) fn define(draft: &mut Draft) {
    for number in 1..=DEFINITIONS {
        let temper = OF_SERVICES[(number as usize - 1) % OF_SERVICES.len()];
        let (cpu, memory_mib) = if number as usize <= OF_SERVICES.len() { (64, 32) } else { (256, 64) };
        let made = definition(number, temper, cpu, memory_mib, number % 4 == 0);
        draft.create(&made.id, &made);
    }
}

/// Half of the definitions that a user picks work.
fn any_definition(chance: &mut Chance) -> TaskDefinitionId {
    let number = if chance.one_in(2) { chance.one_of(&[1, 2, 7, 8]) } else { 1 + chance.below(DEFINITIONS as usize) };
    app(number as u32)
}

fn app(revision: u32) -> TaskDefinitionId {
    TaskDefinitionId { scope: scope(), family: "app".into(), revision }
}

fn any_configuration(chance: &mut Chance, scheduling: SchedulingStrategy) -> DeploymentConfiguration {
    let is_daemon = scheduling == SchedulingStrategy::Daemon;
    let percents = if is_daemon {
        [(100, 0), (100, 50), (150, 50), (125, 100), (200, 100)]
    } else {
        [(200, 100), (150, 50), (100, 0), (100, 50), (125, 75)]
    };
    let (maximum_percent, minimum_healthy_percent) = chance.one_of(&percents);
    let strategy = match chance.below(8) {
        _ if is_daemon => DeploymentStrategy::Rolling,
        0 => DeploymentStrategy::BlueGreen,
        1 => DeploymentStrategy::Linear {
            step_permille: chance.one_of(&[300, 500]),
            step_bake_minutes: chance.below(2) as u32,
        },
        2 => DeploymentStrategy::Canary { permille: 100, bake_minutes: chance.below(2) as u32 },
        _ => DeploymentStrategy::Rolling,
    };
    let kinds = [ThresholdKind::Count, ThresholdKind::BoundedPercent, ThresholdKind::UnboundedPercent];
    let threshold = Threshold { kind: chance.one_of(&kinds), value: 1 + chance.below(3) as u32 };
    let breaker = Breaker {
        enable: !chance.one_in(5),
        rollback: !chance.one_in(4),
        reset_on_healthy_task: !chance.one_in(3),
        threshold: chance.one_in(2).then_some(threshold),
        reset_given: true,
    };
    let alarms = Alarms { enable: true, rollback: chance.one_in(2), names: vec![BELL.into()] };
    let early = EarlySuccess {
        enable: true,
        healthy_percent: chance.one_of(&[None, Some(50)]),
        clean_up: chance.one_of(&[None, Some(CleanUp::Blocking), Some(CleanUp::Deferred)]),
    };
    DeploymentConfiguration {
        strategy,
        maximum_percent,
        minimum_healthy_percent,
        breaker: (!chance.one_in(4)).then_some(breaker),
        alarms: chance.one_in(4).then_some(alarms),
        bake_minutes: chance.one_of(&[None, None, Some(0), Some(1)]),
        hooks: if chance.one_in(5) { vec![any_hook(chance)] } else { Vec::new() },
        early_success: chance.one_in(6).then_some(early),
    }
}

fn any_hook(chance: &mut Chance) -> Hook {
    let stages = [Stage::PreScaleUp, Stage::PostScaleUp, Stage::ProductionTrafficShift, Stage::BakeTime];
    Hook {
        stages: vec![chance.one_of(&stages)],
        timeout_minutes: 1 + chance.below(2) as u32,
        on_timeout: chance.one_of(&[HookAction::Continue, HookAction::Rollback]),
        document: serde_json::Value::Null,
    }
}

/// Whether a front-end calls it ACTIVE.
fn is_active(service: &Service) -> bool {
    service.deleted_at.is_none()
}

/// Nothing of the service that is deleted runs any more: its name may be used anew.
fn is_inactive(snapshot: &Snapshot, service: &Service) -> bool {
    let over =
        |unit: &Versioned<model::Unit>| unit.owner.as_ref().is_none_or(|o| *o.uid() != service.uid) || unit.is_over();
    service.deleted_at.is_some() && snapshot.units_of_service(&service.id).all(over)
}

/// A service of a large cluster.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) count: u32,
}

impl World {
    /// Creates a service of small tasks that work.
    pub(crate) async fn create(&mut self, wanted: &Wanted) -> String {
        let snapshot = self.server.records().current();
        let id = ServiceId { cluster: cluster_id("default"), name: wanted.name.as_str().into() };
        let now = self.clock.now();
        let mut service = self.bare_service(id, SchedulingStrategy::Replica, now);
        service.desired_count = wanted.count;
        service.constraints = Vec::new();
        service.configuration.strategy = DeploymentStrategy::Rolling;
        service.configuration.hooks = Vec::new();
        let mut draft = Draft::new();
        let words = self.deploy(&mut draft, &snapshot, &mut service, Some(app(1)), now);
        draft.create(&service.id, &service);
        let answer = self.ask(draft).await;
        format!("user creates {}: {words}, {}: {answer}", service.id.name, settings(&service))
    }

    pub(crate) async fn create_service(&mut self) -> Option<String> {
        let snapshot = self.a_while_ago(0);
        let id = ServiceId { cluster: cluster_id("default"), name: self.chance.one_of(&NAMES).into() };
        let seen = snapshot.services.get(&id);
        if seen.is_some_and(|seen| !is_inactive(&snapshot, seen)) {
            return None;
        }
        let scheduling = if &*id.name == "log" { SchedulingStrategy::Daemon } else { SchedulingStrategy::Replica };
        let now = self.clock.now();
        let mut service = self.bare_service(id, scheduling, now);
        let mut draft = Draft::new();
        // What is made anew mostly works: it is updates that break things.
        let good = (!self.chance.one_in(4)).then(|| app(self.chance.one_of(&[1, 2])));
        let words = self.deploy(&mut draft, &snapshot, &mut service, good, now);
        draft.upsert(&service.id, seen, &service);
        let answer = self.ask(draft).await;
        Some(format!("user creates {}: {words}, {}: {answer}", service.id.name, settings(&service)))
    }

    fn bare_service(&mut self, id: ServiceId, scheduling: SchedulingStrategy, now: Timestamp) -> Service {
        let chance = &mut self.chance;
        let is_daemon = scheduling == SchedulingStrategy::Daemon;
        let spread = |field: &str| Strategy::Spread { field: field.into() };
        self.made += 1;
        Service {
            uid: format!("uid-{}", self.made).into(),
            created_at: now,
            created_by: "root".into(),
            controller: Controller::Ecs,
            scheduling,
            desired_count: if is_daemon { 0 } else { chance.below(COUNT_MAX + 1) as u32 },
            configuration: any_configuration(chance, scheduling),
            constraints: if !is_daemon && chance.one_in(8) { vec![Constraint::DistinctInstance] } else { Vec::new() },
            strategy: if !is_daemon && chance.one_in(4) { vec![spread("instanceId")] } else { Vec::new() },
            health_check_grace_s: chance.one_of(&[None, None, Some(5)]),
            propagate_tags: None,
            enable_managed_tags: false,
            enable_execute_command: false,
            zone_rebalancing: !is_daemon && chance.one_in(2),
            tags: Default::default(),
            role: None,
            deployment: None,
            primary_task_set: None,
            client_token: None,
            deleted_at: None,
            id,
        }
    }

    /// A deployment of some definition, or of the same one again.
    fn deploy(
        &mut self,
        draft: &mut Draft,
        snapshot: &Snapshot,
        service: &mut Service,
        same: Option<TaskDefinitionId>,
        now: Timestamp,
    ) -> String {
        let target = same.unwrap_or_else(|| any_definition(&mut self.chance));
        self.made += 1;
        let number: Arc<str> = self.made.to_string().into();
        let revision = ServiceRevision {
            service: service.id.clone(),
            number: number.clone(),
            service_uid: service.uid.clone(),
            created_at: now,
            task_definition: target.clone(),
            launch_type: LaunchType::Ec2,
            capacity: Vec::new(),
            platform_version: None,
            network: None,
            images: Vec::new(),
        };
        let state = snapshot.service_states.get(&service.id);
        let mut source: Vec<Arc<str>> = Vec::new();
        for set in state.filter(|state| state.service_uid == service.uid).into_iter().flat_map(|state| &state.sets) {
            if !source.contains(&set.revision) {
                source.push(set.revision.clone());
            }
        }
        let deployment = Deployment {
            service: service.id.clone(),
            id: format!("d{number}").into(),
            service_uid: service.uid.clone(),
            created_at: now,
            set: format!("ecs-svc/{number}").into(),
            source,
            target: number.clone(),
            configuration: service.configuration.clone(),
            stop: None,
            answers: Vec::new(),
        };
        draft.create(&(service.id.clone(), number), &revision);
        draft.create(&(service.id.clone(), deployment.id.clone()), &deployment);
        match state {
            Some(state) => draft.expect(&service.id, state),
            None => draft.expect_absent::<ServiceState>(&service.id),
        };
        let words = snapshot.task_definitions.get(&target).map_or("?", |definition| image(definition)).to_owned();
        let id = deployment.id.clone();
        service.deployment = Some(deployment.id);
        format!("{id} of {words}")
    }

    pub(crate) async fn update_service(&mut self) -> Option<String> {
        let snapshot = self.a_while_ago(0);
        let seen = self.any_service(&snapshot)?;
        let now = self.clock.now();
        let mut service = (*seen.value).clone();
        let mut draft = Draft::new();
        let mut words = Vec::new();
        if self.chance.one_in(3) {
            service.configuration = any_configuration(&mut self.chance, service.scheduling);
        }
        if service.scheduling == SchedulingStrategy::Replica && self.chance.one_in(2) {
            let most = COUNT_MAX.max(service.desired_count as usize);
            service.desired_count = self.chance.below(most + 1) as u32;
        }
        match self.chance.below(4) {
            0 => words.push("no deployment".to_owned()),
            1 => {
                let target = current_definition(&snapshot, &service);
                words.push(format!("by force {}", self.deploy(&mut draft, &snapshot, &mut service, target, now)));
            }
            _ => words.push(self.deploy(&mut draft, &snapshot, &mut service, None, now)),
        }
        draft.update(&service.id, &seen, &service);
        let answer = self.ask(draft).await;
        Some(format!("user updates {}: {}, {}: {answer}", service.id.name, words.join(", "), settings(&service)))
    }

    pub(crate) async fn delete_service(&mut self) -> Option<String> {
        let snapshot = self.a_while_ago(0);
        let seen = self.any_service(&snapshot)?;
        let deleted = Service { desired_count: 0, deleted_at: Some(self.clock.now()), ..(*seen.value).clone() };
        let mut draft = Draft::new();
        draft.update(&deleted.id, &seen, &deleted);
        let answer = self.ask(draft).await;
        Some(format!("user deletes {}: {answer}", deleted.id.name))
    }

    /// Asks for the end of a deployment that is under way.
    pub(crate) async fn stop_deployment(&mut self) -> Option<String> {
        let snapshot = self.server.records().current();
        let (id, seen) = self.deployment_under_way(&snapshot)?;
        let kind = self.chance.one_of(&[StopKind::Abort, StopKind::Rollback]);
        let stop = seen.stop.clone().or(Some(StopAsk { kind, at: self.clock.now() }));
        let mut draft = Draft::new();
        draft.update(&id, &seen, &Deployment { stop, ..(*seen.value).clone() });
        let answer = self.ask(draft).await;
        Some(format!("user asks for the end of {} of {}, {kind:?}: {answer}", id.1, id.0.name))
    }

    /// Answers a hook that is waited for.
    pub(crate) async fn answer_hook(&mut self) -> Option<String> {
        let snapshot = self.server.records().current();
        let (id, seen) = self.deployment_under_way(&snapshot)?;
        let progress = snapshot.deployment_states.get(&id)?;
        let hook = progress.hooks.iter().find(|hook| hook.status == HookStatus::AwaitingAction)?;
        if seen.answers.iter().any(|answer| answer.hook == hook.id) {
            return None;
        }
        let action = self.chance.one_of(&[HookAction::Continue, HookAction::Continue, HookAction::Rollback]);
        let mut answered = (*seen.value).clone();
        answered.answers.push(HookAnswer { hook: hook.id.clone(), action, at: self.clock.now() });
        let mut draft = Draft::new();
        draft.update(&id, &seen, &answered);
        let answer = self.ask(draft).await;
        Some(format!("user answers the hook of {} of {} with {action:?}: {answer}", id.1, id.0.name))
    }

    /// Protects a task of a service, or ends its protection.
    pub(crate) async fn protect_task(&mut self) -> Option<String> {
        let snapshot = self.server.records().current();
        let runs = |unit: &&Versioned<model::Unit>| {
            unit.owner.is_some() && unit.observed.lifecycle == Lifecycle::Running && unit.intent.stop.is_none()
        };
        let running: Vec<Versioned<model::Unit>> = snapshot.units.values().filter(runs).cloned().collect();
        let unit = self.chance.pick(&running)?.clone();
        let Face::Ecs(face) = &unit.face;
        let until = self.chance.one_of(&[Some(60), Some(120), None]);
        let until = until.map(|minutes_s| self.clock.now().saturating_add_ms(minutes_s * 1000));
        let mut protected = (**face).clone();
        protected.protected_until = until;
        let mut draft = Draft::new();
        units::set_face(&mut draft, &unit, Face::Ecs(Arc::new(protected)));
        let answer = self.ask(draft).await;
        let words = if until.is_some() { "is protected by a user" } else { "is protected no more" };
        Some(format!("{} {words}: {answer}", unit.name.short()))
    }

    /// An alarm goes on or off.
    pub(crate) fn ring(&mut self) -> String {
        format!("the alarm goes {}", if self.bells.ring(BELL) { "on" } else { "off" })
    }

    async fn ask(&mut self, draft: Draft) -> &'static str {
        Answer::of(self.server.records().commit(draft).await).words()
    }

    fn any_service(&mut self, snapshot: &Snapshot) -> Option<Versioned<Service>> {
        let active: Vec<Versioned<Service>> =
            snapshot.services.values().filter(|service| is_active(service)).cloned().collect();
        self.chance.pick(&active).cloned()
    }

    fn deployment_under_way(&mut self, snapshot: &Snapshot) -> Option<(DeploymentId, Versioned<Deployment>)> {
        let open = |service: &&Versioned<Service>| {
            let key = service.deployment.clone().map(|deployment| (service.id.clone(), deployment));
            let state = key.and_then(|key| snapshot.deployment_states.get(&key));
            is_active(service) && state.is_some_and(|state| !state.status.is_final())
        };
        let services: Vec<&Versioned<Service>> = snapshot.services.values().filter(open).collect();
        let service = self.chance.pick(&services)?;
        let id = (service.id.clone(), service.deployment.clone()?);
        let seen = snapshot.deployments.get(&id)?.clone();
        Some((id, seen))
    }
}

fn current_definition(snapshot: &Snapshot, service: &Service) -> Option<TaskDefinitionId> {
    let deployment = snapshot.deployments.get(&(service.id.clone(), service.deployment.clone()?))?;
    let revision = snapshot.service_revisions.get(&(service.id.clone(), deployment.target.clone()))?;
    Some(revision.task_definition.clone())
}

/// A service in a few words.
fn settings(service: &Service) -> String {
    let of = &service.configuration;
    let count = match service.scheduling {
        SchedulingStrategy::Replica => format!("{} tasks", service.desired_count),
        SchedulingStrategy::Daemon => "one on each node".to_owned(),
    };
    let breaker = match of.breaker.as_ref().filter(|breaker| breaker.enable) {
        Some(breaker) if breaker.rollback => ", breaker with rollback",
        Some(_) => ", breaker",
        None => "",
    };
    let strategy = match of.strategy {
        DeploymentStrategy::Rolling => String::new(),
        other => format!(", {other:?}"),
    };
    let hooks = of.hooks.first().map(|hook| format!(", a pause at {:?}", hook.stages)).unwrap_or_default();
    format!("{count}, {}-{}%{strategy}{breaker}{hooks}", of.minimum_healthy_percent, of.maximum_percent)
}
