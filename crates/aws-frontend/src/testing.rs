//! What the tests of operations stand on: a caller over an empty memory store, with a clock that stands still.

pub(crate) mod scheduler;
pub(crate) mod stage;
pub(crate) mod task_sets;

use crate::context::{Caller, Context, Frontend, Identity};
use crate::ecs::describe_task_definition::{Reference, document};
use crate::ecs::lower::{DefaultLogMode, Launch, lower};
use crate::{ecs, ids};
use aws_api::ecs::{ContainerDefinition, RegisterTaskDefinitionInput, TaskDefinition};
use model::ecs::{LaunchType, TaskFace};
use model::unit::{Capacity, Face, Placement, Scheduling, Unit};
use model::{ClusterId, Scope, Timestamp, UnitName, UnitUid};
use records::units::Intake;
use records::{Clock, Draft, Records, units};
use std::sync::Arc;

/// The moment at which every test happens: 2026-01-01T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// A call of the account root on an empty installation. What it stands on ends with the test's runtime.
pub(crate) async fn context() -> Context {
    let store = Arc::new(store::MemoryStore::default());
    let (records, follow) = Records::open(store, Arc::new(Still)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let logs = Arc::new(observe::LogStore::open(folder.path()).unwrap());
    #[allow(clippy::disallowed_methods, reason = "the scope of a test's tasks is the test's runtime")]
    tokio::spawn(async move {
        let _folder = folder;
        follow.await
    });
    let scope = Scope::new("000000000000", "us-east-1");
    Context { frontend: Arc::new(Frontend { records, logs, scope }), caller: root(), request_id: "test".into() }
}

/// The account root.
pub(crate) fn root() -> Caller {
    Caller {
        account: "000000000000".into(),
        arn: "arn:aws:iam::000000000000:root".into(),
        user_id: "000000000000".into(),
        access_key_id: "AKIDTEST".into(),
        identity: Identity::Root,
    }
}

/// The smallest definition of a family: one container `app` with 64 MiB.
pub(crate) fn definition(family: &str) -> RegisterTaskDefinitionInput {
    let container = ContainerDefinition {
        name: Some("app".to_owned()),
        image: Some("app:1".to_owned()),
        memory: Some(64),
        ..Default::default()
    };
    RegisterTaskDefinitionInput {
        family: Some(family.to_owned()),
        container_definitions: Some(vec![container]),
        ..Default::default()
    }
}

/// Registers the smallest definition of a family.
pub(crate) async fn register(context: &Context, family: &str) -> TaskDefinition {
    let answer = ecs::register_task_definition::register_task_definition(context.clone(), definition(family)).await;
    answer.unwrap().task_definition.unwrap()
}

pub(crate) async fn deregister(context: &Context, reference: &str) {
    let input = aws_api::ecs::DeregisterTaskDefinitionInput { task_definition: Some(reference.to_owned()) };
    ecs::deregister_task_definition::deregister_task_definition(context.clone(), input).await.unwrap();
}

/// A task of a definition in the cluster `default`, as accepted and not yet placed.
pub(crate) async fn run(context: &Context, reference: &str) -> UnitName {
    let snapshot = context.records().current();
    let stored = Reference::parse(context.scope(), reference).unwrap().find(context.scope(), &snapshot).unwrap();
    let launch = Launch { launch_type: LaunchType::Ec2, default_log_mode: DefaultLogMode::default() };
    let lowered = lower(&document(stored).unwrap(), &Default::default(), launch).unwrap();
    let uid = ids::hex(16);
    let cluster = ClusterId { scope: context.scope().clone(), name: "default".into() };
    let group: Arc<str> = format!("family:{}", stored.id.family).into();
    let face = TaskFace {
        cluster: cluster.clone(),
        task_definition: stored.id.clone(),
        launch_type: LaunchType::Ec2,
        capacity_provider: None,
        group: group.clone(),
        started_by: None,
        overrides: serde_json::to_value(&lowered.overrides).unwrap(),
        tags: Default::default(),
        enable_execute_command: false,
        platform_version: None,
        cpu: lowered.cpu.clone(),
        memory: lowered.memory.clone(),
        containers: lowered.containers.iter().map(|c| c.face(ids::uuid())).collect(),
        ephemeral_storage_gib: None,
        attachment_id: None,
        assign_public_ip: false,
        protected_until: None,
    };
    let unit = Unit {
        name: UnitName::EcsTask { cluster, id: uid.as_str().into() },
        uid: UnitUid::new(uid),
        created_at: NOW,
        face: Face::Ecs(Arc::new(face)),
        spec: units::spec_hash(&lowered.spec),
        scheduling: Arc::new(Scheduling {
            capacity: Capacity::Instances,
            group,
            constraints: lowered.constraints,
            strategy: Vec::new(),
            node: None,
            subnets: Vec::new(),
            security_groups: Vec::new(),
            required_attributes: lowered.required_attributes,
            wait_for_room: true,
        }),
        owner: None,
        settled: false,
        waits_for: None,
        intent: Default::default(),
        placement: Placement::Pending,
        observed: Default::default(),
    };
    let mut intake = Intake::new();
    intake.admit(&unit, &lowered.spec);
    context.records().commit(intake.into_draft()).await.unwrap();
    unit.name
}

/// Takes a task's record away.
pub(crate) async fn forget(context: &Context, name: &UnitName) {
    let revision = context.records().current().units.get(name).unwrap().revision;
    let mut draft = Draft::new();
    units::forget(&mut draft, name, revision);
    context.records().commit(draft).await.unwrap();
}
