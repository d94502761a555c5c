//! The task sets of a service with an external controller, as ECS shows them.

use super::counts::Counts;
use super::{Status, show, status};
use crate::ecs::task::time;
use crate::ecs::{arn, tags};
use aws_api::ecs;
use aws_api::ecs::values::{scale_unit, stability_status};
use model::ecs::{Service, TaskSet};
use model::{ServiceId, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole service, in hundredths of a percent.
const WHOLE_BP: u64 = 10_000;

/// Those of the service that are not over; none once it is over itself.
pub(super) fn all(snapshot: &Snapshot, service: &Service, counts: &BTreeMap<Arc<str>, Counts>) -> Vec<ecs::TaskSet> {
    if status(snapshot, service) == Status::Inactive {
        return Vec::new();
    }
    let of_it = of_service(snapshot, &service.id).filter(|set| set.service_uid == service.uid);
    let counted = of_it.map(|set| (set, counts.get(&set.id).copied().unwrap_or_default()));
    let there = counted.filter(|(set, counts)| set.deleted_at.is_none() || counts.running + counts.pending > 0);
    there.map(|(set, counts)| show(snapshot, service, set, counts)).collect()
}

fn of_service<'s>(snapshot: &'s Snapshot, service: &'s ServiceId) -> impl Iterator<Item = &'s TaskSet> + 's {
    let from = (service.clone(), Arc::from(""));
    snapshot.task_sets.range(from..).take_while(move |((of, _), _)| of == service).map(|(_, set)| &*set.value)
}

fn show(snapshot: &Snapshot, service: &Service, set: &TaskSet, counts: Counts) -> ecs::TaskSet {
    let revision = snapshot.service_revisions.get(&(service.id.clone(), set.revision.clone()));
    let revision = revision.map(|revision| &*revision.value);
    let desired = computed_desired_count(service, set);
    let is_steady = counts.running == desired as usize && counts.pending == 0 && counts.unsteady == 0;
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
        tags: Some(tags::show(&set.tags)),
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
