//! The task sets of a service with an external controller: how one is found, what is asked of it, and how ECS shows it.

use super::counts::{self, Counts};
use super::{Status, show, state, status};
use crate::ecs::task::{Tags, time};
use crate::ecs::{arn, errors, tags};
use aws_api::ecs;
use aws_api::ecs::values::{scale_unit, stability_status};
use aws_protocol::ServiceError;
use model::ecs::service::Controller;
use model::ecs::{Service, TaskSet};
use model::snapshot::Versioned;
use model::{ClusterId, ServiceId, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole service, in hundredths of a percent.
const WHOLE_BP: u64 = 10_000;

/// The active service that a request on its task sets names.
///
/// # Errors
/// As [`super::active`]; InvalidParameterException for a service whose deployments are not an external controller's.
pub(in crate::ecs) fn service<'s>(
    snapshot: &'s Snapshot,
    cluster: &ClusterId,
    reference: Option<&str>,
) -> Result<&'s Versioned<Service>, ServiceError> {
    let service = super::active(snapshot, cluster, reference)?;
    match service.controller {
        Controller::External => Ok(service),
        Controller::Ecs | Controller::CodeDeploy => Err(errors::invalid_parameter(
            "Amazon ECS only supports task set management on services configured to use external deployment controllers.",
        )),
    }
}

/// The id in a task set's id or ARN.
///
/// # Errors
/// InvalidParameterException for what cannot be a task set of the service.
pub(in crate::ecs) fn id<'r>(service: &ServiceId, reference: &'r str) -> Result<&'r str, ServiceError> {
    let invalid = || errors::invalid_parameter("Task Set Identifier is invalid");
    let name = arn::resource(&service.cluster.scope, "task-set", reference).map_err(|_| invalid())?;
    let of_service = || {
        name.strip_prefix(&*service.cluster.name)?.strip_prefix('/')?.strip_prefix(&*service.name)?.strip_prefix('/')
    };
    let id = if name == reference { Some(name) } else { of_service() };
    let is_one = |id: &&str| {
        let number = id.strip_prefix("ecs-svc/");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    id.filter(is_one).ok_or_else(invalid)
}

/// The task set that a request names, deleted ones too while they drain.
///
/// # Errors
/// InvalidParameterException for what names none, TaskSetNotFoundException.
pub(in crate::ecs) fn named<'s>(
    snapshot: &'s Snapshot,
    service: &Service,
    reference: Option<&str>,
) -> Result<&'s Versioned<TaskSet>, ServiceError> {
    let id = id(&service.id, reference.unwrap_or_default())?;
    find(snapshot, service, id).ok_or_else(errors::task_set_not_found)
}

/// The same, of those that nobody has deleted.
///
/// # Errors
/// InvalidParameterException for one that drains.
pub(in crate::ecs) fn active<'s>(
    snapshot: &'s Snapshot,
    service: &Service,
    reference: Option<&str>,
) -> Result<&'s Versioned<TaskSet>, ServiceError> {
    let set = named(snapshot, service, reference)?;
    match set.deleted_at {
        None => Ok(set),
        Some(_) => Err(errors::invalid_parameter(format!(
            "The task set {} is DRAINING: it was deleted. Create a new one instead.",
            set.id
        ))),
    }
}

pub(in crate::ecs) fn find<'s>(snapshot: &'s Snapshot, service: &Service, id: &str) -> Option<&'s Versioned<TaskSet>> {
    let set = snapshot.task_sets.get(&(service.id.clone(), Arc::from(id)))?;
    (set.service_uid == service.uid && is_there(snapshot, service, set)).then_some(set)
}

/// A deleted one is there until its scheduler has seen the last of its tasks stop.
fn is_there(snapshot: &Snapshot, service: &Service, set: &TaskSet) -> bool {
    set.deleted_at.is_none() || state(snapshot, service).is_some_and(|state| state.set(&set.id).is_some())
}

/// Those of the service that are there; none once it is over itself.
pub(in crate::ecs) fn of_service<'s>(
    snapshot: &'s Snapshot,
    service: &'s Service,
) -> impl Iterator<Item = &'s Versioned<TaskSet>> + 's {
    let is_over = status(snapshot, service) == Status::Inactive;
    let from = (service.id.clone(), Arc::from(""));
    let all = snapshot.task_sets.range(from..).take_while(move |((of, _), _)| *of == service.id && !is_over);
    all.map(|(_, set)| set).filter(move |set| set.service_uid == service.uid && is_there(snapshot, service, set))
}

/// ECS API, Scale: a percentage, of which two decimals count; nothing given is nothing.
///
/// # Errors
/// InvalidParameterException for a share that there cannot be.
pub(in crate::ecs) fn scale_bp(given: Option<&ecs::Scale>) -> Result<u32, ServiceError> {
    let value = given.and_then(|scale| scale.value).unwrap_or(0.0);
    if !(0.0..=100.0).contains(&value) {
        return Err(errors::invalid_parameter(format!("scale.value must be between 0.0 and 100.0, not {value}.")));
    }
    let (hundredths, whole) = ((value * 100.0).round(), f64::from(u16::MAX));
    // Bounded above: the conversion is exact.
    Ok(u32::from(hundredths.min(whole) as u16))
}

/// In the order of their making.
pub(super) fn all(
    snapshot: &Snapshot,
    service: &Service,
    counts: &BTreeMap<Arc<str>, Counts>,
    with: Tags,
) -> Vec<ecs::TaskSet> {
    let mut sets: Vec<&Versioned<TaskSet>> = of_service(snapshot, service).collect();
    sets.sort_by_key(|set| (set.created_at, set.id.clone()));
    let counted = sets.into_iter().map(|set| (set, counts.get(&set.id).copied().unwrap_or_default()));
    counted.map(|(set, counts)| show(snapshot, service, set, counts, with)).collect()
}

/// One of a service, as it is to be shown of a snapshot.
pub(in crate::ecs) fn one(snapshot: &Snapshot, service: &Service, set: &TaskSet, with: Tags) -> ecs::TaskSet {
    let counts = counts::by_set(snapshot, service).get(&set.id).copied().unwrap_or_default();
    show(snapshot, service, set, counts, with)
}

fn show(snapshot: &Snapshot, service: &Service, set: &TaskSet, counts: Counts, with: Tags) -> ecs::TaskSet {
    let revision = snapshot.service_revisions.get(&(service.id.clone(), set.revision.clone()));
    let revision = revision.map(|revision| &*revision.value);
    let desired = computed_desired_count(service, set);
    // Until its scheduler has looked, nobody knows.
    let is_known = state(snapshot, service).is_some_and(|state| state.set(&set.id).is_some());
    let is_steady = is_known && counts.running == desired as usize && counts.pending == 0 && counts.unsteady == 0;
    let status_word = match service.primary_task_set.as_deref() {
        _ if set.deleted_at.is_some() => "DRAINING",
        Some(primary) if *primary == *set.id => "PRIMARY",
        _ => "ACTIVE",
    };
    ecs::TaskSet {
        id: Some(set.id.to_string()),
        task_set_arn: Some(arn::task_set(&service.id, &set.id)),
        service_arn: Some(arn::service(&service.id)),
        cluster_arn: Some(arn::cluster(&service.id.cluster)),
        external_id: set.external_id.clone(),
        status: Some(status_word.to_owned()),
        task_definition: revision.map(|revision| arn::task_definition(&revision.task_definition)),
        computed_desired_count: i32::try_from(desired).ok(),
        pending_count: Some(show::saturated(counts.pending)),
        running_count: Some(show::saturated(counts.running)),
        created_at: time(Some(set.created_at)),
        updated_at: time(Some(set.updated_at)),
        launch_type: revision.and_then(show::launch_type),
        capacity_provider_strategy: revision.and_then(show::providers),
        platform_version: revision.and_then(show::platform_version),
        platform_family: revision.and_then(show::platform_family),
        network_configuration: revision.and_then(show::network),
        load_balancers: Some(Vec::new()),
        service_registries: Some(Vec::new()),
        scale: Some(ecs::Scale {
            value: Some(f64::from(set.scale_bp) / 100.0),
            unit: Some(scale_unit::PERCENT.to_owned()),
        }),
        stability_status: Some(
            if is_steady { stability_status::STEADY_STATE } else { stability_status::STABILIZING }.to_owned(),
        ),
        stability_status_at: time(Some(set.updated_at)),
        tags: (with == Tags::Shown).then(|| tags::show(&set.tags)),
        ..Default::default()
    }
}

/// ECS API, TaskSet: the set's share of the service's desired count, rounded up.
fn computed_desired_count(service: &Service, set: &TaskSet) -> u32 {
    if set.deleted_at.is_some() {
        return 0;
    }
    let share = (u64::from(service.desired_count) * u64::from(set.scale_bp)).div_ceil(WHOLE_BP);
    u32::try_from(share).unwrap_or(u32::MAX)
}
