//! UpdateTaskProtection: keeps up to 10 tasks of services from being scaled in or replaced for a while, or no longer.

use super::task::{self, reference};
use super::task_protection::{find, not_valid, references, show};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{UpdateTaskProtectionInput, UpdateTaskProtectionOutput};
use aws_protocol::ServiceError;
use model::Timestamp;
use model::ecs::TaskFace;
use model::unit::Face;
use records::units;
use std::collections::BTreeSet;
use std::sync::Arc;

/// ECS API.
const TASKS_MAX: usize = 10;
const MINUTES_MAX: i32 = 2880;
const MINUTES_DEFAULT: i32 = 120;

pub(crate) async fn update_task_protection(
    context: Context,
    input: UpdateTaskProtectionInput,
) -> Result<UpdateTaskProtectionOutput, ServiceError> {
    let references = references(input.tasks, TASKS_MAX)?;
    let enabled = input.protection_enabled;
    let enabled = enabled.ok_or_else(|| errors::invalid_parameter("protectionEnabled is required."))?;
    let until = until(context.now(), input.expires_in_minutes)?;
    let protected_until = enabled.then_some(until);
    let ((named, failures), snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = &reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?.id;
        let (mut named, mut failures) = (BTreeSet::new(), Vec::new());
        for reference in &references {
            match find(snapshot, cluster, reference) {
                Ok(unit) if task::desired_status(unit) == "STOPPED" => {
                    failures.push(not_valid(unit, "The task has stopped or is to stop."));
                }
                Ok(unit) => {
                    let face = task::face(unit);
                    if named.insert(unit.name.clone()) && face.protected_until != protected_until {
                        let face = TaskFace { protected_until, ..face.clone() };
                        units::set_face(draft, unit, Face::Ecs(Arc::new(face)));
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        Ok((named, failures))
    })
    .await?;
    let units = named.iter().filter_map(|name| snapshot.units.get(name));
    let protected_tasks = units.map(|unit| show(unit, context.now())).collect();
    Ok(UpdateTaskProtectionOutput { protected_tasks: Some(protected_tasks), failures: Some(failures) })
}

fn until(now: Timestamp, minutes: Option<i32>) -> Result<Timestamp, ServiceError> {
    match minutes.unwrap_or(MINUTES_DEFAULT) {
        minutes @ 1..=MINUTES_MAX => Ok(now.saturating_add_ms(u64::from(minutes.unsigned_abs()) * 60_000)),
        minutes => {
            let message = format!("expiresInMinutes must be between 1 and {MINUTES_MAX}, not {minutes}.");
            Err(errors::invalid_parameter(message))
        }
    }
}
