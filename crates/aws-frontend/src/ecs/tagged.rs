//! Resources that have tags: found by their ARN, read and written alike whatever they are; the rules of tags are in `tags`.

#[cfg(test)]
mod tests;

use super::task::{self, reference};
use super::{arn, capacity_provider, errors, instance, service};
use aws_api::ecs::errors as shapes;
use aws_protocol::ServiceError;
use model::ecs::{
    CapacityProvider, Cluster, ClusterStatus, Membership, MembershipStatus, Service, Tags, TaskDefinition, TaskFace,
    TaskSet,
};
use model::node::Node;
use model::snapshot::Versioned;
use model::unit::{Face, Unit};
use model::{ClusterId, Scope, ServiceId, Snapshot, TaskDefinitionId};
use records::{Draft, units};
use std::sync::Arc;

/// A resource as it is stored.
pub(super) enum Tagged<'s> {
    Cluster(&'s Versioned<Cluster>),
    Task(&'s Versioned<Unit>),
    TaskDefinition(&'s Versioned<TaskDefinition>),
    CapacityProvider(&'s Versioned<CapacityProvider>),
    Service(&'s Versioned<Service>),
    TaskSet { service: &'s Versioned<Service>, set: &'s Versioned<TaskSet> },
    Instance { cluster: &'s Versioned<Cluster>, node: &'s Node, membership: Arc<Membership> },
}

impl<'s> Tagged<'s> {
    /// The resource of an ARN.
    ///
    /// # Errors
    /// InvalidParameterException for what is no ARN of this account's ECS, for one without its cluster, and for a deleted
    /// cluster or instance; ResourceNotFoundException or ClusterNotFoundException for what there is not.
    pub(super) fn find(snapshot: &'s Snapshot, scope: &Scope, arn: Option<&str>) -> Result<Self, ServiceError> {
        let arn = arn.unwrap_or_default();
        let invalid = || errors::invalid_parameter(format!("Invalid ARN: '{arn:.300}' is no resource of ECS here."));
        let resource = if arn.starts_with("arn:") { arn.splitn(6, ':').nth(5) } else { None };
        let (kind, name) = resource.and_then(|resource| resource.split_once('/')).ok_or_else(invalid)?;
        // Whether it is of this account and region.
        arn::resource(scope, kind, arn).map_err(|_| invalid())?;
        let in_cluster = || match name.split_once('/') {
            Some((cluster, id)) => Ok((ClusterId { scope: scope.clone(), name: cluster.into() }, id)),
            None => Err(errors::invalid_parameter("Long arn format must be used for tagging operations")),
        };
        match kind {
            "cluster" => {
                let id = ClusterId { scope: scope.clone(), name: name.into() };
                active(snapshot.clusters.get(&id).ok_or_else(errors::cluster_not_found)?).map(Tagged::Cluster)
            }
            "task" => {
                let (cluster, id) = in_cluster()?;
                let found = reference::task(snapshot, &cluster, id);
                found.map(Tagged::Task).map_err(|_| not_found(arn))
            }
            "task-definition" => {
                definition(snapshot, scope, name).map(Tagged::TaskDefinition).ok_or_else(|| not_found(arn))
            }
            "container-instance" => {
                let (id, _) = in_cluster()?;
                let cluster = active(snapshot.clusters.get(&id).ok_or_else(errors::cluster_not_found)?)?;
                let node = &instance::find(snapshot, &id, arn).ok_or_else(|| not_found(arn))?.value;
                let membership = snapshot.membership(&id, &node.id);
                Ok(Tagged::Instance { cluster, node, membership })
            }
            "service" => {
                let (cluster, _) = in_cluster()?;
                service::find(snapshot, &cluster, arn).map(Tagged::Service).ok_or_else(|| not_found(arn))
            }
            "task-set" => {
                let (cluster, id) = in_cluster()?;
                task_set(snapshot, &cluster, id).ok_or_else(|| not_found(arn))
            }
            "capacity-provider" => {
                let found = capacity_provider::active(snapshot, scope, name);
                found.map(Tagged::CapacityProvider).map_err(|_| not_found(arn))
            }
            _ => Err(invalid()),
        }
    }

    pub(super) fn tags(&self) -> &Tags {
        match self {
            Tagged::Cluster(cluster) => &cluster.value.tags,
            Tagged::Task(unit) => &task::face(&unit.value).tags,
            Tagged::TaskDefinition(definition) => &definition.value.tags,
            Tagged::CapacityProvider(provider) => &provider.value.tags,
            Tagged::Service(service) => &service.value.tags,
            Tagged::TaskSet { set, .. } => &set.value.tags,
            Tagged::Instance { membership, .. } => &membership.tags,
        }
    }

    /// Adds the replacement of its tags to a draft.
    ///
    /// # Errors
    /// InvalidParameterException for a stopped task, a deleted service or task set and a deregistered instance, which keep what they have.
    pub(super) fn write(&self, snapshot: &Snapshot, draft: &mut Draft, tags: Tags) -> Result<(), ServiceError> {
        match self {
            Tagged::Cluster(seen) => {
                draft.update(&seen.id, seen, &Cluster { tags, ..(*seen.value).clone() });
            }
            Tagged::TaskDefinition(seen) => {
                draft.update(&seen.id, seen, &TaskDefinition { tags, ..(*seen.value).clone() });
            }
            Tagged::CapacityProvider(seen) => {
                let key = (seen.scope.clone(), seen.name.clone());
                draft.update(&key, seen, &CapacityProvider { tags, ..(*seen.value).clone() });
            }
            Tagged::Service(seen) if seen.deleted_at.is_some() => {
                let message = "The specified service is inactive. Specify an active service and try again.";
                return Err(errors::invalid_parameter(message));
            }
            Tagged::Service(seen) => {
                draft.update(&seen.id, seen, &Service { tags, ..(*seen.value).clone() });
            }
            Tagged::TaskSet { set, .. } if set.deleted_at.is_some() => {
                let message = "The specified task set is draining. Specify an active task set and try again.";
                return Err(errors::invalid_parameter(message));
            }
            Tagged::TaskSet { service, set } => {
                let key = (service.id.clone(), set.id.clone());
                draft.update(&key, set, &TaskSet { tags, ..(*set.value).clone() });
            }
            Tagged::Task(seen) if task::is_over(seen) => {
                let message = "The specified task is stopped. Specify a running task and try again.";
                return Err(errors::invalid_parameter(message));
            }
            Tagged::Task(seen) => {
                let face = TaskFace { tags, ..task::face(&seen.value).clone() };
                units::set_face(draft, seen, Face::Ecs(Arc::new(face)));
            }
            Tagged::Instance { membership, .. } if membership.status == MembershipStatus::Inactive => {
                let message =
                    "The specified container instance is inactive. Specify an active container instance and try again.";
                return Err(errors::invalid_parameter(message));
            }
            Tagged::Instance { cluster, node, membership } => {
                let key = (cluster.id.clone(), node.id.clone());
                draft.expect(&cluster.id, cluster);
                let next = Membership { tags, ..(**membership).clone() };
                draft.upsert(&key, snapshot.memberships.get(&key), &next);
            }
        }
        Ok(())
    }
}

fn active(cluster: &Versioned<Cluster>) -> Result<&Versioned<Cluster>, ServiceError> {
    match cluster.status {
        ClusterStatus::Active => Ok(cluster),
        ClusterStatus::Inactive => Err(errors::invalid_parameter(
            "The specified cluster is inactive. Specify an active cluster and try again.",
        )),
    }
}

/// Of `service/ecs-svc/number`.
fn task_set<'s>(snapshot: &'s Snapshot, cluster: &ClusterId, name: &str) -> Option<Tagged<'s>> {
    let (name, id) = name.split_once('/')?;
    let service = snapshot.services.get(&ServiceId { cluster: cluster.clone(), name: name.into() })?;
    let set = service::task_sets::find(snapshot, service, id)?;
    Some(Tagged::TaskSet { service, set })
}

/// Of `family:revision`, whatever its status; a family alone names no resource.
fn definition<'s>(snapshot: &'s Snapshot, scope: &Scope, name: &str) -> Option<&'s Versioned<TaskDefinition>> {
    let (family, revision) = name.split_once(':')?;
    let id = TaskDefinitionId { scope: scope.clone(), family: family.into(), revision: revision.parse().ok()? };
    snapshot.task_definitions.get(&id)
}

fn not_found(arn: &str) -> ServiceError {
    ServiceError::of(&shapes::RESOURCE_NOT_FOUND, format!("The specified resource was not found: {arn:.300}"))
}
