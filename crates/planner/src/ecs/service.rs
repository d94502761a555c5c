//! What a service's scheduler does next: a pure function of a snapshot; the plan is one commit, and the next plan stands on it.
//!
//! The order is always the same: learn from Units that have ended; take up a new deployment; judge the one under way; say how
//! many Units each slot set is to have; let [`crate::rollout::moves`] say how many to start and stop, and choose which; see
//! what has been reached. How many Units exist is never remembered: it is counted in every plan. What is remembered, in
//! `ServiceState` and `DeploymentState`, is what cannot be counted: failures, stages, what users were told.

mod capacity;
mod daemon;
mod deployment;
mod external;
mod images;
mod members;
mod moving;
mod planning;
mod settling;
mod stages;
mod victims;
mod words;
mod zones;

use model::ecs::deployment::DeploymentState;
use model::ecs::service::{Controller, ResolvedImage, SchedulingStrategy, ServiceState};
use model::unit::{SlotWish, StopCause};
use model::{ServiceId, Snapshot, Timestamp, UnitName};
use planning::Planning;
use rand::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Units that one plan starts, stops and settles at most, so that it fits one commit.
pub const ACTIONS_MAX: usize = 40;

/// What an installation decides about its services.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How long a task without a health check has to run before it counts as healthy.
    pub healthy_after_ms: u64,
    /// How long a node has to be away before its tasks are replaced.
    pub node_lost_after_ms: u64,
}

impl Default for Settings {
    /// ECS API, `minimumHealthyPercent`: 40 seconds. A node is lost after 30.
    fn default() -> Self {
        Self { healthy_after_ms: 40_000, node_lost_after_ms: 30_000 }
    }
}

/// What a plan depends on besides the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub now: Timestamp,
    pub settings: Settings,
    /// Names of the alarms that are on.
    pub firing: &'a BTreeSet<String>,
}

/// One commit of a service's scheduler, and when to look again although nothing has changed.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Plan {
    /// The new state, if it is another.
    pub state: Option<ServiceState>,
    /// Deployments whose state is another, by id.
    pub deployments: Vec<(Arc<str>, DeploymentState)>,
    /// Digests to pin to a revision, by its number.
    pub images: Option<(Arc<str>, Vec<ResolvedImage>)>,
    pub start: Vec<Start>,
    pub stop: Vec<Stop>,
    /// Units that have ended and that this plan has learned from.
    pub settle: Vec<UnitName>,
    pub events: Vec<Event>,
    pub next: Option<Timestamp>,
}

/// Like Units to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    pub wish: SlotWish,
    pub count: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    pub unit: UnitName,
    pub by: StopCause,
    pub reason: String,
}

/// What users are told, in the order in which it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Said(String),
    /// Begins the sentence that lists the tasks started for a set; their ids are known when they are made.
    Started {
        set: Arc<str>,
        prefix: String,
    },
}

impl Plan {
    /// Nothing is to be committed.
    pub fn is_nothing(&self) -> bool {
        self.state.is_none()
            && self.deployments.is_empty()
            && self.images.is_none()
            && self.start.is_empty()
            && self.stop.is_empty()
            && self.settle.is_empty()
            && self.events.is_empty()
    }
}

/// The plan for one service; None if there is no such service, or if it has ended.
///
/// Equal arguments give an equal plan. Never fails, whatever the snapshot holds.
pub fn plan(snapshot: &Snapshot, id: &ServiceId, around: &Around<'_>, rng: &mut dyn Rng) -> Option<Plan> {
    let mut planning = Planning::new(snapshot, id, around, rng)?;
    planning.settle();
    let service = planning.service;
    if service.deleted_at.is_some() {
        planning.wind_up();
    } else if service.controller == Controller::External {
        planning.follow_task_sets();
    } else {
        planning.take_up_deployment();
        planning.judge();
        planning.advance();
        match service.scheduling {
            SchedulingStrategy::Replica => planning.move_units(),
            SchedulingStrategy::Daemon => planning.cover_nodes(),
        }
    }
    Some(planning.into_plan())
}

/// The state after admission was refused, and what users are told, once: starts wait as after failures in a row.
pub fn refused(
    state: &ServiceState,
    service: &ServiceId,
    reason: &str,
    now: Timestamp,
) -> (ServiceState, Option<String>) {
    let message = words::refused(&service.name, reason);
    let is_told = state.told_shortage.as_deref() == Some(&message);
    let mut next = state.clone();
    next.steady = false;
    settling::fail_once_more(&mut next.throttle, now);
    // Nobody mends in a moment what a task definition or a role lacks.
    next.throttle.until = next.throttle.until.max(Some(now.saturating_add_ms(1000)));
    next.told_shortage = Some(message.clone());
    (next, (!is_told).then_some(message))
}

pub use words::started;
