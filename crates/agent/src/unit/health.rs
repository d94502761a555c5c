//! Health checks: when to probe, and what verdict a probe's end gives.
//!
//! ECS: `retries` failures in a row make a container unhealthy, one success makes it healthy; failures in the start period
//! do not count. Besides the probes at each interval there are early ones, soon after the start, of which only a success
//! counts: whoever waits for HEALTHY waits for the program, not for a timer.

use super::Actor;
use crate::directory::{FIRST_PROBE, random_u32};
use model::unit::Health;
use model::unit::spec::HealthCheck;
use runtime::protocol::{ExecExit, ExecIo, ExecSpec, Request};
use tokio::time::{Duration, Instant};

/// The first early probe comes this long after the start; each next one after twice the time.
const EARLY_FIRST: Duration = Duration::from_millis(50);
/// Most output of a failed probe that is kept, in bytes.
const OUTPUT_BYTES: u32 = 4096;

/// The probes of a Unit's containers, by index.
pub(super) struct Probes {
    all: Vec<Option<Probe>>,
    next_exec: u64,
}

struct Probe {
    check: HealthCheck,
    started: Instant,
    due: Option<Instant>,
    /// The early probe after the next one comes after this long.
    early: Option<Duration>,
    running: Option<(u64, bool)>,
    failures: u32,
}

impl Probes {
    pub(super) fn new(count: usize) -> Self {
        Self { all: (0..count).map(|_| None).collect(), next_exec: FIRST_PROBE + u64::from(random_u32()) }
    }

    pub(super) fn begin(&mut self, index: usize, check: Option<&HealthCheck>) {
        let started = Instant::now();
        self.all[index] = check.map(|check| Probe {
            check: check.clone(),
            started,
            due: Some(started + EARLY_FIRST),
            early: Some(EARLY_FIRST),
            running: None,
            failures: 0,
        });
    }

    pub(super) fn end(&mut self, index: usize) {
        self.all[index] = None;
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.all.iter().flatten().filter_map(|p| p.due).min()
    }

    /// The verdict that a finished probe gives, if it changes or confirms one.
    fn finished(&mut self, exit: &ExecExit) -> Option<(usize, Health)> {
        let index =
            self.all.iter().position(|p| p.as_ref().and_then(|p| p.running).is_some_and(|(id, _)| id == exit.exec))?;
        let probe = self.all[index].as_mut()?;
        let (_, was_early) = probe.running.take()?;
        let now = Instant::now();
        let interval = Duration::from_secs(u64::from(probe.check.interval_s));
        let healthy = exit.code == Some(0) && !exit.timed_out;
        if healthy {
            probe.failures = 0;
            probe.early = None;
            probe.due = Some(now + interval);
            return Some((index, Health::Healthy));
        }
        probe.due = Some(match probe.early.map(|e| e * 2) {
            Some(next) if now + next < probe.started + interval => {
                probe.early = Some(next);
                now + next
            }
            Some(_) => {
                probe.early = None;
                probe.started + interval
            }
            None => now + interval,
        });
        let in_start_period = now < probe.started + Duration::from_secs(u64::from(probe.check.start_period_s));
        if was_early || in_start_period {
            return None;
        }
        probe.failures += 1;
        (probe.failures >= probe.check.retries).then_some((index, Health::Unhealthy))
    }
}

impl Actor {
    pub(super) async fn probe_what_is_due(&mut self, now: Instant) {
        for index in 0..self.probes.all.len() {
            let id = self.probes.next_exec;
            let Some(probe) = self.probes.all[index].as_mut().filter(|p| p.due.is_some_and(|due| due <= now)) else {
                continue;
            };
            probe.due = None;
            probe.running = Some((id, probe.early.is_some()));
            self.probes.next_exec += 1;
            let exec = ExecSpec {
                exec: id,
                container: self.journal.assignment.spec.containers[index].name.clone(),
                argv: probe.check.command.clone(),
                timeout_ms: u64::from(probe.check.timeout_s) * 1000,
                io: ExecIo::Capture { max_bytes: OUTPUT_BYTES },
                ..ExecSpec::default()
            };
            let container = exec.container.clone();
            let Ok(link) = self.link() else { continue };
            if let Err(error) = link.tell(Request::Exec(Box::new(exec))).await {
                // A probe that cannot be run is a probe that failed.
                let output = error.to_string();
                let exit = ExecExit {
                    exec: id,
                    container,
                    code: None,
                    signal: None,
                    timed_out: false,
                    output,
                    truncated: false,
                };
                self.probed(&exit);
            }
        }
    }

    pub(super) fn probed(&mut self, exit: &ExecExit) {
        if let Some((index, health)) = self.probes.finished(exit) {
            self.journal.containers[index].health = Some(health);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(retries: u32, start_period_s: u32) -> Probes {
        let mut probes = Probes::new(1);
        let check = HealthCheck { command: vec!["x".into()], interval_s: 30, timeout_s: 5, retries, start_period_s };
        probes.begin(0, Some(&check));
        probes
    }

    fn end(probes: &mut Probes, code: i32, early: bool) -> Option<Health> {
        probes.all[0].as_mut().unwrap().running = Some((7, early));
        let exit = ExecExit {
            exec: 7,
            container: "x".into(),
            code: Some(code),
            signal: None,
            timed_out: false,
            output: String::new(),
            truncated: false,
        };
        probes.finished(&exit).map(|(_, health)| health)
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_failures_in_a_row_make_a_container_unhealthy() {
        let mut probes = probes(3, 0);
        assert_eq!(end(&mut probes, 1, false), None);
        assert_eq!(end(&mut probes, 1, false), None);
        assert_eq!(end(&mut probes, 0, false), Some(Health::Healthy));
        assert_eq!(end(&mut probes, 1, false), None);
        assert_eq!(end(&mut probes, 1, false), None);
        assert_eq!(end(&mut probes, 1, false), Some(Health::Unhealthy));
        assert_eq!(end(&mut probes, 0, false), Some(Health::Healthy));
    }

    #[tokio::test(start_paused = true)]
    async fn early_probes_and_the_start_period_forgive_failures_but_not_successes() {
        let mut probes = probes(1, 60);
        assert_eq!(end(&mut probes, 1, true), None);
        assert_eq!(end(&mut probes, 1, false), None);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(end(&mut probes, 1, true), None);
        assert_eq!(end(&mut probes, 0, true), Some(Health::Healthy));
        assert_eq!(end(&mut probes, 1, false), Some(Health::Unhealthy));
    }

    #[tokio::test(start_paused = true)]
    async fn early_probes_grow_apart_until_the_interval_takes_over() {
        let mut probes = probes(3, 0);
        let start = Instant::now();
        for _ in 0..20 {
            let due = probes.next_due().unwrap();
            tokio::time::advance(due - Instant::now()).await;
            end(&mut probes, 1, false);
        }
        assert!(Instant::now() - start >= Duration::from_secs(30));
    }
}
