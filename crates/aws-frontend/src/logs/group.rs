//! A log group's record: finding it, changing it, and reaching its streams on disk.

use super::errors;
use crate::context::{Context, Frontend};
use crate::ids;
use aws_protocol::ServiceError;
use model::Timestamp;
use model::logs::LogGroup;
use model::snapshot::Versioned;
use observe::{LogError, LogStore};
use records::{CommitError, Draft};
use std::sync::Arc;

/// Attempts to change a record; each one means that somebody else changed it in between.
const ATTEMPTS: usize = 8;
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The group of a name, as it is stored now.
pub(super) fn find(frontend: &Frontend, name: &str) -> Result<Versioned<LogGroup>, ServiceError> {
    let id = (frontend.scope.clone(), Arc::from(name));
    frontend.records.current().log_groups.get(&id).cloned().ok_or_else(errors::no_group)
}

/// A new group; its uid is used for no other one.
pub(super) fn fresh(name: &str, now: Timestamp) -> LogGroup {
    LogGroup {
        name: name.into(),
        created_at: now,
        retention_days: None,
        tags: Default::default(),
        kms_key_id: None,
        class: None,
        uid: ids::hex(16).into(),
    }
}

/// Stores a group that must not exist yet.
pub(super) async fn create(frontend: &Frontend, group: &LogGroup) -> Result<(), ServiceError> {
    let id = (frontend.scope.clone(), group.name.clone());
    let mut draft = Draft::new();
    draft.create(&id, group);
    match frontend.records.commit(draft).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict) => Err(errors::group_exists()),
        Err(error) => Err(errors::store(error)),
    }
}

/// Changes a group's record by `change`, which may see it several times.
pub(super) async fn change(
    context: &Context,
    name: &str,
    mut change: impl FnMut(&mut LogGroup) -> Result<(), ServiceError>,
) -> Result<LogGroup, ServiceError> {
    let id = (context.scope().clone(), Arc::from(name));
    for _ in 0..ATTEMPTS {
        let seen = find(&context.frontend, name)?;
        let mut next = (*seen.value).clone();
        change(&mut next)?;
        if next == *seen.value {
            return Ok(next);
        }
        let mut draft = Draft::new();
        draft.update(&id, &seen, &next);
        match context.records().commit(draft).await {
            Ok(_) => return Ok(next),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::aborted())
}

/// The earliest time that a group's retention leaves to be seen.
pub(super) fn floor_ms(group: &LogGroup, now: Timestamp) -> Option<i64> {
    let now_ms = i64::try_from(now.unix_ms()).unwrap_or(i64::MAX);
    group.retention_days.map(|days| now_ms.saturating_sub(i64::from(days) * DAY_MS))
}

/// Uses the streams on disk from a thread that may wait for them.
pub(super) async fn on_disk<T: Send + 'static>(
    logs: &Arc<LogStore>,
    work: impl FnOnce(&LogStore) -> Result<T, LogError> + Send + 'static,
) -> Result<T, ServiceError> {
    let logs = logs.clone();
    match tokio::task::spawn_blocking(move || work(&logs)).await {
        Ok(done) => done.map_err(errors::stream),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
