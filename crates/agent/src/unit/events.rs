//! What happened, taken into the journal: exits, restarts in place, health verdicts.

use super::Actor;
use crate::directory::FIRST_PROBE;
use model::Timestamp;
use model::unit::{ContainerState, StopCause};
use runtime::protocol::{Event, Exit, Request};

impl Actor {
    pub(super) async fn happened(&mut self, event: Event) {
        match event {
            Event::Started { .. } => {}
            Event::Exited(exit) => {
                let seq = exit.seq;
                self.exited(&exit);
                // Journalled before the supervisor may forget it.
                if !self.observe() {
                    self.save();
                }
                self.tell(Request::AckExits { seq }).await;
                self.restart_in_place().await;
            }
            Event::ExecExited(exit) if exit.exec >= FIRST_PROBE => self.probed(&exit),
            Event::ExecExited(exit) => self.node.directory.exec_ended(&self.journal.assignment.unit.uid, exit),
            Event::LogDropped { container, attempt, lines, .. } => {
                if let Some(index) = self.index_of(&container)
                    && self.journal.containers[index].attempt == attempt
                {
                    self.journal.containers[index].log_drops = lines;
                }
            }
        }
    }

    /// The end of the newest attempt. An end of an earlier one is old news.
    pub(super) fn exited(&mut self, exit: &Exit) {
        let Some(index) = self.index_of(&exit.container) else { return };
        let stopping = self.journal.stop.is_some();
        let spec = self.journal.assignment.spec.containers[index].clone();
        let container = &mut self.journal.containers[index];
        if exit.attempt != container.attempt || container.state == ContainerState::Stopped {
            return;
        }
        container.state = ContainerState::Stopped;
        container.finished_at = Some(Timestamp::from_unix_ms(exit.finished_at_unix_ms));
        container.exit_code = exit.code.or(exit.signal.map(|signal| 128 + signal));
        container.oom_killed = exit.oom_killed;
        if exit.oom_killed {
            container.reason = Some("OutOfMemoryError: Container killed due to memory usage".to_owned());
        }
        let ran_ms =
            Timestamp::from_unix_ms(exit.finished_at_unix_ms).since_ms(container.started_at.unwrap_or_default());
        let again = spec.restart.as_ref().is_some_and(|policy| {
            let ignored = container.exit_code.is_some_and(|code| policy.ignored_exit_codes.contains(&code));
            !stopping && !ignored && ran_ms >= u64::from(policy.attempt_period_s) * 1000
        });
        container.restarting = again;
        self.kill_at[index] = None;
        self.give_up_at[index] = None;
        self.probes.end(index);
        if spec.essential && !again {
            self.end(StopCause::EssentialContainerExited, "Essential container in task exited".to_owned(), None);
        }
    }

    async fn restart_in_place(&mut self) {
        for index in 0..self.journal.containers.len() {
            if self.journal.containers[index].restarting && self.journal.stop.is_none() {
                let attempt = self.journal.containers[index].attempt;
                let container = self.journal.assignment.spec.containers[index].name.clone();
                self.tell(Request::Remove { container, attempt }).await;
                self.start(index).await;
            }
        }
    }
}
