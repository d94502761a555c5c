//! Admission: how a scheduler, which knows no API, gets Units of an API's faces. Each front-end implements [`Admit`] and the
//! binary hands it to the controllers; front-end and controllers do not know each other.

use super::{Capacity, Unit, UnitSpec};
use crate::ids::{NodeId, ServiceId};
use crate::quantity::Timestamp;
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// What a scheduler wants for slots of one set of a service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SlotWish {
    pub service: ServiceId,
    /// `ecs-svc/…`.
    pub set: Arc<str>,
    /// The number of the revision that says what runs.
    pub revision: Arc<str>,
    pub place: SlotPlace,
}

/// Where a slot's Unit is to run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SlotPlace {
    /// Wherever the revision's launch type has room.
    Any,
    /// Capacity that a provider of this name gives.
    Provider(Arc<str>, Capacity),
    /// This node or none.
    Node(NodeId),
}

/// Like Units, ready to be stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Admitted {
    pub units: Vec<Unit>,
    pub spec: UnitSpec,
}

/// Why no Unit can be made, in the API's own words: data for the next plan, since only a client can mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotAdmitted {
    pub reason: String,
}

/// A front-end's way from a wish to Units.
pub trait Admit: Send + Sync {
    /// Makes `count` like Units, each owned by the wish's service and waiting for room; stores nothing.
    ///
    /// # Errors
    /// [`NotAdmitted`] if what the revision names is gone or cannot run.
    fn admit(
        &self,
        snapshot: &Snapshot,
        wish: &SlotWish,
        count: usize,
        now: Timestamp,
    ) -> Result<Admitted, NotAdmitted>;
}
