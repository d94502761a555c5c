//! A service in a snapshot for tests: `web`, which is to get from `hello:1` to `hello:2`; a test changes what it is about.

use model::ecs::service::{Rollout, Service, ServiceEvent, ServiceRevision, ServiceState, SetRole, SlotSet};
use model::ecs::{Deployment, DeploymentState};
use model::snapshot::Versioned;
use model::unit::observed::{ContainerObserved, StopObserved};
use model::unit::{ContainerState, Lifecycle, Owner, Placement, StopCause, Unit};
use model::{NodeId, ServiceId, Snapshot, Timestamp};
use serde_json::json;
use std::sync::Arc;
use test_support::{Wish, cluster_id, scope};

pub(crate) const NEW: &str = "ecs-svc/2";
pub(crate) const OLD: &str = "ecs-svc/1";
pub(crate) const DEPLOYMENT: &str = "d2";

/// So many seconds after the deployment was asked for.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_700_000_000_000).saturating_add_ms(seconds * 1000)
}

pub(crate) fn web() -> ServiceId {
    ServiceId { cluster: cluster_id("default"), name: "web".into() }
}

pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
}

fn stored<T>(value: T) -> Versioned<T> {
    Versioned { value: Arc::new(value), revision: 1, version: 1 }
}

impl World {
    /// Two tasks are wanted, the circuit breaker is on, and the scheduler has not looked yet.
    pub(crate) fn new() -> Self {
        let mut world = Self { snapshot: Snapshot::default() };
        let configuration = json!({
            "strategy": {"kind": "ROLLING"}, "maximum_percent": 200, "minimum_healthy_percent": 100,
            "breaker": {"enable": true, "rollback": true, "reset_on_healthy_task": true},
        });
        let service: Service = serde_json::from_value(json!({
            "id": web(), "uid": "uid-web", "created_at": at(0), "created_by": "root", "controller": "ECS",
            "scheduling": "REPLICA", "desired_count": 2, "configuration": configuration, "deployment": DEPLOYMENT,
        }))
        .unwrap();
        world.snapshot.services.insert(web(), stored(service));
        for (number, definition) in [("r1", 1), ("r2", 2)] {
            let revision: ServiceRevision = serde_json::from_value(json!({
                "service": web(), "number": number, "service_uid": "uid-web", "created_at": at(0), "launch_type": "EC2",
                "task_definition": {"scope": scope(), "family": "hello", "revision": definition},
            }))
            .unwrap();
            world.snapshot.service_revisions.insert((web(), number.into()), stored(revision));
        }
        let deployment: Deployment = serde_json::from_value(json!({
            "service": web(), "id": DEPLOYMENT, "service_uid": "uid-web", "created_at": at(0), "set": NEW,
            "source": ["r1"], "target": "r2", "configuration": configuration,
        }))
        .unwrap();
        world.snapshot.deployments.insert((web(), DEPLOYMENT.into()), stored(deployment));
        world
    }

    /// The scheduler has taken the deployment up and wants two tasks of each set.
    pub(crate) fn begun() -> Self {
        let mut world = Self::new();
        let progress: DeploymentState = serde_json::from_value(json!({
            "status": "IN_PROGRESS", "stage": "SCALE_UP", "stage_since": at(0), "started_at": at(0), "updated_at": at(0),
            "set": NEW, "failure_threshold": 3,
        }))
        .unwrap();
        world.snapshot.deployment_states.insert((web(), DEPLOYMENT.into()), stored(progress));
        let sets = vec![set(NEW, "r2", SetRole::Primary), set(OLD, "r1", SetRole::Active)];
        let state = ServiceState { service_uid: "uid-web".into(), sets, ..ServiceState::default() };
        world.snapshot.service_states.insert(web(), stored(state));
        world
    }

    pub(crate) fn service(&mut self, change: impl FnOnce(&mut Service)) {
        change(Arc::make_mut(&mut self.snapshot.services.get_mut(&web()).unwrap().value));
    }

    pub(crate) fn deployment(&mut self, change: impl FnOnce(&mut Deployment)) {
        let key = (web(), DEPLOYMENT.into());
        change(Arc::make_mut(&mut self.snapshot.deployments.get_mut(&key).unwrap().value));
    }

    pub(crate) fn progress(&mut self, change: impl FnOnce(&mut DeploymentState)) {
        let key = (web(), DEPLOYMENT.into());
        change(Arc::make_mut(&mut self.snapshot.deployment_states.get_mut(&key).unwrap().value));
    }

    pub(crate) fn state(&mut self, change: impl FnOnce(&mut ServiceState)) {
        change(Arc::make_mut(&mut self.snapshot.service_states.get_mut(&web()).unwrap().value));
    }

    pub(crate) fn event(&mut self, number: u64, second: u64, message: &str) {
        let event = ServiceEvent {
            service_uid: "uid-web".into(),
            id: format!("event-{number}").into(),
            at: at(second),
            message: message.to_owned(),
        };
        self.snapshot.service_events.insert((web(), number), stored(event));
    }

    /// A task of a set, on no node yet.
    pub(crate) fn task(&mut self, id: &str, set: &str, change: impl FnOnce(&mut Unit)) {
        let mut unit = Wish::default().unit(id, at(0));
        unit.owner = Some(Owner::EcsService { service: web(), uid: "uid-web".into(), set: set.into() });
        change(&mut unit);
        self.snapshot.set_unit(&unit.name.clone(), Some(stored(unit)));
    }
}

fn set(id: &str, revision: &str, role: SetRole) -> SlotSet {
    SlotSet {
        id: id.into(),
        revision: revision.into(),
        role,
        rollout: Rollout::InProgress,
        rollout_reason: None,
        desired: 2,
        failed_tasks: 0,
        healthy: 0,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn bound(unit: &mut Unit) {
    unit.placement =
        Placement::Bound { node: NodeId::new("node-1"), at: at(0), address: None, container_addresses: Vec::new() };
}

pub(crate) fn running(unit: &mut Unit) {
    bound(unit);
    unit.observed.lifecycle = Lifecycle::Running;
    unit.observed.started_at = Some(at(1));
}

/// Its one container ended by itself.
pub(crate) fn exited(code: i32) -> impl FnOnce(&mut Unit) {
    move |unit| {
        running(unit);
        unit.observed.lifecycle = Lifecycle::Stopped;
        unit.observed.stopped_at = Some(at(2));
        let reason = "Essential container in task exited".to_owned();
        unit.observed.stop = Some(StopObserved { cause: StopCause::EssentialContainerExited, reason });
        unit.observed.containers = vec![ContainerObserved {
            name: "main".into(),
            essential: true,
            state: ContainerState::Stopped,
            exit_code: Some(code),
            ..ContainerObserved::default()
        }];
    }
}
