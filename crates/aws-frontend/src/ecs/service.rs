//! What the operations on services share: how one is found, how far it is from its end, what it runs; no operation.

pub(super) mod configuration;
mod counts;
mod deployments;
pub(super) mod parameters;
pub(super) mod rollout;
pub(super) mod show;
pub(super) mod task_sets;
#[cfg(test)]
mod tests;
pub(super) mod token;

use super::{arn, capacity, errors};
use crate::ids;
use aws_protocol::ServiceError;
use model::ecs::service::Controller;
use model::ecs::{Deployment, Service, ServiceRevision, ServiceState};
use model::snapshot::Versioned;
use model::{ClusterId, ServiceId, Snapshot, Timestamp};
use records::Draft;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// ECS API, Service `status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Active,
    /// Deleted, and some of its tasks are not over.
    Draining,
    /// Deleted and without tasks. Its name is free.
    Inactive,
}

pub(super) fn status(snapshot: &Snapshot, service: &Service) -> Status {
    if service.deleted_at.is_none() {
        return Status::Active;
    }
    let has_ended = state(snapshot, service).is_some_and(|state| state.inactive_since.is_some());
    let mut units = snapshot.units_of_service(&service.id);
    let holds = units.any(|unit| unit.owner.as_ref().is_some_and(|o| *o.uid() == service.uid) && !unit.is_over());
    if has_ended || !holds { Status::Inactive } else { Status::Draining }
}

/// The service of a name or an ARN, of the new form or the old one without a cluster.
pub(super) fn find<'s>(snapshot: &'s Snapshot, cluster: &ClusterId, reference: &str) -> Option<&'s Versioned<Service>> {
    let name = arn::resource(&cluster.scope, "service", reference).ok()?;
    let name = match name.split_once('/') {
        Some((of_cluster, name)) => (of_cluster == &*cluster.name).then_some(name)?,
        None => name,
    };
    snapshot.services.get(&ServiceId { cluster: cluster.clone(), name: name.into() })
}

/// The active service that a request names.
///
/// # Errors
/// InvalidParameterException for no name, ServiceNotFoundException, ServiceNotActiveException for a deleted one.
pub(super) fn active<'s>(
    snapshot: &'s Snapshot,
    cluster: &ClusterId,
    reference: Option<&str>,
) -> Result<&'s Versioned<Service>, ServiceError> {
    let service = named(snapshot, cluster, reference)?;
    if service.deleted_at.is_some() { Err(errors::service_not_active()) } else { Ok(service) }
}

/// The service that a request names, whatever its status.
///
/// # Errors
/// InvalidParameterException for no name, ServiceNotFoundException.
pub(super) fn named<'s>(
    snapshot: &'s Snapshot,
    cluster: &ClusterId,
    reference: Option<&str>,
) -> Result<&'s Versioned<Service>, ServiceError> {
    let reference = reference.filter(|reference| !reference.is_empty());
    let reference = reference.ok_or_else(|| errors::invalid_parameter("Service can not be blank."))?;
    find(snapshot, cluster, reference).ok_or_else(errors::service_not_found)
}

/// The services of a cluster, deleted ones too, in the order of their names.
pub(super) fn of_cluster<'s>(
    snapshot: &'s Snapshot,
    cluster: &'s ClusterId,
) -> impl Iterator<Item = &'s Versioned<Service>> + 's {
    let from = ServiceId { cluster: cluster.clone(), name: "".into() };
    snapshot.services.range(from..).take_while(move |(id, _)| id.cluster == *cluster).map(|(_, service)| service)
}

/// How far its scheduler has come; None before it has begun.
pub(super) fn state<'s>(snapshot: &'s Snapshot, service: &Service) -> Option<&'s ServiceState> {
    let state = snapshot.service_states.get(&service.id)?;
    (state.service_uid == service.uid).then_some(&*state.value)
}

/// The newest deployment, if its scheduler has not taken it up.
pub(super) fn upcoming<'s>(snapshot: &'s Snapshot, service: &Service) -> Option<&'s Deployment> {
    let key = (service.id.clone(), service.deployment.clone()?);
    let is_taken_up = snapshot.deployment_states.contains_key(&key);
    snapshot.deployments.get(&key).filter(|_| !is_taken_up).map(|deployment| &*deployment.value)
}

/// The revision that stands for the service: what it is to become, or after a rollback has become again.
pub(super) fn revision<'s>(snapshot: &'s Snapshot, service: &Service) -> Option<&'s Versioned<ServiceRevision>> {
    let number = match service.controller {
        Controller::External => {
            let set = service.primary_task_set.clone()?;
            snapshot.task_sets.get(&(service.id.clone(), set))?.value.revision.clone()
        }
        Controller::Ecs | Controller::CodeDeploy => match upcoming(snapshot, service) {
            Some(deployment) => deployment.target.clone(),
            None => reached(snapshot, service)?,
        },
    };
    snapshot.service_revisions.get(&(service.id.clone(), number))
}

/// Where its scheduler is; of a service that is over, where it last was.
fn reached(snapshot: &Snapshot, service: &Service) -> Option<Arc<str>> {
    let state = state(snapshot, service)?;
    let last = state.primary().map(|set| set.revision.clone()).or_else(|| state.completed.clone());
    last.or_else(|| {
        let key = (service.id.clone(), service.deployment.clone()?);
        Some(snapshot.deployments.get(&key)?.target.clone())
    })
}

/// Revisions that it runs now, each once.
pub(super) fn running_revisions(snapshot: &Snapshot, service: &Service) -> Vec<Arc<str>> {
    let mut revisions = Vec::new();
    for set in state(snapshot, service).into_iter().flat_map(|state| &state.sets) {
        if !revisions.contains(&set.revision) {
            revisions.push(set.revision.clone());
        }
    }
    revisions
}

/// Whether two revisions are the same for whoever asked for them.
pub(super) fn is_same_workload(one: &ServiceRevision, other: &ServiceRevision) -> bool {
    let other = ServiceRevision {
        number: one.number.clone(),
        service_uid: one.service_uid.clone(),
        created_at: one.created_at,
        images: one.images.clone(),
        ..other.clone()
    };
    *one == other
}

/// Adds that the providers of a revision stay.
pub(super) fn keep_providers(
    snapshot: &Snapshot,
    draft: &mut Draft,
    revision: &ServiceRevision,
) -> Result<(), ServiceError> {
    let names: Vec<String> = revision.capacity.iter().map(|item| item.provider.clone()).collect();
    capacity::keep(snapshot, draft, &revision.service.cluster.scope, &names)
}

/// A wish to get a service to a revision, in a set of its own.
pub(super) fn deployment(
    service: &Service,
    source: Vec<Arc<str>>,
    target: Arc<str>,
    created_at: Timestamp,
) -> Deployment {
    Deployment {
        service: service.id.clone(),
        id: ids::alphanumeric(21).into(),
        service_uid: service.uid.clone(),
        created_at,
        set: format!("ecs-svc/{}", ids::digits(19)).into(),
        source,
        target,
        configuration: service.configuration.clone(),
        stop: None,
        answers: Vec::new(),
    }
}

/// ECS's word for a value that the records spell as ECS does.
pub(super) fn word(value: impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Some(word),
        _ => None,
    }
}

/// The value that ECS calls so; None for a word that it does not have.
pub(super) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}
