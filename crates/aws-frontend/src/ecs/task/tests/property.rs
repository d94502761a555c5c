//! Whatever a Unit's state: the conversion answers, and the status follows the lifecycle.

use crate::ecs::task::{Tags, convert};
use crate::testing::NOW;
use model::ecs::{LaunchType, TaskContainerFace, TaskFace};
use model::network::Network;
use model::snapshot::Versioned;
use model::unit::observed::StopObserved;
use model::unit::placement::{Shortage, UnitAddress};
use model::unit::{
    Capacity, ContainerObserved, ContainerState, Face, Health, Intent, Lifecycle, Observed, Placement, Refusal,
    Scheduling, StopCause, StopIntent, Unit,
};
use model::{ClusterId, NodeId, Scope, Snapshot, SpecHash, TaskDefinitionId, Timestamp, UnitName, UnitUid};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

const LIFECYCLES: [Lifecycle; 5] =
    [Lifecycle::Accepted, Lifecycle::Preparing, Lifecycle::Running, Lifecycle::Stopping, Lifecycle::Stopped];
/// The order in which ECS's states follow each other.
const STATUSES: [&str; 6] = ["PROVISIONING", "PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"];

fn cause() -> impl Strategy<Value = StopCause> {
    prop::sample::select(vec![
        StopCause::FailedToStart,
        StopCause::EssentialContainerExited,
        StopCause::UserInitiated,
        StopCause::SchedulerInitiated,
        StopCause::CapacityReclaimed,
        StopCause::NodeFailure,
    ])
}

fn time() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of(any::<u64>().prop_map(Timestamp::from_unix_ms))
}

fn container() -> impl Strategy<Value = ContainerObserved> {
    let states = [ContainerState::Pending, ContainerState::Created, ContainerState::Running, ContainerState::Stopped];
    let healths = [Health::Unknown, Health::Healthy, Health::Unhealthy];
    (
        prop::sample::select(vec!["app", "side", "stranger"]),
        prop::sample::select(states.to_vec()),
        prop::option::of(prop::sample::select(healths.to_vec())),
        prop::option::of(any::<i32>()),
        any::<bool>(),
        time(),
    )
        .prop_map(|(name, state, health, exit_code, oom_killed, started_at)| ContainerObserved {
            name: name.into(),
            state,
            health,
            exit_code,
            oom_killed,
            started_at,
            ..Default::default()
        })
}

prop_compose! {
    fn observed()(
        lifecycle in prop::sample::select(LIFECYCLES.to_vec()),
        containers in prop::collection::vec(container(), 0..4),
        stop in prop::option::of((cause(), ".{0,20}")),
        times in [time(), time(), time(), time()],
    ) -> Observed {
        let [started_at, stopping_at, execution_stopped_at, stopped_at] = times;
        let stop = stop.map(|(cause, reason)| StopObserved { cause, reason });
        Observed {
            lifecycle, containers, stop, started_at, stopping_at, execution_stopped_at, stopped_at,
            pull_started_at: started_at, pull_stopped_at: stopped_at,
        }
    }
}

fn placement() -> impl Strategy<Value = Placement> {
    let address = |own: bool, subnet: &'static str| {
        own.then(|| UnitAddress { subnet: subnet.into(), address: Ipv4Addr::new(10, 42, 0, 9) })
    };
    prop_oneof![
        Just(Placement::Pending),
        Just(Placement::Refused(Refusal { nodes: Vec::new(), main: Shortage::NoNode })),
        (any::<bool>(), prop::sample::select(vec!["subnet-a", "subnet-gone"]), any::<bool>()).prop_map(
            move |(own, subnet, known)| Placement::Bound {
                node: NodeId::new(if known { "n1" } else { "gone" }),
                at: NOW,
                address: address(own, subnet),
                container_addresses: Vec::new(),
            }
        ),
    ]
}

prop_compose! {
    fn unit()(
        observed in observed(),
        placement in placement(),
        stop in prop::option::of((cause(), ".{0,20}")),
        own_address in any::<bool>(),
        fargate in any::<bool>(),
        exec in any::<bool>(),
        overrides in prop::sample::select(vec![serde_json::json!({}), serde_json::json!(null), serde_json::json!([1])]),
        uid in "[0-9a-f]{0,32}",
    ) -> Unit {
        let scope = Scope::new("000000000000", "us-east-1");
        let cluster = ClusterId { scope: scope.clone(), name: "default".into() };
        let face = |name: &str| TaskContainerFace {
            name: name.into(), id: "c".into(), image: "app:1".into(), cpu: "0".into(), memory: None, memory_reservation: None,
        };
        let face = TaskFace {
            cluster: cluster.clone(),
            task_definition: TaskDefinitionId { scope, family: "web".into(), revision: 1 },
            launch_type: if fargate { LaunchType::Fargate } else { LaunchType::Ec2 },
            capacity_provider: None, group: "family:web".into(), started_by: None, overrides, tags: Default::default(),
            enable_execute_command: exec, platform_version: None, cpu: None, memory: None,
            containers: vec![face("app"), face("side")],
            ephemeral_storage_gib: fargate.then_some(u32::MAX),
            attachment_id: own_address.then(|| "a".into()), assign_public_ip: false, protected_until: None,
        };
        let stop = stop.map(|(by, reason)| StopIntent { by, reason, requested_at: NOW, grace_s: None });
        Unit {
            name: UnitName::EcsTask { cluster, id: uid.as_str().into() },
            uid: UnitUid::new(uid),
            created_at: NOW,
            face: Face::Ecs(Arc::new(face)),
            spec: SpecHash::new("none"),
            scheduling: Arc::new(Scheduling {
                capacity: Capacity::Instances, group: "family:web".into(), constraints: Vec::new(), strategy: Vec::new(),
                node: None, subnets: Vec::new(), security_groups: Vec::new(), required_attributes: Vec::new(),
                wait_for_room: false,
            }),
            owner: None,
            settled: false,
            waits_for: None,
            intent: Intent { stop },
            placement,
            observed,
        }
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let ids = ["subnet-a", "subnet-b", "subnet-c", "sg"].map(Arc::from);
    let network = Network::carve("vpc-1".into(), Ipv4Addr::new(10, 42, 0, 0), "us-east-1", ids);
    let scope = Scope::new("000000000000", "us-east-1");
    snapshot.networks.insert(scope, Versioned { value: Arc::new(network), revision: 1, version: 1 });
    snapshot
}

fn rank(snapshot: &Snapshot, unit: &Unit) -> usize {
    let status = convert(snapshot, unit, 1, Tags::Shown).last_status.unwrap();
    STATUSES.iter().position(|s| *s == status).unwrap()
}

proptest! {
    #[test]
    fn every_state_is_shown_whole(unit in unit(), version in any::<u64>()) {
        let task = convert(&snapshot(), &unit, version, Tags::Shown);
        prop_assert_eq!(task.containers.as_ref().map(Vec::len), Some(2));
        prop_assert!(STATUSES.contains(&task.last_status.as_deref().unwrap()));
        prop_assert!(serde_json::to_vec(&task).is_ok());
        // Fargate shows no instance, and nothing without a node has one.
        if task.launch_type.as_deref() == Some("FARGATE") || unit.placement.node().is_none() {
            prop_assert_eq!(task.container_instance_arn, None);
        }
    }

    #[test]
    fn what_is_stopping_or_stopped_is_to_be_stopped(unit in unit()) {
        let task = convert(&snapshot(), &unit, 1, Tags::Hidden);
        if ["STOPPING", "DEPROVISIONING", "STOPPED"].contains(&task.last_status.as_deref().unwrap()) {
            prop_assert_eq!(task.desired_status.as_deref(), Some("STOPPED"));
        }
        if unit.observed.lifecycle == Lifecycle::Stopped {
            prop_assert_eq!(task.last_status.as_deref(), Some("STOPPED"));
            for container in task.containers.unwrap() {
                prop_assert_eq!(container.last_status.as_deref(), Some("STOPPED"));
            }
        }
    }

    #[test]
    fn the_status_never_goes_back_while_the_lifecycle_advances(unit in unit()) {
        let snapshot = snapshot();
        let at = |lifecycle| {
            let observed = Observed { lifecycle, ..unit.observed.clone() };
            rank(&snapshot, &Unit { observed, ..unit.clone() })
        };
        // A Unit without a node that was to stop is over; no node ever says anything of it.
        prop_assume!(!(unit.placement == Placement::Pending && unit.intent.stop.is_some()));
        let ranks = LIFECYCLES.map(at);
        prop_assert!(ranks.is_sorted(), "{:?}", ranks);
    }
}
