//! A whole stage for tasks: a cluster, a Network, nodes, and a placer that does what the test says.

use crate::context::Context;
use crate::testing;
use aws_api::ecs::{self, ContainerDefinition, RegisterTaskDefinitionInput, RunTaskInput, RunTaskOutput};
use aws_protocol::ServiceError;
use model::ecs::Service;
use model::network::Network;
use model::snapshot::Versioned;
use model::unit::placement::UnitAddress;
use model::unit::spec::NetworkMode;
use model::unit::{Lifecycle, Observed, Placement, Refusal, Unit};
use model::{ClusterId, Cpu, Memory, Node, NodeId, ServiceId, Snapshot, UnitName};
use records::{Draft, units};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

/// What placement answers for a Unit; None leaves it waiting.
type Verdict = Box<dyn Fn(&Snapshot, &Unit) -> Option<Placement> + Send>;

/// The subnets of the stage's Network.
pub(crate) const SUBNETS: [&str; 3] = ["subnet-a", "subnet-b", "subnet-c"];
pub(crate) const GROUP: &str = "sg-default";

/// A call of the account root on an installation with the cluster `default` and one node, `n1`.
pub(crate) struct Stage {
    pub(crate) context: Context,
    verdict: Arc<Mutex<Verdict>>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let context = testing::context().await;
        crate::ecs::ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        let ids = [SUBNETS[0], SUBNETS[1], SUBNETS[2], GROUP].map(Arc::from);
        let network = Network::carve("vpc-1".into(), Ipv4Addr::new(10, 42, 0, 0), "us-east-1", ids);
        let mut draft = Draft::new();
        draft.create(context.scope(), &network);
        context.records().commit(draft).await.unwrap();
        let verdict: Arc<Mutex<Verdict>> = Arc::new(Mutex::new(Box::new(bind)));
        let stage = Self { context, verdict };
        stage.node("n1").await;
        stage.place_what_comes();
        stage
    }

    /// Registers another node of 2048 CPU units and 1024 MiB.
    pub(crate) async fn node(&self, id: &str) {
        let attributes = [
            ("ecs.availability-zone", Some("us-east-1a")),
            ("ecs.cpu-architecture", Some("x86_64")),
            ("ecs.capability.task-eni", None),
        ];
        let node = Node {
            id: NodeId::new(id),
            hostname: format!("host-{id}"),
            cpu: Cpu::from_ecs_units(2048),
            memory: Memory::from_mib(1024),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into(),
            boot_id: "boot".to_owned(),
            agent_version: "1".to_owned(),
            registered_at: testing::NOW,
            connected: true,
            disconnected_at: None,
            reserved_ports: Vec::new(),
        };
        let mut draft = Draft::new();
        draft.create(&node.id, &node);
        self.context.records().commit(draft).await.unwrap();
    }

    /// From now on placement answers so.
    pub(crate) fn verdict(&self, verdict: impl Fn(&Snapshot, &Unit) -> Option<Placement> + Send + 'static) {
        *self.verdict.lock().unwrap() = Box::new(verdict);
    }

    /// From now on no node takes a Unit; the record of one that was refused is deleted right after, as the collector does.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.verdict(move |_, _| Some(Placement::Refused(refusal.clone())));
    }

    fn place_what_comes(&self) {
        let (records, verdict) = (self.context.records().clone(), self.verdict.clone());
        #[allow(clippy::disallowed_methods, reason = "the scope of a test's tasks is the test's runtime")]
        tokio::spawn(async move {
            let mut touched = records.touched();
            while touched.next().await.is_some() {
                let snapshot = records.current();
                for unit in snapshot.awaiting_placement() {
                    let Some(placement) = (verdict.lock().unwrap())(&snapshot, unit) else { continue };
                    let mut draft = Draft::new();
                    units::place(&mut draft, unit, placement);
                    // Somebody else's change in between is seen in the next turn.
                    let _ = records.commit(draft).await;
                }
                for unit in snapshot.refused_units() {
                    let mut draft = Draft::new();
                    units::forget(&mut draft, &unit.name, unit.revision);
                    let _ = records.commit(draft).await;
                }
            }
        });
    }

    pub(crate) async fn register(&self, input: RegisterTaskDefinitionInput) {
        crate::ecs::register_task_definition::register_task_definition(self.context.clone(), input).await.unwrap();
    }

    pub(crate) async fn run(&self, input: RunTaskInput) -> Result<RunTaskOutput, ServiceError> {
        crate::ecs::run_task::run_task(self.context.clone(), input).await
    }

    /// Runs one task of the smallest definition of a family, which is registered if need be.
    pub(crate) async fn run_one(&self, family: &str) -> ecs::Task {
        self.register(testing::definition(family)).await;
        self.run(call(family)).await.unwrap().tasks.unwrap().remove(0)
    }

    /// A cluster that has capacity providers.
    pub(crate) async fn cluster_with(&self, name: &str, providers: &[&str]) {
        let input = json(serde_json::json!({"clusterName": name, "capacityProviders": providers}));
        crate::ecs::create_cluster::create_cluster(self.context.clone(), input).await.unwrap();
    }

    /// Creates a service, in ECS's own spelling.
    pub(crate) async fn create_service(&self, input: serde_json::Value) -> Result<ecs::Service, ServiceError> {
        let answer = crate::ecs::create_service::create_service(self.context.clone(), json(input)).await?;
        Ok(answer.service.unwrap())
    }

    pub(crate) async fn update_service(&self, input: serde_json::Value) -> Result<ecs::Service, ServiceError> {
        let answer = crate::ecs::update_service::update_service(self.context.clone(), json(input)).await?;
        Ok(answer.service.unwrap())
    }

    pub(crate) async fn delete_service(&self, input: serde_json::Value) -> Result<ecs::Service, ServiceError> {
        let answer = crate::ecs::delete_service::delete_service(self.context.clone(), json(input)).await?;
        Ok(answer.service.unwrap())
    }

    /// A service of the cluster `default` as DescribeServices shows it, with its tags.
    pub(crate) async fn service(&self, name: &str) -> ecs::Service {
        let input = json(serde_json::json!({"services": [name], "include": ["TAGS"]}));
        let answer = crate::ecs::describe_services::describe_services(self.context.clone(), input).await.unwrap();
        answer.services.unwrap().remove(0)
    }

    pub(crate) fn service_id(&self, name: &str) -> ServiceId {
        ServiceId { cluster: self.cluster("default"), name: name.into() }
    }

    /// A service of the cluster `default` as it is stored.
    pub(crate) fn stored_service(&self, name: &str) -> Versioned<Service> {
        self.context.records().current().services.get(&self.service_id(name)).unwrap().clone()
    }

    /// Those of the tasks of the cluster `default` that are there.
    pub(crate) async fn describe_tasks(&self, tasks: &[String]) -> Vec<ecs::Task> {
        let input = json(serde_json::json!({"tasks": tasks, "include": ["TAGS"]}));
        crate::ecs::describe_tasks::describe_tasks(self.context.clone(), input).await.unwrap().tasks.unwrap()
    }

    /// A task of the cluster `default` once it has a node.
    pub(crate) async fn bound(&self, task: &str) -> ecs::Task {
        let name = UnitName::EcsTask { cluster: self.cluster("default"), id: task.into() };
        let is_bound = |snapshot: &Snapshot| snapshot.units.get(&name).and_then(|unit| unit.placement.node()).map(drop);
        self.context.records().wait_for(is_bound).await.unwrap();
        self.describe_tasks(&[task.to_owned()]).await.remove(0)
    }

    /// Commits what a test says a scheduler or somebody else has written.
    pub(crate) async fn write(&self, fill: impl FnOnce(&Snapshot, &mut Draft)) {
        let mut draft = Draft::new();
        fill(&self.context.records().current(), &mut draft);
        self.context.records().commit(draft).await.unwrap();
    }

    /// The stored Unit of a task.
    pub(crate) fn unit(&self, task: &ecs::Task) -> Versioned<Unit> {
        let snapshot = self.context.records().current();
        snapshot.units.get(&self.name(task)).unwrap().clone()
    }

    pub(crate) fn name(&self, task: &ecs::Task) -> UnitName {
        let arn = task.task_arn.as_deref().unwrap();
        UnitName::EcsTask { cluster: self.cluster("default"), id: arn.rsplit('/').next().unwrap().into() }
    }

    pub(crate) fn cluster(&self, name: &str) -> ClusterId {
        ClusterId { scope: self.context.scope().clone(), name: name.into() }
    }

    /// The node says that a task of the cluster `default` has come so far.
    pub(crate) async fn advance(&self, task: &str, lifecycle: Lifecycle) {
        let task = self.bound(task).await;
        self.observe(&task, Observed { lifecycle, ..Observed::default() }).await;
    }

    /// The node says this of a task.
    pub(crate) async fn observe(&self, task: &ecs::Task, observed: Observed) {
        let unit = self.unit(task);
        let node = unit.placement.node().unwrap();
        assert!(units::observe(self.context.records(), node, &unit.uid, &observed).await.unwrap());
    }
}

/// Binds to the first node, with an address of the first subnet where the Unit has one.
pub(crate) fn bind(snapshot: &Snapshot, unit: &Unit) -> Option<Placement> {
    let node = unit.scheduling.node.clone().or_else(|| snapshot.nodes.keys().next().cloned())?;
    let own_address = snapshot.specs.get(&unit.spec)?.network == NetworkMode::Unit;
    let address = own_address.then(|| UnitAddress {
        subnet: unit.scheduling.subnets[0].clone(),
        address: (5..).map(|n| Ipv4Addr::new(10, 42, 0, n)).find(|a| !snapshot.address_taken(a)).unwrap(),
    });
    Some(Placement::Bound { node, at: testing::NOW, address, container_addresses: Vec::new() })
}

/// The plainest call.
pub(crate) fn call(family: &str) -> RunTaskInput {
    RunTaskInput { task_definition: Some(family.to_owned()), ..Default::default() }
}

/// A definition for awsvpc that both launch types take.
pub(crate) fn awsvpc(family: &str) -> RegisterTaskDefinitionInput {
    let container =
        ContainerDefinition { name: Some("app".to_owned()), image: Some("app:1".to_owned()), ..Default::default() };
    RegisterTaskDefinitionInput {
        family: Some(family.to_owned()),
        network_mode: Some("awsvpc".to_owned()),
        requires_compatibilities: Some(vec!["EC2".to_owned(), "FARGATE".to_owned()]),
        cpu: Some("256".to_owned()),
        memory: Some("512".to_owned()),
        container_definitions: Some(vec![container]),
        ..Default::default()
    }
}

/// The networkConfiguration that names the first subnet.
pub(crate) fn network() -> Option<ecs::NetworkConfiguration> {
    let configuration = ecs::AwsVpcConfiguration { subnets: Some(vec![SUBNETS[0].to_owned()]), ..Default::default() };
    Some(ecs::NetworkConfiguration { awsvpc_configuration: Some(configuration) })
}

/// A request in ECS's own spelling.
pub(crate) fn json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Tags as pairs.
pub(crate) fn pairs(tags: Option<Vec<ecs::Tag>>) -> BTreeMap<String, String> {
    tags.into_iter().flatten().map(|tag| (tag.key.unwrap(), tag.value.unwrap())).collect()
}
