//! UpdateService: what is wanted of a service from now on; a new deployment where what it runs is to be another.

#[cfg(test)]
mod tests;

use super::run_task::{placing, request};
use super::service::{self, configuration, parameters, show};
use super::task::{Tags, reference};
use super::{capacity, commit, errors, service_admission};
use crate::context::Context;
use crate::ids;
use aws_api::ecs::{UpdateServiceInput, UpdateServiceOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::service::Controller;
use model::ecs::{Cluster, LaunchType, Service, ServiceRevision};
use records::Draft;

pub(crate) async fn update_service(
    context: Context,
    input: UpdateServiceInput,
) -> Result<UpdateServiceOutput, ServiceError> {
    check(&input)?;
    let (updated, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let seen = service::active(snapshot, &cluster.id, input.service.as_deref())?;
        refuse_controller(seen, &input)?;
        let revision = match seen.controller {
            Controller::External => None,
            Controller::Ecs | Controller::CodeDeploy => Some(next(&context, snapshot, cluster, seen, &input)?),
        };
        let launch_type = revision.as_ref().map(|next| next.revision.launch_type);
        let mut updated = settings(seen, launch_type, &input)?;
        if let Some(next) = &revision {
            next.check(snapshot, seen, &updated)?;
            if next.deploys {
                next.write(snapshot, &mut updated, draft)?;
            }
        }
        if updated != *seen.value {
            draft.update(&seen.id, seen, &updated);
        }
        Ok(updated)
    })
    .await?;
    Ok(UpdateServiceOutput { service: Some(show::service(&snapshot, &updated, Tags::Shown)) })
}

/// What can be said without looking anything up.
fn check(input: &UpdateServiceInput) -> Result<(), ServiceError> {
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
    ])
}

/// The controller stays, and with an external one it is its task sets that say what runs.
fn refuse_controller(seen: &Service, input: &UpdateServiceInput) -> Result<(), ServiceError> {
    let given = input.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_deref());
    if given.is_some_and(|given| service::value::<Controller>(given) != Some(seen.controller)) {
        return Err(errors::invalid_parameter("The deployment controller of a service cannot be changed."));
    }
    if seen.controller == Controller::Ecs {
        return Ok(());
    }
    let given = [
        (input.task_definition.is_some(), "task definition"),
        (input.capacity_provider_strategy.is_some(), "capacity provider strategy"),
        (input.network_configuration.is_some(), "network parameters"),
        (input.platform_version.is_some(), "platform version"),
    ];
    if let Some((_, what)) = given.iter().find(|(given, _)| *given) {
        return Err(errors::invalid_parameter(format!(
            "Unable to update {what} on services with an EXTERNAL deployment controller. Use CreateTaskSet for a new \
             deployment."
        )));
    }
    if input.force_new_deployment == Some(true) {
        return Err(errors::invalid_parameter(
            "Cannot force a new deployment when using an EXTERNAL deployment controller.",
        ));
    }
    Ok(())
}

/// The service with all in it that takes effect without a deployment.
fn settings(
    seen: &Service,
    launch_type: Option<LaunchType>,
    input: &UpdateServiceInput,
) -> Result<Service, ServiceError> {
    let mut updated = seen.clone();
    if let Some(count) = parameters::desired_count(input.desired_count, seen.scheduling)? {
        updated.desired_count = count;
    }
    if let Some(given) = &input.deployment_configuration {
        updated.configuration = configuration::merge(&seen.configuration, given, seen.controller, seen.scheduling)?;
    }
    let (constraints, strategy) = placing::read(
        launch_type.unwrap_or(LaunchType::Ec2),
        input.placement_constraints.as_deref().unwrap_or_default(),
        input.placement_strategy.as_deref().unwrap_or_default(),
    )?;
    if input.placement_constraints.is_some() {
        updated.constraints = constraints;
    }
    if input.placement_strategy.is_some() {
        updated.strategy = strategy;
    }
    parameters::placement(updated.scheduling, launch_type, &updated.constraints, &updated.strategy)?;
    updated.health_check_grace_s =
        parameters::grace_s(input.health_check_grace_period_seconds)?.or(seen.health_check_grace_s);
    updated.propagate_tags = input.propagate_tags.as_deref().and_then(service::value).or(seen.propagate_tags);
    updated.enable_managed_tags = input.enable_ecs_managed_tags.unwrap_or(seen.enable_managed_tags);
    updated.enable_execute_command = input.enable_execute_command.unwrap_or(seen.enable_execute_command);
    if let Some(given) = input.availability_zone_rebalancing.as_deref() {
        updated.zone_rebalancing = given == "ENABLED";
    }
    parameters::check_rebalancing(&updated, launch_type)?;
    Ok(updated)
}

/// What the service is to run.
struct Next {
    revision: ServiceRevision,
    /// It is another one than before, or to be brought out as if it were.
    deploys: bool,
}

impl Next {
    /// Whether its tasks could be made; nothing is asked anew where nothing changes.
    fn check(&self, snapshot: &Snapshot, seen: &Service, updated: &Service) -> Result<(), ServiceError> {
        if !self.deploys && seen.constraints == updated.constraints {
            return Ok(());
        }
        let definition = snapshot.task_definitions.get(&self.revision.task_definition);
        let definition = definition.ok_or_else(|| errors::client("TaskDefinition not found."))?;
        service_admission::check(snapshot, updated, &self.revision, definition)
    }

    /// Adds the revision and the deployment to it, decided on how far the scheduler has come.
    fn write(&self, snapshot: &Snapshot, updated: &mut Service, draft: &mut Draft) -> Result<(), ServiceError> {
        let id = updated.id.clone();
        let source = service::running_revisions(snapshot, updated);
        let target = self.revision.number.clone();
        let deployment = service::deployment(updated, source, target, self.revision.created_at);
        updated.deployment = Some(deployment.id.clone());
        draft.create(&(id.clone(), self.revision.number.clone()), &self.revision);
        draft.create(&(id.clone(), deployment.id.clone()), &deployment);
        match snapshot.service_states.get(&id) {
            Some(state) => draft.expect(&id, state),
            None => draft.expect_absent::<model::ecs::ServiceState>(&id),
        };
        if let Some(definition) = snapshot.task_definitions.get(&self.revision.task_definition) {
            draft.expect(&definition.id, definition);
        }
        service::keep_providers(snapshot, draft, &self.revision)
    }
}

/// The revision that stands for the service, with what the request says in it.
fn next(
    context: &Context,
    snapshot: &Snapshot,
    cluster: &Cluster,
    seen: &Service,
    input: &UpdateServiceInput,
) -> Result<Next, ServiceError> {
    let base = service::revision(snapshot, seen);
    let base = base.ok_or_else(|| errors::server("The revision that the service runs is not there. Make it anew."))?;
    let force = input.force_new_deployment == Some(true);
    let mut revision = ServiceRevision {
        number: ids::digits(19).into(),
        created_at: context.now(),
        images: Vec::new(),
        ..(*base.value).clone()
    };
    if let Some(reference) = &input.task_definition {
        revision.task_definition = request::definition(snapshot, context.scope(), Some(reference))?.id.clone();
    }
    if let Some(given) = &input.capacity_provider_strategy {
        place(&mut revision, cluster, given)?;
        if revision.capacity != base.capacity && !force {
            return Err(errors::invalid_parameter(
                "When switching from launch type to capacity provider strategy on an existing service, or making a change to \
                 a capacity provider strategy on a service that is already using one, you must force a new deployment.",
            ));
        }
        parameters::scheduling(seen.scheduling, revision.launch_type, !revision.capacity.is_empty())?;
    }
    if input.platform_version.is_some() {
        revision.platform_version = input.platform_version.clone();
    }
    if input.network_configuration.is_some() {
        revision.network = parameters::network(input.network_configuration.as_ref());
    }
    let deploys = force || !service::is_same_workload(base, &revision);
    Ok(Next { revision, deploys })
}

/// A strategy takes the place of a launch type; an empty one gives back the launch type of the same kind.
fn place(
    revision: &mut ServiceRevision,
    cluster: &Cluster,
    given: &[aws_api::ecs::CapacityProviderStrategyItem],
) -> Result<(), ServiceError> {
    if given.is_empty() {
        revision.capacity = Vec::new();
        return Ok(());
    }
    let choice = capacity::choose(cluster, None, Some(given))?;
    (revision.launch_type, revision.capacity) = (choice.launch_type, choice.strategy);
    if revision.launch_type != LaunchType::Fargate {
        revision.platform_version = None;
    }
    Ok(())
}
