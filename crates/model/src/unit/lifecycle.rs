//! Ordered states that only advance; wire spellings of them live in the front-ends.

use serde::{Deserialize, Serialize};

/// How far a Unit has come on its node. Only advances.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Its node has not taken it up.
    #[default]
    Accepted,
    /// The agent prepares images, volumes, network and sandbox, or starts containers.
    Preparing,
    /// Every container that should run has run.
    Running,
    /// It is being stopped; some container may still run.
    Stopping,
    /// Every container has ended; nothing of it is left on the node but logs.
    Stopped,
}

/// How far one container of a Unit has come in its newest attempt.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    #[default]
    Pending,
    /// Created, waiting for what it depends on.
    Created,
    Running,
    Stopped,
}

/// The verdict of a health check.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// Why a Unit ended or is to end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// It never ran: an image, a volume, a network, a start or a dependency failed.
    FailedToStart,
    /// A container whose end ends the Unit has ended.
    EssentialContainerExited,
    /// A client asked.
    UserInitiated,
    /// A service's scheduler asked.
    SchedulerInitiated,
    /// Capacity that may be taken back was.
    CapacityReclaimed,
    /// The node is gone, was rebooted, or lost the supervisor.
    NodeFailure,
}
