//! How an operation changes records: it decides on the newest snapshot and commits, anew after each conflict.

use super::errors;
use aws_protocol::ServiceError;
use model::Snapshot;
use records::{CommitError, Draft, Records};
use std::sync::Arc;

/// Attempts to commit; each one means that somebody else changed what was decided on.
const ATTEMPTS: usize = 16;

/// Runs `decide` until what it drafts is committed whole. Returns its answer and a snapshot that shows the change.
///
/// # Errors
/// What `decide` refuses, with nothing changed; a ServerException if the store takes nothing.
pub(super) async fn decide<T>(
    records: &Records,
    mut decide: impl FnMut(&Snapshot, &mut Draft) -> Result<T, ServiceError>,
) -> Result<(T, Arc<Snapshot>), ServiceError> {
    for _ in 0..ATTEMPTS {
        let mut draft = Draft::new();
        let answer = decide(&records.current(), &mut draft)?;
        match records.commit(draft).await {
            Ok(snapshot) => return Ok((answer, snapshot)),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::store(CommitError::Conflict))
}
