//! DeregisterContainerInstance: a node takes no more tasks of a cluster as its instance, for good.

use super::describe_container_instances::{Parts, convert};
use super::task::reference;
use super::{cluster, commit, errors, instance};
use crate::context::Context;
use aws_api::ecs::{DeregisterContainerInstanceInput, DeregisterContainerInstanceOutput};
use aws_protocol::ServiceError;
use model::ecs::{Membership, MembershipStatus};
use model::unit::{Capacity, StopCause, StopIntent};
use model::{ClusterId, NodeId, Snapshot, UnitName};
use records::units;

/// Deregisters a node from one cluster; its other clusters and Fargate tasks keep it.
///
/// It is final, as ECS means it: neither a restart of Bayplan nor UpdateContainerInstancesState brings the instance back.
/// A cluster that is deleted and created anew has every node again.
///
/// Running tasks need `force`. ECS leaves their containers running, out of anybody's sight; here they are stopped.
pub(crate) async fn deregister_container_instance(
    context: Context,
    input: DeregisterContainerInstanceInput,
) -> Result<DeregisterContainerInstanceOutput, ServiceError> {
    let given = input.container_instance.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Err(errors::invalid_parameter("Container instance can not be blank."));
    }
    let force = input.force.unwrap_or(false);
    let ((cluster, node), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let node = instance::find(snapshot, &cluster.id, given).ok_or_else(|| instance_not_found(given))?;
        if !force && !tasks(snapshot, &cluster.id, &node.id).is_empty() {
            return Err(errors::invalid_parameter("Found running tasks on the instance."));
        }
        let membership = snapshot.membership(&cluster.id, &node.id);
        if membership.status != MembershipStatus::Inactive {
            let key = (cluster.id.clone(), node.id.clone());
            let next = Membership { status: MembershipStatus::Inactive, ..(*membership).clone() };
            draft.upsert(&key, snapshot.memberships.get(&key), &next).expect(&cluster.id, cluster);
            // Every binding raises the node's ledger: no task can have come to it since it was looked at.
            match snapshot.ledgers.get(&node.id) {
                Some(ledger) => draft.expect(&node.id, ledger),
                None => draft.expect_absent::<model::node::Ledger>(&node.id),
            };
        }
        Ok((cluster.id.clone(), node.id.clone()))
    })
    .await?;
    for task in tasks(&snapshot, &cluster, &node) {
        let wish = StopIntent {
            by: StopCause::UserInitiated,
            reason: "Container instance deregistration forced by user".to_owned(),
            requested_at: context.now(),
            grace_s: None,
        };
        units::stop(context.records(), &task, wish).await.map_err(errors::store)?;
    }
    let snapshot = context.records().current();
    let cluster = snapshot.clusters.get(&cluster).ok_or_else(errors::cluster_not_found)?;
    let node = snapshot.nodes.get(&node).ok_or_else(|| instance_not_found(given))?;
    Ok(DeregisterContainerInstanceOutput {
        container_instance: Some(convert(&snapshot, cluster, node, Parts::default())),
    })
}

fn instance_not_found(reference: &str) -> ServiceError {
    errors::invalid_parameter(format!("Referenced container instance {reference:.200} not found."))
}

/// The cluster's tasks that hold the node as its instance.
fn tasks(snapshot: &Snapshot, cluster: &ClusterId, node: &NodeId) -> Vec<UnitName> {
    let units = snapshot.units_of_node(node).filter(|unit| unit.name.cluster() == cluster);
    let held = units.filter(|unit| unit.scheduling.capacity == Capacity::Instances && cluster::is_live(unit));
    held.map(|unit| unit.name.clone()).collect()
}
