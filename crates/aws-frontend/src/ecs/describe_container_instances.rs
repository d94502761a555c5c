//! DescribeContainerInstances: up to 100 nodes as a cluster sees them; and how every operation shows a container instance.

use super::task::reference;
use super::{arn, errors, instance, tags};
use crate::context::Context;
use aws_api::ecs::{
    Attribute, ContainerInstance, ContainerInstanceHealthStatus, DescribeContainerInstancesInput,
    DescribeContainerInstancesOutput, Failure, InstanceHealthCheckResult, Resource, VersionInfo, values,
};
use aws_api::schema;
use aws_protocol::ServiceError;
use model::ecs::{Cluster, Membership, MembershipStatus};
use model::node::Node;
use model::snapshot::Versioned;
use model::unit::spec::Protocol;
use model::unit::{Capacity, Lifecycle};
use model::{Cpu, Memory, NodeId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// ECS API.
const REFERENCES_MAX: usize = 100;

pub(crate) async fn describe_container_instances(
    context: Context,
    input: DescribeContainerInstancesInput,
) -> Result<DescribeContainerInstancesOutput, ServiceError> {
    let references = input.container_instances.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Container instances can not be blank."));
    }
    if references.len() > REFERENCES_MAX {
        return Err(errors::invalid_parameter(format!("containerInstances can have at most {REFERENCES_MAX} items.")));
    }
    let parts = Parts::asked(&input.include.unwrap_or_default())?;
    let snapshot = context.records().current();
    let cluster = reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        match instance::find(&snapshot, &cluster.id, reference) {
            Some(node) => found.push(convert(&snapshot, cluster, node, parts)),
            None => failures.push(failure(cluster, reference, "MISSING")),
        }
    }
    Ok(DescribeContainerInstancesOutput { container_instances: Some(found), failures: Some(failures) })
}

/// Says of one reference why nothing was done with it; a short name is completed to its ARN.
pub(super) fn failure(cluster: &Cluster, reference: &str, reason: &str) -> Failure {
    let is_arn = reference.starts_with("arn:");
    let arn = if is_arn { reference.to_owned() } else { arn::container_instance(&cluster.id, reference) };
    Failure { arn: Some(arn), reason: Some(reason.to_owned()), ..Default::default() }
}

/// The parts of a container instance that are shown only on request.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    tags: bool,
    health: bool,
}

impl Parts {
    /// # Errors
    /// InvalidParameterException for a name that is no part.
    fn asked(include: &[String]) -> Result<Self, ServiceError> {
        let mut parts = Parts::default();
        for name in include {
            match name.as_str() {
                values::container_instance_field::TAGS => parts.tags = true,
                values::container_instance_field::CONTAINER_INSTANCE_HEALTH => parts.health = true,
                _ => {
                    let known = values::container_instance_field::VALUES.join(",");
                    return Err(errors::invalid_parameter(format!("include should be one of [{known}]")));
                }
            }
        }
        Ok(parts)
    }
}

/// A node as a cluster sees it, in ECS's words. What is left of it is left for all clusters: its capacity is one.
pub(super) fn convert(
    snapshot: &Snapshot,
    cluster: &Cluster,
    node: &Versioned<Node>,
    parts: Parts,
) -> ContainerInstance {
    let membership = snapshot.membership(&cluster.id, &node.id);
    let (running, pending) = tasks(snapshot, cluster, &node.id);
    let used = snapshot.node_use(&node.id);
    let reserved: BTreeSet<u16> = node.reserved_ports.iter().copied().collect();
    let (tcp, udp) = taken_ports(snapshot, &node.id, &reserved);
    let since = snapshot.member_since(cluster, node).unix_ms();
    ContainerInstance {
        container_instance_arn: Some(arn::container_instance(
            &cluster.id,
            &instance::instance_id(&cluster.id, &node.id),
        )),
        ec2_instance_id: Some(node.id.to_string()),
        version: Some(version(snapshot, cluster, node)),
        version_info: Some(VersionInfo { agent_version: Some(node.agent_version.clone()), ..Default::default() }),
        registered_resources: Some(resources(node.cpu, node.memory, &reserved, &BTreeSet::new())),
        remaining_resources: Some(resources(
            node.cpu.saturating_sub(used.cpu),
            node.memory.saturating_sub(used.memory),
            &tcp,
            &udp,
        )),
        status: Some(status(membership.status).to_owned()),
        agent_connected: Some(node.connected),
        running_tasks_count: Some(running),
        pending_tasks_count: Some(pending),
        attributes: Some(attributes(node, &membership)),
        registered_at: Some(schema::Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX))),
        attachments: Some(Vec::new()),
        tags: Some(if parts.tags { tags::show(&membership.tags) } else { Vec::new() }),
        health_status: parts.health.then(|| health(node)),
        ..Default::default()
    }
}

pub(super) fn status(status: MembershipStatus) -> &'static str {
    match status {
        MembershipStatus::Active => "ACTIVE",
        MembershipStatus::Draining => "DRAINING",
        MembershipStatus::Inactive => "INACTIVE",
    }
}

/// The node's attributes as a cluster sees them: its own hide the node's.
pub(super) fn seen_attributes<'a>(node: &'a Node, membership: &'a Membership) -> BTreeMap<&'a str, Option<&'a str>> {
    let all = node.attributes.iter().chain(&membership.attributes);
    all.map(|(name, value)| (name.as_str(), value.as_deref())).collect()
}

fn attributes(node: &Node, membership: &Membership) -> Vec<Attribute> {
    let attribute = |(name, value): (&str, Option<&str>)| Attribute {
        name: Some(name.to_owned()),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    seen_attributes(node, membership).into_iter().map(attribute).collect()
}

/// Rises with each change of the node, of its membership and with each task bound to it, and never falls (ECS API:
/// ContainerInstance.version). What a task does afterwards is in the task's own version.
fn version(snapshot: &Snapshot, cluster: &Cluster, node: &Versioned<Node>) -> i64 {
    let membership = snapshot.memberships.get(&(cluster.id.clone(), node.id.clone())).map_or(0, |m| m.version);
    let ledger = snapshot.ledgers.get(&node.id).map_or(0, |ledger| ledger.version);
    i64::try_from(node.version.saturating_add(membership).saturating_add(ledger)).unwrap_or(i64::MAX)
}

/// How many of the cluster's tasks run on a node as on an instance, and how many are on their way.
fn tasks(snapshot: &Snapshot, cluster: &Cluster, node: &NodeId) -> (i32, i32) {
    let units = snapshot.units_of_node(node);
    let ours = units.filter(|u| *u.name.cluster() == cluster.id && u.scheduling.capacity == Capacity::Instances);
    ours.fold((0, 0), |(running, pending), unit| match unit.observed.lifecycle {
        Lifecycle::Running => (running + 1, pending),
        Lifecycle::Accepted | Lifecycle::Preparing => (running, pending + 1),
        Lifecycle::Stopping | Lifecycle::Stopped => (running, pending),
    })
}

/// TCP and UDP ports of a node that are not free: reserved, promised to a task, or bound by one.
fn taken_ports(snapshot: &Snapshot, node: &NodeId, reserved: &BTreeSet<u16>) -> (BTreeSet<u16>, BTreeSet<u16>) {
    let (mut tcp, mut udp) = (reserved.clone(), BTreeSet::new());
    let mut take = |port: u16, protocol: Protocol| match protocol {
        Protocol::Tcp => tcp.insert(port),
        Protocol::Udp => udp.insert(port),
    };
    for unit in snapshot.units_of_node(node) {
        for (port, protocol) in snapshot.specs.get(&unit.spec).iter().flat_map(|spec| spec.fixed_host_ports()) {
            take(port, protocol);
        }
        for binding in unit.observed.containers.iter().flat_map(|container| &container.ports) {
            take(binding.host_port, binding.protocol);
        }
    }
    (tcp, udp)
}

/// In ECS's order and with its zeroes.
fn resources(cpu: Cpu, memory: Memory, tcp: &BTreeSet<u16>, udp: &BTreeSet<u16>) -> Vec<Resource> {
    let of = |name: &str, kind: &str| Resource {
        name: Some(name.to_owned()),
        r#type: Some(kind.to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: None,
    };
    let integer = |name, value: u64| Resource {
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        ..of(name, "INTEGER")
    };
    let ports = |name, ports: &BTreeSet<u16>| Resource {
        string_set_value: Some(ports.iter().map(u16::to_string).collect()),
        ..of(name, "STRINGSET")
    };
    vec![integer("CPU", cpu.ecs_units()), integer("MEMORY", memory.mib()), ports("PORTS", tcp), ports("PORTS_UDP", udp)]
}

/// Containers are run by the agent itself, so both checks say whether it answers; of a silent one's containers nothing is known.
fn health(node: &Node) -> ContainerInstanceHealthStatus {
    use values::{instance_health_check_state as state, instance_health_check_type as check};
    let result = |kind: &str, status: &str| InstanceHealthCheckResult {
        r#type: Some(kind.to_owned()),
        status: Some(status.to_owned()),
        ..Default::default()
    };
    let (overall, runtime) =
        if node.connected { (state::OK, state::OK) } else { (state::IMPAIRED, state::INSUFFICIENT_DATA) };
    ContainerInstanceHealthStatus {
        overall_status: Some(overall.to_owned()),
        details: Some(vec![result(check::CONTAINER_RUNTIME, runtime), result(check::AGENT_CONNECTIVITY, overall)]),
    }
}
