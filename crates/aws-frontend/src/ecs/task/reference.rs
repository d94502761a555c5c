//! How requests name clusters and tasks, and what is found under a name.

use crate::ecs::{arn, errors};
use aws_api::ecs::Failure;
use aws_protocol::ServiceError;
use model::ecs::{Cluster, ClusterStatus};
use model::snapshot::Versioned;
use model::unit::{Capacity, Face, Placement, Unit};
use model::{ClusterId, Scope, Snapshot, UnitName};

/// The active cluster that a request names; `default` without a name.
///
/// # Errors
/// ClusterNotFoundException, or ClientException for a deleted one.
pub(crate) fn cluster<'a>(
    snapshot: &'a Snapshot,
    scope: &Scope,
    reference: Option<&str>,
) -> Result<&'a Versioned<Cluster>, ServiceError> {
    let id = arn::cluster_reference(scope, reference).map_err(|_| errors::cluster_not_found())?;
    let cluster = snapshot.clusters.get(&id).ok_or_else(errors::cluster_not_found)?;
    match cluster.status {
        ClusterStatus::Active => Ok(cluster),
        ClusterStatus::Inactive => Err(errors::cluster_inactive()),
    }
}

/// Why a reference names no task of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoTask {
    /// Its ARN is another cluster's, which is named.
    OfCluster(String),
    Unknown,
}

/// The name of a task by its id, its ARN, or its ARN of the old form without a cluster.
pub(crate) fn task_name(cluster: &ClusterId, reference: &str) -> Result<UnitName, NoTask> {
    let name = arn::resource(&cluster.scope, "task", reference).map_err(|_| NoTask::Unknown)?;
    let id = match name.split_once('/') {
        Some((of_cluster, _)) if of_cluster != &*cluster.name => return Err(NoTask::OfCluster(of_cluster.to_owned())),
        Some((_, id)) => id,
        None => name,
    };
    Ok(UnitName::EcsTask { cluster: cluster.clone(), id: id.into() })
}

/// The task that a reference names. One that no node took was never a task.
pub(crate) fn task<'a>(
    snapshot: &'a Snapshot,
    cluster: &ClusterId,
    reference: &str,
) -> Result<&'a Versioned<Unit>, NoTask> {
    let unit = snapshot.units.get(&task_name(cluster, reference)?);
    unit.filter(|unit| is_task(unit)).ok_or(NoTask::Unknown)
}

/// Says of a reference that it names no task; a failure names an ARN even if the request did not.
pub(crate) fn missing(cluster: &ClusterId, reference: &str) -> Failure {
    let arn = if reference.starts_with("arn:") { reference.to_owned() } else { arn::task(cluster, reference) };
    Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}

/// One that no node took never was a task. That of a service is none before it has an instance, unless its capacity is such that
/// it waits as a task for some to come.
pub(crate) fn is_task(unit: &Unit) -> bool {
    match unit.placement {
        Placement::Bound { .. } => true,
        Placement::Refused(_) => false,
        Placement::Pending => {
            let Face::Ecs(face) = &unit.face;
            let on_instances = unit.scheduling.capacity == Capacity::Instances;
            unit.owner.is_none() || !on_instances || face.capacity_provider.is_some()
        }
    }
}
