//! The Unit's record: each group is written through the function of its one writer, and re-merged on a conflict.
//!
//! | group | written by |
//! | --- | --- |
//! | face, spec, scheduling | [`Intake`], later the face alone by [`set_face`] |
//! | intent | [`stop`] |
//! | placement | [`place`], [`wait`] |
//! | settled | [`settle`], and [`end`] with the intent |
//! | observed | [`observe`] |

use crate::draft::{CommitError, Draft};
use crate::keys::{encode_unit, unit_key};
use crate::{Records, codec};
use model::snapshot::Versioned;
use model::unit::{Lifecycle, Observed, Placement, Refusal, StopIntent, Unit, UnitSpec};
use model::{NodeId, SpecHash, UnitName, UnitUid};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use store::{Compare, Revision, Write};

/// Attempts to re-merge a group before giving up; each one means that somebody else got through in between.
const ATTEMPTS: usize = 32;

/// Creates Units: the front-ends' half of admission.
#[derive(Debug, Default)]
pub struct Intake(Draft);

impl Intake {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a Unit that must not exist yet, and its spec under its hash. A spec that is stored already is written again:
    /// only so does its deletion, decided while no Unit named it, fail whichever of the two commits comes first.
    pub fn admit(&mut self, unit: &Unit, spec: &UnitSpec) -> &mut Self {
        let spec_key = <UnitSpec as crate::Record>::key(&unit.spec);
        if !self.0.writes.iter().any(|w| w.key() == spec_key.as_bytes()) {
            self.0.put(&unit.spec, spec);
        }
        let (key, value) = encode_unit(unit);
        self.0.compares.push(Compare::absent(key.clone()));
        self.0.writes.push(Write::put(key, value));
        self
    }

    /// The draft, to add what has to be committed with the Units.
    pub fn into_draft(self) -> Draft {
        self.0
    }
}

/// The hash under which a spec is shared: 128 bits of SHA-256 over its encoding.
pub fn spec_hash(spec: &UnitSpec) -> SpecHash {
    let digest = Sha256::digest(codec::encode(spec));
    SpecHash::new(hex::encode(&digest[..16]))
}

/// Asks a Unit to stop; one that has stopped is left as it is. Returns the Unit as it is then; None if there is no such Unit.
pub async fn stop(records: &Records, name: &UnitName, wish: StopIntent) -> Result<Option<Arc<Unit>>, CommitError> {
    amend(records, name, |unit| {
        if unit.observed.lifecycle == Lifecycle::Stopped {
            return None;
        }
        let intent = unit.intent.merge(wish.clone());
        (intent != unit.intent).then(|| Unit { intent, ..unit.clone() })
    })
    .await
}

/// Adds a placement decision to a draft; the caller has added the ledger compare of the node.
pub fn place(draft: &mut Draft, seen: &Versioned<Unit>, placement: Placement) {
    replace(draft, seen, &Unit { placement, waits_for: None, ..(*seen.value).clone() });
}

/// Adds why a Unit has to wait for room; nothing if the main reason is known.
pub fn wait(draft: &mut Draft, seen: &Versioned<Unit>, shortage: &Refusal) {
    if seen.waits_for.as_ref().is_none_or(|known| known.main != shortage.main) {
        replace(draft, seen, &Unit { waits_for: Some(Arc::new(shortage.clone())), ..(*seen.value).clone() });
    }
}

/// Adds that a Unit's owner has drawn its conclusions from its end.
pub fn settle(draft: &mut Draft, seen: &Versioned<Unit>) {
    replace(draft, seen, &Unit { settled: true, ..(*seen.value).clone() });
}

/// Adds its owner's wish that a Unit stops, which is all that the owner has to say of its end.
pub fn end(draft: &mut Draft, seen: &Versioned<Unit>, wish: StopIntent) {
    let intent = seen.intent.merge(wish);
    replace(draft, seen, &Unit { intent, settled: true, ..(*seen.value).clone() });
}

/// Adds the deletion of a Unit's record, decided on what was seen.
pub fn forget(draft: &mut Draft, name: &UnitName, revision: u64) {
    let key = unit_key(name);
    draft.compares.push(Compare::mod_revision(key.clone(), Revision(revision)));
    draft.writes.push(Write::delete(key));
}

/// Replaces a front-end's own group, the face, decided on what was seen.
pub fn set_face(draft: &mut Draft, seen: &Versioned<Unit>, face: model::unit::Face) {
    replace(draft, seen, &Unit { face, ..(*seen.value).clone() });
}

fn replace(draft: &mut Draft, seen: &Versioned<Unit>, next: &Unit) {
    let (key, value) = encode_unit(next);
    draft.compares.push(Compare::mod_revision(key.clone(), Revision(seen.revision)));
    draft.writes.push(Write::put(key, value));
}

/// Commits an observation. An older lifecycle never replaces a newer one, nothing replaces the observation that a Unit has
/// stopped, a node speaks only for its own Units, and an observation that changes nothing is not written. Returns whether the
/// Unit exists and is that node's.
pub async fn observe(
    records: &Records,
    node: &NodeId,
    uid: &UnitUid,
    observed: &Observed,
) -> Result<bool, CommitError> {
    let snapshot = records.current();
    let Some(name) = snapshot.unit_by_uid(uid).map(|u| u.name.clone()) else { return Ok(false) };
    let mut is_mine = false;
    let unit = amend(records, &name, |unit| {
        is_mine = unit.placement.node() == Some(node) && unit.uid == *uid;
        // The first word of its end is the true one: a later one comes from somebody who no longer knew the Unit.
        let is_open = unit.observed.lifecycle != Lifecycle::Stopped;
        let moves = is_mine && is_open && unit.observed.admits(observed) && unit.observed != *observed;
        moves.then(|| Unit { observed: observed.clone(), ..unit.clone() })
    })
    .await?;
    Ok(is_mine && unit.is_some())
}

/// Re-merges one group until it goes through. `change` answers None when nothing is to be written.
async fn amend(
    records: &Records,
    name: &UnitName,
    mut change: impl FnMut(&Unit) -> Option<Unit>,
) -> Result<Option<Arc<Unit>>, CommitError> {
    for _ in 0..ATTEMPTS {
        let snapshot = records.current();
        let Some(seen) = snapshot.units.get(name) else { return Ok(None) };
        let Some(next) = change(&seen.value) else { return Ok(Some(seen.value.clone())) };
        let mut draft = Draft::new();
        replace(&mut draft, seen, &next);
        match records.commit(draft).await {
            Ok(_) => return Ok(Some(Arc::new(next))),
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(error),
        }
    }
    Err(CommitError::Conflict)
}
