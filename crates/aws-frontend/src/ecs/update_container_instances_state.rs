//! UpdateContainerInstancesState: ACTIVE and DRAINING, to and fro; a deregistered instance stays what it is.

use super::describe_container_instances::{self as describe, Parts, convert};
use super::task::reference;
use super::{commit, errors, instance};
use crate::context::Context;
use aws_api::ecs::{UpdateContainerInstancesStateInput, UpdateContainerInstancesStateOutput};
use aws_protocol::ServiceError;
use model::NodeId;
use model::ecs::{Membership, MembershipStatus};
use std::collections::BTreeSet;

/// ECS API: instances in one call.
const REFERENCES_MAX: usize = 10;

/// Draining keeps new tasks away. Those of services are moved elsewhere by their schedulers, within each service's bounds; those
/// that stand alone go on.
pub(crate) async fn update_container_instances_state(
    context: Context,
    input: UpdateContainerInstancesStateInput,
) -> Result<UpdateContainerInstancesStateOutput, ServiceError> {
    let references = input.container_instances.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Container instances can not be blank."));
    }
    if references.len() > REFERENCES_MAX {
        return Err(errors::invalid_parameter(format!("containerInstances can have at most {REFERENCES_MAX} items.")));
    }
    let status = match input.status.as_deref() {
        Some("ACTIVE") => MembershipStatus::Active,
        Some("DRAINING") => MembershipStatus::Draining,
        _ => return Err(errors::invalid_parameter("Container instances status should be one of [DRAINING,ACTIVE]")),
    };
    let ((changed, failures), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let (mut changed, mut failures) = (BTreeSet::<NodeId>::new(), Vec::new());
        for reference in &references {
            let Some(node) = instance::find(snapshot, &cluster.id, reference) else {
                failures.push(describe::failure(cluster, reference, "MISSING"));
                continue;
            };
            let membership = snapshot.membership(&cluster.id, &node.id);
            if membership.status == MembershipStatus::Inactive {
                failures.push(describe::failure(cluster, reference, "INACTIVE"));
                continue;
            }
            if changed.insert(node.id.clone()) && membership.status != status {
                let key = (cluster.id.clone(), node.id.clone());
                let next = Membership { status, ..(*membership).clone() };
                draft.upsert(&key, snapshot.memberships.get(&key), &next);
            }
        }
        if !draft.is_empty() {
            draft.expect(&cluster.id, cluster);
        }
        Ok((changed, failures))
    })
    .await?;
    let cluster = reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?;
    let shown = changed.iter().filter_map(|node| snapshot.nodes.get(node));
    let shown = shown.map(|node| convert(&snapshot, cluster, node, Parts::default())).collect();
    Ok(UpdateContainerInstancesStateOutput { container_instances: Some(shown), failures: Some(failures) })
}
