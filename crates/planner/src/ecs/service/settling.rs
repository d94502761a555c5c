//! What a scheduler learns from Units that have ended, each of them once, and from those that have become healthy.

use super::members::{self, Phase};
use super::planning::Planning;
use super::words;
use crate::rollout::backoff;
use model::Timestamp;
use model::ecs::service::Throttle;
use model::unit::{StopCause, Unit};

/// Failures in a row from which users are told that starts are slowed down: the first that is.
const TELL_FROM: u32 = 3;

pub(super) fn fail_once_more(throttle: &mut Throttle, now: Timestamp) {
    throttle.failures = throttle.failures.saturating_add(1);
    let delay_ms = backoff::delay_ms(throttle.failures);
    throttle.until = (delay_ms > 0).then(|| now.saturating_add_ms(delay_ms));
}

/// It ended by itself and without having come up. What users, nodes or taken-back capacity ended is nobody's failure.
fn has_failed(unit: &Unit, planning: &Planning<'_>) -> bool {
    let asked = unit.intent.stop.as_ref().map(|stop| stop.by);
    let seen = unit.observed.stop.as_ref().map(|stop| stop.cause);
    let by_itself = matches!(seen, Some(StopCause::EssentialContainerExited | StopCause::FailedToStart));
    asked.is_none() && by_itself && !members::had_come_up(unit, planning.around)
}

impl Planning<'_> {
    /// Settles Units that have ended, and counts.
    pub(super) fn settle(&mut self) {
        self.notice_healthy();
        for place in 0..self.members.len() {
            if self.room() == 0 {
                return;
            }
            let member = &self.members[place];
            if member.phase != Phase::Over || member.unit.settled {
                continue;
            }
            self.plan.settle.push(member.unit.name.clone());
            if has_failed(member.unit, self) {
                let set = member.set.clone();
                self.count_failure(&set);
            }
        }
    }

    /// One more task of a set has failed; each counts for its set, for its deployment's circuit breaker and for the throttle.
    pub(super) fn count_failure(&mut self, set: &str) {
        let now = self.now();
        if let Some(set) = self.state.sets.iter_mut().find(|known| &*known.id == set) {
            set.failed_tasks = set.failed_tasks.saturating_add(1);
            set.updated_at = now;
        }
        fail_once_more(&mut self.state.throttle, now);
        if let Some(progress) = self.current_progress().filter(|progress| &*progress.set == set) {
            let count = progress.counting();
            *count = count.saturating_add(1);
        }
        if self.state.throttle.failures >= TELL_FROM && !self.state.throttle.told {
            self.state.throttle.told = true;
            self.say(words::inconsistent(self.name()));
        }
    }

    /// A set with more healthy Units than before has got one up: what failed before it does not count any more.
    fn notice_healthy(&mut self) {
        let mut news = Vec::new();
        for place in 0..self.state.sets.len() {
            let id = self.state.sets[place].id.clone();
            let tally = self.tally(&id);
            let healthy = tally.healthy + tally.displaced_healthy;
            if healthy > self.state.sets[place].healthy {
                news.push(id);
            }
            self.state.sets[place].healthy = healthy;
        }
        for id in news {
            self.state.throttle = Throttle::default();
            let counts_anew = self.resets_on_healthy_task();
            if let Some(set) = self.state.sets.iter_mut().find(|set| set.id == id) {
                set.failed_tasks = 0;
            }
            if let Some(progress) = self.current_progress().filter(|progress| counts_anew && progress.set == id) {
                *progress.counting() = 0;
            }
        }
    }
}
