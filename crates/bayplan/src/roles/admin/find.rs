//! The task that a user means: a whole id, the beginning of one, or an ARN.

use super::Refusal;
use model::Snapshot;
use model::snapshot::Versioned;
use model::unit::Unit;

/// The one Unit that `reference` stands for.
pub(super) fn unit<'a>(snapshot: &'a Snapshot, reference: &str) -> Result<&'a Versioned<Unit>, Refusal> {
    let id = reference.rsplit('/').next().unwrap_or(reference);
    let exact = snapshot.unit_by_uid(&model::UnitUid::new(id));
    if let Some(unit) = exact {
        return Ok(unit);
    }
    let mut starting = snapshot.units.values().filter(|u| !id.is_empty() && u.uid.as_str().starts_with(id));
    match (starting.next(), starting.count()) {
        (Some(unit), 0) => Ok(unit),
        (None, _) => Err(Refusal::not_found(format!("there is no task {reference}; `bayplan ps --all` lists them"))),
        (Some(_), others) => {
            Err(Refusal::not_found(format!("{} tasks begin with {reference}; give more of the id", others + 1)))
        }
    }
}
