//! Units whose end an agent knows to be stored, and has therefore forgotten.

use crate::wire::{Desired, ObservedUpdate};
use model::UnitUid;
use model::unit::Lifecycle;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What one session has acknowledged for good. A step that was made before such an end was stored, and is said after it was
/// acknowledged, would have the agent begin the Unit anew: it says nothing of that Unit.
#[derive(Clone, Default, Debug)]
pub struct Settled(BTreeSet<UnitUid>);

#[derive(Deserialize)]
struct End {
    lifecycle: Lifecycle,
}

impl Settled {
    /// An observation was stored, and the agent is told so next.
    pub fn acknowledged(&mut self, update: &ObservedUpdate) {
        let end: Result<End, _> = serde_json::from_slice(&update.document);
        if end.is_ok_and(|end| end.lifecycle == Lifecycle::Stopped) {
            self.0.insert(UnitUid::new(update.uid.as_str()));
        }
    }

    /// Takes what the agent has forgotten out of the step that it is told next.
    pub fn withhold(&mut self, step: &mut Desired) {
        step.assignments.retain(|assignment| !self.0.contains(&assignment.unit.uid));
        // A deleted record is named in no later step.
        for uid in &step.gone {
            self.0.remove(uid);
        }
    }
}
