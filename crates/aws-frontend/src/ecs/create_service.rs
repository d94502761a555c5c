//! CreateService: a service with its first revision and deployment in one commit; its scheduler does the rest.

mod same;
#[cfg(test)]
mod tests;

use super::run_task::{placing, request};
use super::service::token::Token;
use super::service::{self, Status, configuration, parameters, show};
use super::task::{Tags, reference};
use super::{capacity, commit, errors, service_admission, tags};
use crate::context::Context;
use crate::ids;
use aws_api::ecs::{CreateServiceInput, CreateServiceOutput};
use aws_protocol::ServiceError;
use model::ecs::service::{Controller, PropagateTags, SchedulingStrategy};
use model::ecs::{Cluster, Deployment, LaunchType, Service, ServiceRevision, TaskDefinition};
use model::snapshot::Versioned;
use model::{ServiceId, Snapshot};
use records::Draft;
use std::sync::Arc;

pub(crate) async fn create_service(
    context: Context,
    input: CreateServiceInput,
) -> Result<CreateServiceOutput, ServiceError> {
    check(&input)?;
    let call = CreateServiceInput { client_token: None, cluster: None, ..input.clone() };
    let token = Token::read(input.client_token.as_deref(), &call)?;
    let (created, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let made = Made::new(&context, snapshot, cluster, &input, token.as_ref())?;
        if let Some(token) = &token {
            refuse_other_names(snapshot, &made.service.id, token)?;
        }
        let seen = snapshot.services.get(&made.service.id);
        match seen.map(|seen| (seen, service::status(snapshot, seen))) {
            Some((existing, Status::Active)) => {
                same::check(snapshot, existing, &made, token.as_ref())?;
                Ok((*existing.value).clone())
            }
            Some((_, Status::Draining)) => {
                Err(errors::invalid_parameter("Unable to Start a service that is still Draining."))
            }
            Some((_, Status::Inactive)) | None => {
                made.write(snapshot, seen, draft)?;
                draft.expect(&cluster.id, cluster);
                Ok(made.service)
            }
        }
    })
    .await?;
    Ok(CreateServiceOutput { service: Some(show::service(&snapshot, &created, Tags::Shown)) })
}

/// # Errors
/// InvalidParameterException if a service of another name was made with the token.
fn refuse_other_names(snapshot: &Snapshot, id: &ServiceId, token: &Token) -> Result<(), ServiceError> {
    let of_cluster = service::of_cluster(snapshot, &id.cluster);
    let mut others = of_cluster.filter(|other| other.id != *id && other.deleted_at.is_none());
    match others.any(|other| token.agrees(other.client_token.as_ref()).is_some()) {
        true => Err(errors::not_idempotent("service")),
        false => Ok(()),
    }
}

/// What can be said without looking anything up.
fn check(input: &CreateServiceInput) -> Result<(), ServiceError> {
    if let Some(violation) = aws_protocol::validate(input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    parameters::refuse_unbuilt(&[
        (parameters::some_of(&input.load_balancers), parameters::LOAD_BALANCERS),
        (parameters::some_of(&input.service_registries), parameters::SERVICE_REGISTRIES),
        (parameters::connects(&input.service_connect_configuration), parameters::SERVICE_CONNECT),
        (parameters::some_of(&input.volume_configurations), parameters::VOLUMES),
        (parameters::some_of(&input.vpc_lattice_configurations), parameters::LATTICE),
        (parameters::some_of(&input.gateway_connectors), parameters::GATEWAYS),
        (parameters::monitors(&input.monitoring), parameters::MONITORING),
    ])?;
    if controller(input) == Controller::CodeDeploy {
        return Err(errors::client(
            "The deployment controller CODE_DEPLOY is not supported: Bayplan has no CodeDeploy. Use ECS or EXTERNAL.",
        ));
    }
    Ok(())
}

fn controller(input: &CreateServiceInput) -> Controller {
    let given = input.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_deref());
    given.and_then(service::value).unwrap_or(Controller::Ecs)
}

/// A service that could be stored.
struct Made<'s> {
    service: Service,
    /// None where task sets say what runs.
    first: Option<First<'s>>,
}

/// The service's first revision, and how to get to it.
struct First<'s> {
    revision: ServiceRevision,
    deployment: Deployment,
    definition: &'s Versioned<TaskDefinition>,
}

impl<'s> Made<'s> {
    fn new(
        context: &Context,
        snapshot: &'s Snapshot,
        cluster: &Cluster,
        input: &CreateServiceInput,
        token: Option<&Token>,
    ) -> Result<Self, ServiceError> {
        let mut service = bare(context, cluster, input, token)?;
        let first = match service.controller {
            Controller::External => {
                refuse_of_task_sets(input)?;
                None
            }
            Controller::Ecs | Controller::CodeDeploy => Some(first(context, snapshot, cluster, input, &service)?),
        };
        let launch_type = first.as_ref().map(|first| first.revision.launch_type);
        place(&mut service, launch_type, input)?;
        if let Some(first) = &first {
            service_admission::check(snapshot, &service, &first.revision, first.definition)?;
            service.deployment = Some(first.deployment.id.clone());
        }
        Ok(Self { service, first })
    }

    fn write(
        &self,
        snapshot: &Snapshot,
        seen: Option<&Versioned<Service>>,
        draft: &mut Draft,
    ) -> Result<(), ServiceError> {
        draft.upsert(&self.service.id, seen, &self.service);
        if let Some(First { revision, deployment, definition }) = &self.first {
            draft.create(&(revision.service.clone(), revision.number.clone()), revision);
            draft.create(&(deployment.service.clone(), deployment.id.clone()), deployment);
            draft.expect(&definition.id, definition);
            service::keep_providers(snapshot, draft, revision)?;
        }
        Ok(())
    }
}

/// What of a service has nothing to do with what it runs, and where.
fn bare(
    context: &Context,
    cluster: &Cluster,
    input: &CreateServiceInput,
    token: Option<&Token>,
) -> Result<Service, ServiceError> {
    let controller = controller(input);
    let scheduling =
        input.scheduling_strategy.as_deref().and_then(service::value).unwrap_or(SchedulingStrategy::Replica);
    if controller == Controller::External && scheduling == SchedulingStrategy::Daemon {
        let message = "The EXTERNAL deployment controller does not support the daemon scheduling strategy.";
        return Err(errors::invalid_parameter(message));
    }
    let desired_count = parameters::desired_count(input.desired_count, scheduling)?;
    if desired_count.is_none() && scheduling == SchedulingStrategy::Replica && controller == Controller::Ecs {
        let message = "desiredCount is required for a service with the scheduling strategy REPLICA.";
        return Err(errors::invalid_parameter(message));
    }
    let base = configuration::default(scheduling);
    let given = input.deployment_configuration.clone().unwrap_or_default();
    Ok(Service {
        id: ServiceId { cluster: cluster.id.clone(), name: parameters::name(input.service_name.as_deref())?.into() },
        uid: ids::hex(16).into(),
        created_at: context.now(),
        created_by: context.caller.arn.to_string(),
        controller,
        scheduling,
        desired_count: desired_count.unwrap_or(0),
        configuration: configuration::merge(&base, &given, controller, scheduling)?,
        constraints: Vec::new(),
        strategy: Vec::new(),
        health_check_grace_s: parameters::grace_s(input.health_check_grace_period_seconds)?,
        propagate_tags: input.propagate_tags.as_deref().and_then(service::value::<PropagateTags>),
        enable_managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        zone_rebalancing: false,
        tags: tags::convert(input.tags.as_deref().unwrap_or_default())?,
        role: input.role.as_deref().filter(|role| !role.is_empty()).map(|role| role_arn(context, role)),
        deployment: None,
        primary_task_set: None,
        client_token: token.map(Token::record),
        deleted_at: None,
    })
}

/// A role may be given by its name.
fn role_arn(context: &Context, role: &str) -> String {
    if role.starts_with("arn:") {
        return role.to_owned();
    }
    format!("arn:aws:iam::{}:role/{}", context.scope().account, role.trim_start_matches('/'))
}

/// Adds how the tasks are placed, which depends on where they may run.
fn place(
    service: &mut Service,
    launch_type: Option<LaunchType>,
    input: &CreateServiceInput,
) -> Result<(), ServiceError> {
    let (constraints, strategy) = placing::read(
        launch_type.unwrap_or(LaunchType::Ec2),
        input.placement_constraints.as_deref().unwrap_or_default(),
        input.placement_strategy.as_deref().unwrap_or_default(),
    )?;
    parameters::placement(service.scheduling, launch_type, &constraints, &strategy)?;
    (service.constraints, service.strategy) = (constraints, strategy);
    let may = parameters::no_rebalancing(
        service.controller,
        service.scheduling,
        launch_type,
        &service.configuration,
        &service.constraints,
        &service.strategy,
    );
    service.zone_rebalancing = match input.availability_zone_rebalancing.as_deref() {
        Some(given) => given == "ENABLED",
        None => may.is_none(),
    };
    parameters::check_rebalancing(service, launch_type)
}

/// ECS API, CreateService: what an external controller says with each task set.
fn refuse_of_task_sets(input: &CreateServiceInput) -> Result<(), ServiceError> {
    let given = [
        (input.task_definition.is_some(), "taskDefinition"),
        (input.launch_type.is_some(), "launchType"),
        (parameters::some_of(&input.capacity_provider_strategy), "capacityProviderStrategy"),
        (input.platform_version.is_some(), "platformVersion"),
        (input.network_configuration.is_some(), "networkConfiguration"),
    ];
    match given.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(errors::invalid_parameter(format!(
            "{name} cannot be specified for a service with an EXTERNAL deployment controller. Specify it with CreateTaskSet."
        ))),
        None => Ok(()),
    }
}

fn first<'s>(
    context: &Context,
    snapshot: &'s Snapshot,
    cluster: &Cluster,
    input: &CreateServiceInput,
    service: &Service,
) -> Result<First<'s>, ServiceError> {
    let definition = request::definition(snapshot, context.scope(), input.task_definition.as_deref())?;
    let strategy = input.capacity_provider_strategy.as_deref();
    let capacity = capacity::choose(cluster, input.launch_type.as_deref(), strategy)?;
    parameters::scheduling(service.scheduling, capacity.launch_type, !capacity.strategy.is_empty())?;
    let number: Arc<str> = ids::digits(19).into();
    let revision = ServiceRevision {
        service: service.id.clone(),
        number: number.clone(),
        service_uid: service.uid.clone(),
        created_at: service.created_at,
        task_definition: definition.id.clone(),
        launch_type: capacity.launch_type,
        capacity: capacity.strategy,
        platform_version: input.platform_version.clone(),
        network: parameters::network(input.network_configuration.as_ref()),
        images: Vec::new(),
    };
    let deployment = service::deployment(service, Vec::new(), number, service.created_at);
    Ok(First { revision, deployment, definition })
}
