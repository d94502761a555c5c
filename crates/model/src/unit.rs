//! The Unit: containers that share one node and one fate, as one record in groups with one writer each.

pub mod admit;
pub mod lifecycle;
pub mod observed;
pub mod placement;
pub mod spec;

pub use admit::{Admit, Admitted, NotAdmitted, SlotPlace, SlotWish};
pub use lifecycle::{ContainerState, Health, Lifecycle, StopCause};
pub use observed::{ContainerObserved, Observed, PortBinding};
pub use placement::{Capacity, Constraint, Placement, Refusal, Scheduling, Strategy};
pub use spec::UnitSpec;

use crate::ecs::TaskFace;
use crate::ids::{ServiceId, SpecHash, UnitName, UnitUid};
use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One Unit, whole. Which room writes which group is the table in ARCHITECTURE.md, held by the handles in `records`.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Unit {
    pub name: UnitName,
    pub uid: UnitUid,
    pub created_at: Timestamp,
    /// The dialect's own, lossless document. Writer: the front-end.
    pub face: Face,
    /// The hash of the lowered spec; never re-lowered. Writer: the intake, once.
    pub spec: SpecHash,
    /// What placement has to respect besides the spec. Writer: the intake, once.
    pub scheduling: Arc<Scheduling>,
    /// Whose slot it fills; a Unit without an owner stands alone. Writer: the intake, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The owner has drawn its conclusions from the Unit's end: nothing but retention holds the record. Writer: the owner's
    /// scheduler, once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Writer: anyone; it merges towards stopping sooner.
    #[serde(default)]
    pub intent: Intent,
    /// Writer: the placement controller.
    #[serde(default)]
    pub placement: Placement,
    /// Why no node has taken it so far, of a Unit that waits for room. Writer: the placement controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Arc<Refusal>>,
    /// Writer: the node session.
    #[serde(default)]
    pub observed: Observed,
}

impl Unit {
    /// Bound and not yet stopped: it holds its node's resources.
    pub fn holds_resources(&self) -> bool {
        matches!(self.placement, Placement::Bound { .. }) && self.observed.lifecycle != Lifecycle::Stopped
    }

    /// It has stopped, or was to stop before it had a node.
    pub fn is_over(&self) -> bool {
        self.observed.lifecycle == Lifecycle::Stopped
            || (matches!(self.placement, Placement::Pending) && self.intent.stop.is_some())
            || matches!(self.placement, Placement::Refused(_))
    }

    /// The placement controller still owes it an answer.
    pub fn awaits_placement(&self) -> bool {
        matches!(self.placement, Placement::Pending)
            && self.intent.stop.is_none()
            && self.observed.lifecycle != Lifecycle::Stopped
    }

    /// Placement has answered, were it only that the Unit has to wait for room.
    pub fn is_answered(&self) -> bool {
        !self.awaits_placement() || (self.scheduling.wait_for_room && self.waits_for.is_some())
    }
}

/// Whose slot a Unit fills.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    EcsService {
        service: ServiceId,
        /// The service of that name that was meant.
        uid: Arc<str>,
        /// The slot set, `ecs-svc/…`.
        set: Arc<str>,
    },
}

impl Owner {
    pub fn service(&self) -> &ServiceId {
        match self {
            Owner::EcsService { service, .. } => service,
        }
    }

    pub fn set(&self) -> &Arc<str> {
        match self {
            Owner::EcsService { set, .. } => set,
        }
    }

    pub fn uid(&self) -> &Arc<str> {
        match self {
            Owner::EcsService { uid, .. } => uid,
        }
    }
}

/// The dialect's own document of a Unit.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "dialect", rename_all = "snake_case")]
pub enum Face {
    Ecs(Arc<TaskFace>),
}

/// What clients and controllers want of a Unit's end.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct Intent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopIntent>,
}

/// A wish to stop, kept from the first one who had it; only the deadline may move, and only earlier.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct StopIntent {
    pub by: StopCause,
    pub reason: String,
    pub requested_at: Timestamp,
    /// Overrides every container's own stop timeout when shorter, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<u32>,
}

impl Intent {
    /// The intent that satisfies both: the first reason stays, the shorter grace wins.
    pub fn merge(&self, wish: StopIntent) -> Intent {
        let stop = match &self.stop {
            None => wish,
            Some(first) => StopIntent {
                grace_s: match (first.grace_s, wish.grace_s) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                },
                ..first.clone()
            },
        };
        Intent { stop: Some(stop) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(reason: &str, grace_s: Option<u32>) -> StopIntent {
        StopIntent { by: StopCause::UserInitiated, reason: reason.into(), requested_at: Timestamp::default(), grace_s }
    }

    #[test]
    fn intents_keep_the_first_reason_and_only_move_towards_stopping_sooner() {
        let first = Intent::default().merge(wish("first", Some(30)));
        let second = first.merge(wish("second", Some(5)));
        let stop = second.stop.clone().unwrap();
        assert_eq!((stop.reason.as_str(), stop.grace_s), ("first", Some(5)));
        assert_eq!(second.merge(wish("third", Some(60))).stop.unwrap().grace_s, Some(5));
    }
}
