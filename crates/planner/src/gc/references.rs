//! What still needs a task definition that is to be deleted (ECS API, DeleteTaskDefinitions): tasks that are not over, and
//! services that have not ended, for every revision of theirs that they run or may go back to.

use model::ecs::{Deployment, Service, ServiceState};
use model::snapshot::Versioned;
use model::{ServiceId, Snapshot, TaskDefinitionId};
use std::sync::Arc;

pub(super) fn exist(snapshot: &Snapshot, definition: &TaskDefinitionId) -> bool {
    snapshot.definition_uses(definition) > 0
        || snapshot.services.iter().any(|(id, service)| needs(snapshot, id, service, definition))
}

fn needs(snapshot: &Snapshot, id: &ServiceId, service: &Service, definition: &TaskDefinitionId) -> bool {
    // The state of a former service of the name says nothing of this one.
    let state = snapshot.service_states.get(id).filter(|state| state.service_uid == service.uid);
    if state.is_some_and(|state| state.inactive_since.is_some()) {
        return false;
    }
    let is_of_definition = |number: &Arc<str>| {
        let revision = snapshot.service_revisions.get(&(id.clone(), number.clone()));
        revision.is_some_and(|revision| revision.task_definition == *definition)
    };
    under_way(snapshot, id, service).is_some_and(|deployment| is_of_definition(&deployment.target))
        || state.is_some_and(|state| kept(state).any(is_of_definition))
        || task_sets(snapshot, id).any(is_of_definition)
}

/// The newest deployment, unless it has ended: what its end has left is in the service's state.
fn under_way<'a>(snapshot: &'a Snapshot, id: &ServiceId, service: &Service) -> Option<&'a Versioned<Deployment>> {
    let key = (id.clone(), service.deployment.clone()?);
    let ended = snapshot.deployment_states.get(&key).is_some_and(|state| state.status.is_final());
    snapshot.deployments.get(&key).filter(|_| !ended)
}

/// The revisions that run, and the one that a rollback goes to.
fn kept(state: &Versioned<ServiceState>) -> impl Iterator<Item = &Arc<str>> {
    state.value.sets.iter().map(|set| &set.revision).chain(&state.value.completed)
}

fn task_sets<'a>(snapshot: &'a Snapshot, id: &'a ServiceId) -> impl Iterator<Item = &'a Arc<str>> {
    let from = (id.clone(), Arc::from(""));
    let of_service = snapshot.task_sets.range(from..).take_while(move |((of, _), _)| of == id);
    of_service.map(|(_, set)| &set.value.revision)
}
