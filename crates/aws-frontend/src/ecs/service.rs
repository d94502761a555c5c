//! What the operations on services share: how one is found, how far it is from its end, what it runs; no operation.

pub(super) mod configuration;
mod counts;
mod deployments;
pub(super) mod parameters;
pub(super) mod show;
mod task_sets;

use super::arn;
use crate::ids;
use model::ecs::service::Controller;
use model::ecs::{Deployment, Service, ServiceRevision, ServiceState};
use model::snapshot::Versioned;
use model::{ClusterId, ServiceId, Snapshot, Timestamp};
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
            None => state(snapshot, service)?.primary()?.revision.clone(),
        },
    };
    snapshot.service_revisions.get(&(service.id.clone(), number))
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
fn word(value: impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Some(word),
        _ => None,
    }
}

/// The value that ECS calls so; None for a word that it does not have.
pub(super) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}
