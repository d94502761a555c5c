//! What is due after each turn of the loop: ends to report, limits of time, groups to remove, answers to send.

use runtime::cgroup::{CgroupError, Group};
use runtime::protocol::{Event, ExecExit, Reply};
use runtime::sys::process;

use crate::connection::Connection;
use crate::supervisor::{DROPS_EVERY_MS, Leaving, Supervisor};

/// How long a removed group may take to become empty, in milliseconds.
const REMOVE_WITHIN_MS: u64 = 10_000;

impl Supervisor {
    /// What is due: ends to report, limits of time, groups to remove, answers to send.
    pub(crate) fn advance(&mut self) {
        let now = process::monotonic_ms();
        self.report_container_exits();
        self.report_exec_exits(now);
        self.remove_groups(now);
        self.report_drops(now);
        self.connections.retain_mut(Connection::send);
    }

    fn report_container_exits(&mut self) {
        let mut exits = Vec::new();
        for container in self.containers.values_mut() {
            if let Some(exit) = container.take_exit(self.last_exit_seq + 1) {
                self.last_exit_seq += 1;
                exits.push(exit);
            }
        }
        for exit in exits {
            self.exits.push(exit.clone());
            self.tell(&Event::Exited(exit));
        }
    }

    fn report_exec_exits(&mut self, now_ms: u64) {
        self.execs.values_mut().for_each(|exec| exec.enforce_deadline(now_ms));
        let ended: Vec<ExecExit> = self.execs.values().filter_map(|exec| exec.exit(now_ms)).collect();
        for exit in ended {
            self.execs.remove(&exit.exec);
            self.tell(&Event::ExecExited(exit));
        }
    }

    fn remove_groups(&mut self, now_ms: u64) {
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for mut leaving in std::mem::take(&mut self.leaving) {
            match leaving.group.remove() {
                Ok(()) => done.push((leaving.request, Ok(Reply::Done))),
                Err(CgroupError::Busy(_)) if now_ms < leaving.deadline_ms => {
                    // What moved in meanwhile, or was forking while it was killed.
                    let _ = leaving.group.kill();
                    leaving.retry_ms = (leaving.retry_ms * 2).clamp(1, 50);
                    left.push(leaving);
                }
                Err(e) => done.push((leaving.request, Err(crate::requests::refused(&e)))),
            }
        }
        self.leaving = left;
        for (request, result) in done {
            if let Some(request) = request {
                self.reply(request, result, Vec::new());
            }
        }
    }

    /// Lets an attempt's group go; `request` is answered once it has.
    pub(crate) fn leave(&mut self, group: Group, request: Option<u64>) {
        let _ = group.kill();
        let deadline_ms = process::monotonic_ms() + REMOVE_WITHIN_MS;
        self.leaving.push(Leaving { group, request, deadline_ms, retry_ms: 0 });
    }

    fn report_drops(&mut self, now_ms: u64) {
        if now_ms < self.drops_told_ms + DROPS_EVERY_MS {
            return;
        }
        let mut drops = Vec::new();
        for container in self.containers.values_mut() {
            let log = container.log.state();
            if log.dropped_lines > container.reported_drops {
                container.reported_drops = log.dropped_lines;
                let (name, attempt) = (container.spec.name.clone(), container.attempt);
                let (lines, bytes) = (log.dropped_lines, log.dropped_bytes);
                drops.push(Event::LogDropped { container: name, attempt, lines, bytes });
            }
        }
        if !drops.is_empty() {
            self.drops_told_ms = now_ms;
            drops.iter().for_each(|event| self.tell(event));
        }
    }
}
