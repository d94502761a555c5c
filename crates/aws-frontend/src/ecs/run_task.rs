//! RunTask: check a call, store its tasks in one commit, wait until each has a node or none.

pub(super) mod outcome;
pub(super) mod placing;
pub(super) mod request;
#[cfg(test)]
mod tests;
mod token;

use super::intake::{Admission, Place, Wish};
use super::task::reference;
use super::{capacity, capacity_provider, errors};
use crate::context::Context;
use aws_api::ecs::{RunTaskInput, RunTaskOutput};
use aws_protocol::ServiceError;
use capacity::Choice;
use model::ecs::capacity as provider;
use model::ecs::{Cluster, LaunchType, MembershipStatus, StrategyItem, TaskDefinition};
use model::snapshot::Versioned;
use model::unit::Unit;
use model::{ClusterId, Snapshot, UnitName};
use records::units::Intake;
use records::{CommitError, Draft};
use token::Token;

/// ECS API.
const COUNT_MAX: i32 = 10;
/// Attempts to commit; each one means that something which the call was decided on has changed in between.
const ATTEMPTS: usize = 32;

pub(crate) async fn run_task(context: Context, input: RunTaskInput) -> Result<RunTaskOutput, ServiceError> {
    let count = check(&input)?;
    for _ in 0..ATTEMPTS {
        let snapshot = context.records().current();
        let cluster = reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?;
        let token = Token::read(&cluster.id, &input)?;
        if let Some(names) = token.as_ref().map(|token| token.first_call(&snapshot)).transpose()?.flatten() {
            match repeat(&context, &names).await? {
                Some(answer) => return Ok(answer),
                None => continue,
            }
        }
        let definition = request::definition(&snapshot, context.scope(), input.task_definition.as_deref())?;
        let (admission, units) = plan(&context, &snapshot, cluster, definition, &input, count)?;
        let names: Vec<UnitName> = units.iter().map(|unit| unit.name.clone()).collect();
        let mut draft = draft(&admission, &units, cluster, definition);
        if let Some(token) = &token {
            token.record(&snapshot, &names, context.now(), &mut draft);
        }
        let touched = context.records().touched();
        match context.records().commit(draft).await {
            Ok(_) => {
                let answer = outcome::settle(context.records(), touched, names).await?;
                return Ok(RunTaskOutput { tasks: Some(answer.tasks), failures: Some(answer.failures) });
            }
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::store(CommitError::Conflict))
}

/// What can be said without looking anything up; the number of tasks.
fn check(input: &RunTaskInput) -> Result<usize, ServiceError> {
    if let Some(violation) = aws_protocol::validate(input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let count = input.count.unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(errors::invalid_parameter(format!("count must be between 1 and {COUNT_MAX}, not {count}.")));
    }
    request::reference_id(input.reference_id.as_deref())?;
    request::no_volumes(input.volume_configurations.as_deref())?;
    Ok(count.unsigned_abs() as usize)
}

/// The Units of a call, none of them stored yet.
fn plan(
    context: &Context,
    snapshot: &Snapshot,
    cluster: &Cluster,
    definition: &TaskDefinition,
    input: &RunTaskInput,
    count: usize,
) -> Result<(Admission, Vec<Unit>), ServiceError> {
    let strategy = input.capacity_provider_strategy.as_deref();
    let choice = capacity::choose(cluster, input.launch_type.as_deref(), strategy)?;
    let (constraints, strategy) = placing::read(
        choice.launch_type,
        input.placement_constraints.as_deref().unwrap_or_default(),
        input.placement_strategy.as_deref().unwrap_or_default(),
    )?;
    let wish = Wish {
        cluster: &cluster.id,
        definition,
        overrides: input.overrides.clone().unwrap_or_default(),
        launch_type: choice.launch_type,
        platform_version: input.platform_version.as_deref(),
        network: input.network_configuration.as_ref(),
        constraints,
        strategy,
        group: request::group(input.group.as_deref(), definition)?,
        started_by: request::started_by(input.started_by.as_deref())?,
        tags: request::tags(
            input.tags.as_deref(),
            input.propagate_tags.as_deref(),
            input.enable_ecs_managed_tags.unwrap_or(false),
            &cluster.id,
            definition,
        )?,
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        principal: &context.caller.arn,
        owner: None,
        images: &[],
    };
    let admission = Admission::new(snapshot, wish)?;
    let places = places(snapshot, &cluster.id, &choice, count);
    let waits = places.iter().all(|place| matches!(place, Place::Provider { waits: true, .. }));
    let needs_instance = choice.launch_type != LaunchType::Fargate && !waits;
    if needs_instance && !has_instances(snapshot, &cluster.id, choice.launch_type) {
        return Err(errors::invalid_parameter("No Container Instances were found in your cluster."));
    }
    let now = context.now();
    let units = places.into_iter().map(|place| admission.task(place, now)).collect();
    Ok((admission, units))
}

/// Where each of a call's tasks is to run. A strategy holds within the call: what ran before does not count.
fn places(snapshot: &Snapshot, cluster: &ClusterId, choice: &Choice, count: usize) -> Vec<Place> {
    if choice.strategy.is_empty() {
        return vec![Place::Any; count];
    }
    let chosen = provider::distribute(&choice.strategy, |_| 0, count).into_iter();
    let place = |item: &StrategyItem| Place::Provider {
        name: item.provider.clone(),
        capacity: provider::capacity(&item.provider),
        waits: capacity_provider::waits_for_room(snapshot, &cluster.scope, &item.provider),
    };
    chosen.map(place).collect()
}

/// Whether a cluster has an instance that may be given tasks. None is of the launch type EXTERNAL.
fn has_instances(snapshot: &Snapshot, cluster: &ClusterId, launch_type: LaunchType) -> bool {
    let active = |node| snapshot.membership(cluster, node).status == MembershipStatus::Active;
    launch_type == LaunchType::Ec2 && snapshot.nodes.keys().any(active)
}

/// One commit for all tasks of a call, good only while the cluster and the definition are as they were seen.
pub(super) fn draft(
    admission: &Admission,
    units: &[Unit],
    cluster: &Versioned<Cluster>,
    definition: &Versioned<TaskDefinition>,
) -> Draft {
    let mut intake = Intake::new();
    for unit in units {
        intake.admit(unit, &admission.spec);
    }
    let mut draft = intake.into_draft();
    draft.expect(&cluster.id, cluster).expect(&definition.id, definition);
    draft
}

/// The answer to a call that was made before: its tasks as they are, once each has a node or none. None if no node took any.
async fn repeat(context: &Context, names: &[UnitName]) -> Result<Option<RunTaskOutput>, ServiceError> {
    let decided = |snapshot: &Snapshot| {
        let undecided = names.iter().filter_map(|name| snapshot.units.get(name)).any(|unit| !unit.is_answered());
        (!undecided).then(|| token::show(snapshot, names))
    };
    let shutting_down = || errors::server("The server is shutting down. The tasks were accepted; list them later.");
    let tasks = context.records().wait_for(decided).await.ok_or_else(shutting_down)?;
    if tasks.is_empty() {
        return Ok(None);
    }
    Ok(Some(RunTaskOutput { tasks: Some(tasks), failures: Some(Vec::new()) }))
}
