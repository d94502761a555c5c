//! CreateTaskSet: a set of tasks with a revision of its own, for a service whose deployments are an external controller's.

#[cfg(test)]
mod tests;

use super::run_task::request;
use super::service::token::Token;
use super::service::{self, parameters, task_sets};
use super::task::{Tags, reference};
use super::{capacity, commit, errors, service_admission, tags};
use crate::context::Context;
use crate::ids;
use aws_api::ecs::{CreateTaskSetInput, CreateTaskSetOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::{Cluster, Service, ServiceRevision, TaskDefinition, TaskSet};
use model::snapshot::Versioned;
use std::sync::Arc;

/// Of one service, those that drain too.
const TASK_SETS_MAX: usize = 5;

pub(crate) async fn create_task_set(
    context: Context,
    input: CreateTaskSetInput,
) -> Result<CreateTaskSetOutput, ServiceError> {
    check(&input)?;
    let call = CreateTaskSetInput { client_token: None, cluster: None, service: None, ..input.clone() };
    let token = Token::read(input.client_token.as_deref(), &call)?;
    let ((service, set), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let service = task_sets::service(snapshot, &cluster.id, input.service.as_deref())?;
        if let Some(token) = &token
            && let Some(first) = first_call(snapshot, service, token)?
        {
            return Ok((service.value.clone(), first));
        }
        refuse_many(snapshot, service)?;
        let definition = request::definition(snapshot, context.scope(), input.task_definition.as_deref())?;
        let revision = revision(&context, cluster, service, definition, &input)?;
        parameters::placement(service.scheduling, Some(revision.launch_type), &service.constraints, &service.strategy)?;
        service_admission::check(snapshot, service, &revision, definition)?;
        let set = task_set(service, &revision, token.as_ref(), &input)?;
        draft.create(&(service.id.clone(), revision.number.clone()), &revision);
        draft.create(&(service.id.clone(), set.id.clone()), &set);
        draft.expect(&definition.id, definition);
        // Neither is it deleted meanwhile, nor does another call make one too many.
        draft.update(&service.id, service, &*service.value);
        service::keep_providers(snapshot, draft, &revision)?;
        Ok((service.value.clone(), set))
    })
    .await?;
    Ok(CreateTaskSetOutput { task_set: Some(task_sets::one(&snapshot, &service, &set, Tags::Shown)) })
}

/// What can be said without looking anything up.
fn check(input: &CreateTaskSetInput) -> Result<(), ServiceError> {
    if let Some(violation) = aws_protocol::validate(input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    parameters::refuse_unbuilt(&[
        (parameters::some_of(&input.load_balancers), parameters::LOAD_BALANCERS),
        (parameters::some_of(&input.service_registries), parameters::SERVICE_REGISTRIES),
    ])
}

/// What the call with this token made before.
///
/// # Errors
/// InvalidParameterException if it asked for something else.
fn first_call(snapshot: &Snapshot, service: &Service, token: &Token) -> Result<Option<TaskSet>, ServiceError> {
    for set in task_sets::of_service(snapshot, service) {
        match token.agrees(set.client_token.as_ref()) {
            Some(true) => return Ok(Some((*set.value).clone())),
            Some(false) => return Err(errors::not_idempotent("task set")),
            None => {}
        }
    }
    Ok(None)
}

fn refuse_many(snapshot: &Snapshot, service: &Service) -> Result<(), ServiceError> {
    let count = task_sets::of_service(snapshot, service).count();
    if count < TASK_SETS_MAX {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!(
        "{count} deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit."
    )))
}

/// What the set's tasks are made of.
fn revision(
    context: &Context,
    cluster: &Cluster,
    service: &Service,
    definition: &Versioned<TaskDefinition>,
    input: &CreateTaskSetInput,
) -> Result<ServiceRevision, ServiceError> {
    let strategy = input.capacity_provider_strategy.as_deref();
    let capacity = capacity::choose(cluster, input.launch_type.as_deref(), strategy)?;
    Ok(ServiceRevision {
        service: service.id.clone(),
        number: ids::digits(19).into(),
        service_uid: service.uid.clone(),
        created_at: context.now(),
        task_definition: definition.id.clone(),
        launch_type: capacity.launch_type,
        capacity: capacity.strategy,
        platform_version: input.platform_version.clone(),
        network: parameters::network(input.network_configuration.as_ref()),
        images: Vec::new(),
    })
}

fn task_set(
    service: &Service,
    revision: &ServiceRevision,
    token: Option<&Token>,
    input: &CreateTaskSetInput,
) -> Result<TaskSet, ServiceError> {
    Ok(TaskSet {
        service: service.id.clone(),
        id: Arc::from(format!("ecs-svc/{}", ids::digits(19))),
        service_uid: service.uid.clone(),
        revision: revision.number.clone(),
        created_at: revision.created_at,
        updated_at: revision.created_at,
        external_id: input.external_id.clone(),
        scale_bp: task_sets::scale_bp(input.scale.as_ref())?,
        tags: tags::convert(input.tags.as_deref().unwrap_or_default())?,
        client_token: token.map(Token::record),
        deleted_at: None,
    })
}
