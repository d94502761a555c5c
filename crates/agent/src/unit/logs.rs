//! The output of the Unit's containers on its way to the Logs API, where their log sink says so.

use super::Actor;
use crate::ship::{Source, ship};
use model::unit::spec::LogSink;
use runtime::protocol::LogState;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long an ended Unit waits for its last lines to be stored before it is said to have stopped. Lines that are not sent
/// by then go on being sent.
const LAST_LINES: Duration = Duration::from_secs(5);

/// One container attempt's shipping.
pub(super) struct Shipping {
    /// Dropped or used when nothing more will be written.
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Actor {
    /// Begins with a fresh attempt, whose log file is there and empty from its present end on. An error is the server's refusal
    /// to take its lines.
    pub(super) async fn ship_logs(&mut self, index: usize) -> Result<(), String> {
        let Some(source) = self.log_source(index, 0, 0) else { return Ok(()) };
        self.node.shipper.announce(&source).await?;
        self.begin_shipping(source);
        Ok(())
    }

    /// Goes on where an earlier agent was: what the supervisor knows as acknowledged is shipped.
    pub(super) fn resume_logs(&mut self, container: &str, log: &LogState) {
        let index = self.index_of(container);
        let behind = log.written.saturating_sub(log.acked);
        if let Some(source) = index.and_then(|i| self.log_source(i, log.acked, behind)) {
            self.begin_shipping(source);
        }
    }

    /// Where a container's lines come from and go to; None if they stay on the node.
    fn log_source(&self, index: usize, shipped: u64, behind: u64) -> Option<Source> {
        let unit = &self.journal.assignment.unit;
        let spec = &self.journal.assignment.spec.containers[index];
        let LogSink::Stream { group, stream, create_group, .. } = &spec.log else { return None };
        let progress = &self.journal.containers[index];
        let scope = &unit.name.cluster().scope;
        Some(Source {
            uid: unit.uid.clone(),
            container: spec.name.clone(),
            attempt: progress.attempt,
            producer: progress.runtime_id.clone(),
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            group: group.clone(),
            stream: stream.replace("{uid}", unit.uid.as_str()),
            create_group: *create_group,
            log_file: self.node.config.logs_dir().join(unit.uid.as_str()).join(format!("{}.log", spec.name)),
            shipped,
            behind,
        })
    }

    fn begin_shipping(&mut self, source: Source) {
        let Some(entry) = self.node.directory.follow(&source.uid) else { return };
        let (end, ended) = oneshot::channel();
        #[allow(
            clippy::disallowed_methods,
            reason = "the actor keeps the handle and ends it; only unsent lines outlive it"
        )]
        let task = tokio::spawn(ship(self.node.clone(), source, entry, ended));
        self.shipping.push(Shipping { end: Some(end), task });
    }

    /// Nothing more will be written: waits for the last lines, within reason.
    pub(super) async fn finish_shipping(&mut self) {
        let all = std::mem::take(&mut self.shipping);
        let sent = async {
            for mut shipping in all {
                drop(shipping.end.take());
                // A task that failed has said so.
                let _ = shipping.task.await;
            }
        };
        if tokio::time::timeout(LAST_LINES, sent).await.is_err() {
            tracing::warn!(unit = %self.journal.assignment.unit.uid, "the last log lines of a unit are not stored yet");
        }
    }
}
