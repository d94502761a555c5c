//! Services whose deployments are somebody else's business, and services that are deleted.

use super::members::Phase;
use super::planning::Planning;
use super::{deployment, words};
use crate::rollout::Bounds;
use crate::rollout::moves::{Tally, Want};
use model::ecs::TaskSet;
use model::ecs::service::{Rollout, SetRole};
use model::unit::StopCause;
use std::sync::Arc;

/// All of the service's desired count, in hundredths of a percent.
const ALL_BP: u64 = 10_000;

/// ECS API, TaskSet: `computedDesiredCount`.
pub(super) fn computed_desired_count(desired: u32, scale_bp: u32) -> u32 {
    u32::try_from((u64::from(desired) * u64::from(scale_bp)).div_ceil(ALL_BP)).unwrap_or(u32::MAX)
}

impl Planning<'_> {
    /// Keeps as many tasks of each task set as its scale says.
    pub(super) fn follow_task_sets(&mut self) {
        let sets = self.task_sets();
        self.adopt(&sets);
        let count = |set: &TaskSet| computed_desired_count(self.service.desired_count, set.scale_bp);
        let want = |set: &TaskSet| if set.deleted_at.is_some() { Want::Drain } else { Want::Keep(count(set)) };
        let wants: Vec<(Arc<str>, Want)> = sets.iter().map(|set| (set.id.clone(), want(set))).collect();
        let total = wants.iter().map(|(_, want)| if let Want::Keep(count) = want { *count } else { 0 }).sum();
        // A deleted set is not replaced by anything: none of its tasks is waited for.
        let bounds = Bounds { desired: 0, ..Bounds::unbounded(total) };
        self.carry_out(&bounds, &wants);
        let gone = |id: &Arc<str>| !self.members.iter().any(|member| member.set == id && member.phase != Phase::Over);
        let deleted: Vec<Arc<str>> =
            sets.iter().filter(|set| set.deleted_at.is_some() && gone(&set.id)).map(|set| set.id.clone()).collect();
        self.state.sets.retain(|set| !deleted.contains(&set.id));
        let is_whole = |(id, want): &(Arc<str>, Want)| match want {
            Want::Keep(count) => self.tally(id) == Tally { healthy: *count, ..Tally::default() },
            Want::Drain => deleted.contains(id),
        };
        let is_steady = !wants.is_empty() && wants.iter().all(is_whole);
        self.tell_steady(is_steady);
    }

    fn task_sets(&self) -> Vec<TaskSet> {
        let from = (self.service.id.clone(), Arc::<str>::from(""));
        let all = self.snapshot.task_sets.range(from..).take_while(|((service, _), _)| *service == self.service.id);
        all.filter(|(_, set)| set.service_uid == self.service.uid).map(|(_, set)| (*set.value).clone()).collect()
    }

    /// A task set that is new gets a set; which one is primary is the service's to say.
    fn adopt(&mut self, sets: &[TaskSet]) {
        let now = self.now();
        for set in sets {
            if self.state.set(&set.id).is_none() && set.deleted_at.is_none() {
                let mut new = deployment::new_set(set.id.clone(), set.revision.clone(), now);
                new.rollout = Rollout::Completed;
                new.rollout_reason = None;
                self.state.sets.push(new);
            }
        }
        let primary = self.service.primary_task_set.as_ref();
        for set in &mut self.state.sets {
            set.role = if primary == Some(&set.id) { SetRole::Primary } else { SetRole::Active };
        }
    }

    /// Stops all tasks of a deleted service; it is inactive when the last one has stopped.
    pub(super) fn wind_up(&mut self) {
        let sets: Vec<Arc<str>> = {
            let alive = self.members.iter().filter(|member| member.is_alive());
            let mut ids: Vec<Arc<str>> = alive.map(|member| member.set.clone()).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        for set in sets {
            let places: Vec<usize> = (0..self.members.len())
                .filter(|place| self.members[*place].is_alive() && *self.members[*place].set == set)
                .take(self.room())
                .collect();
            for place in &places {
                self.stop(*place, words::DELETED.to_owned(), StopCause::SchedulerInitiated);
            }
            self.say_stopped(&set, &places);
        }
        self.end_deployments("the service was deleted");
        let is_over = self.members.iter().all(|member| member.phase == Phase::Over);
        let is_settled = self.members.iter().filter(|member| !member.unit.settled).count() <= self.plan.settle.len();
        if is_over && is_settled && self.plan.stop.is_empty() {
            self.state.sets.clear();
            self.state.inactive_since = Some(self.now());
        }
    }
}
