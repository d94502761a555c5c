//! Whether a service that is there is the one that a call asks for.

use super::{Made, Token};
use crate::ecs::{errors, service};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::Service;

/// # Errors
/// InvalidParameterException if it is another one. The same token stands for the same call, whatever has changed since.
pub(super) fn check(
    snapshot: &Snapshot,
    existing: &Service,
    made: &Made<'_>,
    token: Option<&Token>,
) -> Result<(), ServiceError> {
    let by_token = token.and_then(|token| token.agrees(existing.client_token.as_ref()));
    let same = by_token.unwrap_or_else(|| {
        let revision = service::revision(snapshot, existing).map(|revision| &*revision.value);
        let wanted = made.first.as_ref().map(|first| &first.revision);
        wants(existing, &made.service)
            && match wanted {
                Some(wanted) => revision.is_some_and(|revision| service::is_same_workload(revision, wanted)),
                None => true,
            }
    });
    if same { Ok(()) } else { Err(errors::not_idempotent("service")) }
}

/// All that a client says of a service.
fn wants(existing: &Service, made: &Service) -> bool {
    let made = Service {
        uid: existing.uid.clone(),
        created_at: existing.created_at,
        created_by: existing.created_by.clone(),
        deployment: existing.deployment.clone(),
        primary_task_set: existing.primary_task_set.clone(),
        client_token: existing.client_token.clone(),
        ..made.clone()
    };
    *existing == made
}
