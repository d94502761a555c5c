//! DeleteCluster: the cluster is INACTIVE from then on, describable for a day, and goes with what it kept of its nodes.

use super::describe_clusters::{Parts, convert};
use super::{arn, cluster, commit, errors, service};
use crate::context::Context;
use aws_api::ecs::{DeleteClusterInput, DeleteClusterOutput, errors as shapes};
use aws_protocol::ServiceError;
use model::ecs::{Cluster, ClusterStatus};
use model::{ClusterId, Snapshot};

/// Deletes a cluster that no service and no task holds.
///
/// ECS refuses to delete a cluster with container instances. Here every machine is a member of every cluster without
/// having been asked to, so those do not count: only services and tasks do. The cluster `default` may be deleted like any other; the
/// next start of Bayplan makes it again.
pub(crate) async fn delete_cluster(
    context: Context,
    input: DeleteClusterInput,
) -> Result<DeleteClusterOutput, ServiceError> {
    let id =
        arn::cluster_reference(context.scope(), input.cluster.as_deref()).map_err(|_| errors::cluster_not_found())?;
    let (deleted, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let seen = snapshot.clusters.get(&id).ok_or_else(errors::cluster_not_found)?;
        if seen.status == ClusterStatus::Inactive {
            return Ok((*seen.value).clone());
        }
        refuse_held(snapshot, &id)?;
        let deleted =
            Cluster { status: ClusterStatus::Inactive, inactive_since: Some(context.now()), ..(*seen.value).clone() };
        draft.update(&id, seen, &deleted);
        Ok(deleted)
    })
    .await?;
    // What was accepted while this was decided shows only now; from here on nobody makes another.
    if let Err(refusal) = refuse_held(&snapshot, &id) {
        restore(&context, &id).await?;
        return Err(refusal);
    }
    Ok(DeleteClusterOutput { cluster: Some(convert(&snapshot, &deleted, Parts::WRITTEN)) })
}

fn refuse_held(snapshot: &Snapshot, id: &ClusterId) -> Result<(), ServiceError> {
    let mut services = service::of_cluster(snapshot, id);
    if services.any(|service| service::status(snapshot, service) != service::Status::Inactive) {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(ServiceError::of(&shapes::CLUSTER_CONTAINS_SERVICES, message));
    }
    if snapshot.units_of_cluster(id).any(|(_, unit)| cluster::is_live(unit)) {
        let message = "The Cluster cannot be deleted while Tasks are active.";
        return Err(ServiceError::of(&shapes::CLUSTER_CONTAINS_TASKS, message));
    }
    Ok(())
}

async fn restore(context: &Context, id: &ClusterId) -> Result<(), ServiceError> {
    let restored = commit::decide(context.records(), |snapshot, draft| {
        if let Some(seen) = snapshot.clusters.get(id) {
            let cluster = Cluster { status: ClusterStatus::Active, inactive_since: None, ..(*seen.value).clone() };
            draft.update(id, seen, &cluster);
        }
        Ok(())
    });
    restored.await.map(drop)
}
