//! ECS's words for how far a task has come, derived from the Unit's lifecycle, intent and placement.

use aws_api::ecs::values::desired_status;
use model::Timestamp;
use model::ecs::TaskFace;
use model::unit::{Lifecycle, Placement, Unit};

/// `lastStatus`. What attaches or detaches an address is a state of its own (Developer Guide, "Task lifecycle"); ACTIVATING and
/// DEACTIVATING are those of load balancers and service discovery.
pub(super) fn last_status(unit: &Unit, face: &TaskFace) -> &'static str {
    let own_address = face.attachment_id.is_some();
    match unit.observed.lifecycle {
        _ if is_over(unit) => "STOPPED",
        Lifecycle::Accepted if own_address || unit.placement == Placement::Pending => "PROVISIONING",
        Lifecycle::Accepted | Lifecycle::Preparing => "PENDING",
        Lifecycle::Running => "RUNNING",
        Lifecycle::Stopping if own_address && unit.observed.execution_stopped_at.is_some() => "DEPROVISIONING",
        Lifecycle::Stopping | Lifecycle::Stopped => "STOPPING",
    }
}

/// Only RUNNING or STOPPED.
pub(crate) fn desired_status(unit: &Unit) -> &'static str {
    let ends = unit.intent.stop.is_some() || unit.observed.stop.is_some();
    if ends || unit.observed.lifecycle >= Lifecycle::Stopping {
        desired_status::STOPPED
    } else {
        desired_status::RUNNING
    }
}

/// It has stopped, or was to stop before it had a node.
pub(crate) fn is_over(unit: &Unit) -> bool {
    unit.observed.lifecycle == Lifecycle::Stopped
        || (unit.placement == Placement::Pending && unit.intent.stop.is_some())
}

pub(super) fn stopping_at(unit: &Unit) -> Option<Timestamp> {
    unit.observed.stopping_at.or(unit.intent.stop.as_ref().map(|stop| stop.requested_at))
}

pub(super) fn stopped_at(unit: &Unit) -> Option<Timestamp> {
    unit.observed.stopped_at.or_else(|| stopping_at(unit).filter(|_| is_over(unit)))
}
