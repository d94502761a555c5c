//! How many Units each set of a replica service is to have, and the moves there; which ones is in [`super::victims`].

use super::planning::Planning;
use super::victims::Pick;
use super::{Start, capacity, words};
use crate::rollout::Bounds;
use crate::rollout::moves::{self, Moves, Tally, Want};
use model::ecs::deployment::{DeploymentConfiguration, DeploymentStatus, Stage};
use model::ecs::service::{Rollout, SchedulingStrategy, SetRole};
use model::unit::StopCause;
use std::sync::Arc;

/// All production traffic, in thousandths.
const ALL_PERMILLE: u32 = 1000;

impl Planning<'_> {
    /// Tasks that the service is to have.
    pub(super) fn desired(&self) -> u32 {
        match self.service.scheduling {
            SchedulingStrategy::Replica => self.service.desired_count,
            SchedulingStrategy::Daemon => self.eligible_nodes().len().try_into().unwrap_or(u32::MAX),
        }
    }

    /// The configuration in force: that of the deployment under way, else the service's.
    pub(super) fn configuration(&mut self) -> DeploymentConfiguration {
        let is_under_way = self.current_progress().is_some();
        let of_deployment = self.current().filter(|_| is_under_way).map(|deployment| &deployment.configuration);
        of_deployment.unwrap_or(&self.service.configuration).clone()
    }

    pub(super) fn move_units(&mut self) {
        let configuration = self.configuration();
        let desired = self.desired();
        let percent = (configuration.maximum_percent, configuration.minimum_healthy_percent);
        let bounded = Bounds::from_percent(desired, percent.0, percent.1);
        let (wants, bounds) = self.wants(desired, bounded);
        self.carry_out(&bounds, &wants);
        self.conclude(desired);
    }

    /// How many Units each set is to have.
    fn wants(&mut self, desired: u32, bounded: Bounds) -> (Vec<(Arc<str>, Want)>, Bounds) {
        let under_way = self.current_progress().cloned();
        let deployment = self.current().cloned();
        let goes_forward = |status| status == DeploymentStatus::InProgress;
        let forward = under_way.as_ref().filter(|progress| goes_forward(progress.status)).zip(deployment.as_ref());
        let sides = forward.filter(|(_, deployment)| self.is_two_sided(deployment));
        let stage = forward.map(|(progress, _)| progress.stage);
        let is_frozen = self.state.primary().is_some_and(|primary| primary.rollout == Rollout::Failed);
        let serves = !is_frozen || self.primary_serves();
        let mut left = desired;
        let mut bounds = bounded;
        let mut wants = Vec::new();
        let sets: Vec<_> = self.state.sets.iter().map(|set| (set.id.clone(), set.role, set.revision.clone())).collect();
        for (id, role, revision) in sets {
            let good = self.tally(&id).good();
            let want = match (role, stage) {
                // A hook before it may say no yet.
                (SetRole::Primary, Some(stage)) if stage < Stage::ScaleUp => Want::Keep(good.min(desired)),
                (SetRole::Primary, _) if !serves => Want::Keep(0),
                (SetRole::Primary, _) if is_frozen => {
                    left = desired - good.min(desired);
                    Want::Keep(good.min(desired))
                }
                (SetRole::Primary, _) => Want::Keep(desired + self.extra_for_zones(&bounded)),
                // Before the new set is to come, the newest of the old ones is the service; and while both sides stay whole.
                (SetRole::Active, Some(stage)) if left > 0 && stage < Stage::ScaleUp => {
                    Want::Keep(std::mem::take(&mut left))
                }
                (SetRole::Active, Some(stage)) if left > 0 && sides.is_some() && stage < Stage::CleanUp => {
                    bounds = Bounds::unbounded(desired);
                    Want::Keep(std::mem::take(&mut left))
                }
                // What a failed deployment has not taken over is the business of the revision that last worked.
                (SetRole::Active, _) if is_frozen && left > 0 && self.state.completed.as_ref() == Some(&revision) => {
                    Want::Keep(std::mem::take(&mut left))
                }
                (SetRole::Active, _) => Want::Drain,
            };
            wants.push((id, want));
        }
        (wants, bounds)
    }

    /// Of a deployment with two sides that ended where it stood, the side with most of the traffic is the service.
    fn primary_serves(&mut self) -> bool {
        let Some(deployment) = self.current().cloned() else { return true };
        let completed = self.state.completed.clone();
        let has_other =
            self.state.sets.iter().any(|set| set.role == SetRole::Active && Some(&set.revision) == completed.as_ref());
        let weight = self.progress(&deployment.id).map_or(0, |progress| progress.weight_permille);
        !self.is_two_sided(&deployment) || !has_other || 2 * weight >= ALL_PERMILLE
    }

    /// Asks for the moves and makes them, for all sets and for Units of sets that are no more.
    pub(super) fn carry_out(&mut self, bounds: &Bounds, wants: &[(Arc<str>, Want)]) {
        let mut wants = wants.to_vec();
        for member in self.members.iter().filter(|member| member.is_alive()) {
            if !wants.iter().any(|(id, _)| id == member.set) {
                wants.push((member.set.clone(), Want::Drain));
            }
        }
        let tallies: Vec<(Want, Tally)> = wants.iter().map(|(id, want)| (*want, self.tally_for(id, *want))).collect();
        let moves = moves::plan(bounds, &tallies);
        for ((id, want), moves) in wants.iter().zip(&moves) {
            self.stop_of_set(id, *want, moves);
        }
        for ((id, want), moves) in wants.iter().zip(&moves) {
            self.start_of_set(id, moves.start);
            let alive = self.members.iter().filter(|member| member.set == id && member.is_alive()).count();
            let wanted = if let Want::Keep(count) = want { *count } else { u32::try_from(alive).unwrap_or(u32::MAX) };
            if let Some(set) = self.state.sets.iter_mut().find(|set| set.id == *id) {
                set.desired = wanted;
            }
        }
    }

    /// A tally in which protected Units that would have to go are what they are: left alone.
    fn tally_for(&self, id: &str, want: Want) -> Tally {
        let mut tally = Tally::default();
        for member in self.members.iter().filter(|member| &**member.set == id) {
            let is_to_go = want == Want::Drain || member.displaced;
            if member.protected_until.is_some() && member.is_alive() && !member.is_idle() && is_to_go {
                tally.protected += 1;
            } else {
                member.count(&mut tally);
            }
        }
        tally
    }

    fn stop_of_set(&mut self, id: &Arc<str>, want: Want, moves: &Moves) {
        let is_drained = want == Want::Drain;
        let steps = [
            (moves.stop_idle, Pick::Idle { all: is_drained }),
            (moves.stop_unhealthy, Pick::Unhealthy),
            (moves.stop_warming, Pick::Warming { all: is_drained }),
            (moves.stop_healthy, Pick::Healthy { all: is_drained }),
            (moves.stop_surplus, Pick::SurplusIdle),
            (moves.stop_surplus_healthy, Pick::SurplusHealthy),
        ];
        let mut stopped = Vec::new();
        for (count, pick) in steps {
            let count = (count as usize).min(self.room());
            for place in self.pick(id, pick, count) {
                stopped.push(place);
                self.stop_member(place, pick);
            }
        }
        self.say_stopped(id, &stopped);
    }

    fn stop_member(&mut self, place: usize, pick: Pick) {
        let member = &self.members[place];
        let (set, unit) = (member.set.clone(), member.unit.name.clone());
        let reason = match pick {
            Pick::Unhealthy => words::UNHEALTHY.to_owned(),
            _ if member.displaced && member.is_lost(self.snapshot, self.around) => words::LOST.to_owned(),
            _ if member.displaced => words::DRAINING.to_owned(),
            _ => words::scaling(&set),
        };
        if pick == Pick::Unhealthy {
            self.say(words::failed_health_checks(self.name(), &unit));
            self.count_failure(&set);
        }
        self.stop(place, reason, StopCause::SchedulerInitiated);
    }

    /// Tells which tasks were stopped; a Unit that no node took was never a task.
    pub(super) fn say_stopped(&mut self, set: &str, places: &[usize]) {
        let tasks: Vec<_> = places
            .iter()
            .map(|place| self.members[*place].unit)
            .filter(|unit| unit.placement.node().is_some())
            .collect();
        if !tasks.is_empty() {
            let names: Vec<_> = tasks.iter().map(|unit| &unit.name).collect();
            let message = words::stopped(&words::subject(self.service, set), &names);
            self.say(message);
        }
    }

    /// Starts Units of a set, as many as throttle and digests allow now.
    fn start_of_set(&mut self, id: &Arc<str>, count: u32) {
        let count = (count as usize).min(self.room());
        let Some(set) = self.state.set(id) else { return };
        let revision = set.revision.clone();
        if count == 0 || self.is_throttled() {
            return;
        }
        let Some(record) = self.revision(&revision) else { return };
        let count = self.limit_by_images(id, record, count);
        for (place, count) in capacity::places(record, &self.members, id, count) {
            let wish = self.wish(id, &revision, place);
            self.start(Start { wish, count });
        }
    }

    /// Whether starts have to wait because those before failed; looks again when they need not.
    pub(super) fn is_throttled(&mut self) -> bool {
        match self.state.throttle.until {
            Some(until) if until > self.now() => {
                self.wake_at(until);
                true
            }
            _ => false,
        }
    }

    /// Sets without Units that still take part are no more; a service that has what it is to have says so once.
    pub(super) fn conclude(&mut self, desired: u32) {
        let is_there = |id: &Arc<str>| self.members.iter().any(|member| member.set == id && member.takes_part());
        let starts: Vec<Arc<str>> = self.plan.start.iter().map(|start| start.wish.set.clone()).collect();
        let mut sets = std::mem::take(&mut self.state.sets);
        sets.retain(|set| set.role == SetRole::Primary || is_there(&set.id) || starts.contains(&set.id));
        self.state.sets = sets;
        let Some(primary) = self.state.primary() else { return };
        let tally = self.tally(&primary.id);
        let whole = Tally { healthy: desired, ..Tally::default() };
        let is_steady = primary.rollout == Rollout::Completed && tally == whole && self.others_are_gone();
        self.tell_steady(is_steady);
    }

    /// Says once that the service has what it is to have, unless something is about to change.
    pub(super) fn tell_steady(&mut self, is_steady: bool) {
        let acts = !self.plan.start.is_empty() || !self.plan.stop.is_empty();
        let is_steady = is_steady && !acts;
        if is_steady && !self.state.steady {
            self.state.steady = true;
            self.say(words::steady(self.name()));
        } else if !is_steady {
            self.state.steady = false;
        }
    }
}
