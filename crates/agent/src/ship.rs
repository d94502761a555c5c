//! Container output on its way to the Logs API: read from the node's own files, sent in batches, acknowledged, released.
//!
//! One batch of a container is under way at a time. The file is the spool: what is not acknowledged is read again after a
//! crash, and the batch's sequence, its end in the file, makes that harmless.

use crate::context::NodeContext;
use crate::directory::Entry;
use crate::tail::{Changes, Line, Tail};
use model::UnitUid;
use runtime::protocol::Request;
use session::{LogBatch, LogEvent};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

/// Lines of one batch; the Logs API takes 10,000.
const BATCH_LINES: usize = 1_000;
/// Bytes of one batch; the Logs API takes 1 MiB, 26 of them for each event.
const BATCH_BYTES: usize = 900 << 10;
const EVENT_OVERHEAD: usize = 26;
/// Batches that may wait for the session.
const QUEUE: usize = 64;
/// How long a container's start waits for the server to say whether its lines have a place.
const ANNOUNCE: Duration = Duration::from_secs(2);
/// The wait before a refused batch is sent again.
const REFUSED: Duration = Duration::from_secs(1);

/// The batches of all containers that wait for the server.
pub(crate) struct Shipper {
    queue: mpsc::Sender<LogBatch>,
    waiting: AsyncMutex<mpsc::Receiver<LogBatch>>,
    /// Sent or about to be, by producer.
    under_way: Mutex<UnderWay>,
}

/// By producer: the batch, and who waits for its acknowledgement (None) or refusal (its words).
type UnderWay = HashMap<String, (LogBatch, oneshot::Sender<Option<String>>)>;

impl Default for Shipper {
    fn default() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self { queue, waiting: AsyncMutex::new(waiting), under_way: Mutex::default() }
    }
}

impl Shipper {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch for the server.
    pub(crate) async fn next(&self) -> LogBatch {
        match self.waiting.lock().await.recv().await {
            Some(batch) => batch,
            None => std::future::pending().await,
        }
    }

    /// A new session: everything that was not acknowledged goes out again.
    pub(crate) fn resend(&self) {
        for (batch, _) in self.under_way().values() {
            // A full queue holds the batch already, or will be asked again by its container's retry.
            let _ = self.queue.try_send(batch.clone());
        }
    }

    pub(crate) fn acknowledged(&self, producer: &str, sequence: u64, refused: Option<String>) {
        let mut under_way = self.under_way();
        if under_way.get(producer).is_some_and(|(batch, _)| batch.sequence == sequence)
            && let Some((_, done)) = under_way.remove(producer)
        {
            let _ = done.send(refused);
        }
    }

    /// Asks whether there is a place for a container's lines, and makes it; the words of a refusal are the server's. A server
    /// that cannot be asked in time keeps no container from starting.
    pub(crate) async fn announce(&self, source: &Source) -> Result<(), String> {
        let asked = self.send(source.batch(0, Vec::new()));
        match tokio::time::timeout(ANNOUNCE, asked).await {
            Ok(Some(refused)) => Err(refused),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Sends one batch; returns when the server has it. None is success, words are a refusal.
    async fn send(&self, batch: LogBatch) -> Option<String> {
        let (done, wait) = oneshot::channel();
        self.under_way().insert(batch.producer.clone(), (batch.clone(), done));
        let _ = self.queue.send(batch).await;
        wait.await.unwrap_or(None)
    }
}

/// One container attempt whose output goes to a stream.
pub(crate) struct Source {
    pub uid: UnitUid,
    pub container: String,
    pub attempt: u32,
    pub producer: String,
    pub account: String,
    pub region: String,
    pub group: String,
    pub stream: String,
    pub create_group: bool,
    pub log_file: PathBuf,
    /// Bytes of the attempt that were shipped already.
    pub shipped: u64,
    /// Bytes between that place and the file's present end.
    pub behind: u64,
}

impl Source {
    fn batch(&self, sequence: u64, events: Vec<LogEvent>) -> LogBatch {
        LogBatch {
            account: self.account.clone(),
            region: self.region.clone(),
            group: self.group.clone(),
            stream: self.stream.clone(),
            create_group: self.create_group,
            producer: self.producer.clone(),
            sequence,
            events,
        }
    }
}

/// Ships until the attempt has ended and everything is sent. `unit` closes when the Unit has ended.
pub(crate) async fn ship(
    node: Arc<NodeContext>,
    source: Source,
    mut unit: watch::Receiver<Option<Entry>>,
    mut ended: oneshot::Receiver<()>,
) {
    let opened = Tail::open(&source.log_file, source.behind);
    let dir = source.log_file.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let (mut tail, changes) = match (opened, Changes::of(&dir)) {
        (Ok(tail), Ok(changes)) => (tail, changes),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(unit = %source.uid, container = source.container, %error, "a container's log cannot be read for shipping");
            return;
        }
    };
    let mut over = false;
    loop {
        let mut lines = match tail.read(BATCH_LINES) {
            Ok(lines) => lines,
            Err(error) => {
                tracing::error!(unit = %source.uid, container = source.container, %error, "a container's log cannot be read for shipping");
                return;
            }
        };
        if lines.is_empty() && over {
            lines = tail.rest();
            if lines.is_empty() {
                return;
            }
        }
        if !lines.is_empty() {
            let end = source.shipped + tail.consumed;
            ship_lines(&node, &source, lines, end).await;
            release(&source, &mut unit, if tail.holds_back() { None } else { Some(end) }).await;
            continue;
        }
        tokio::select! {
            changed = changes.next() => {
                if changed.is_err() {
                    return;
                }
            }
            // Ended, or the actor is gone: what is there now is all.
            _ = &mut ended, if !over => over = true,
        }
    }
}

/// Sends lines in as many batches as they need; a refused one is sent again.
async fn ship_lines(node: &NodeContext, source: &Source, lines: Vec<Line>, end: u64) {
    let batches = split(lines);
    let count = batches.len() as u64;
    for (index, events) in batches.into_iter().enumerate() {
        // Ascending, and the same for the same lines after a crash: places within a read are told apart by count.
        let sequence = (end - (count - 1 - index as u64)).max(1);
        let batch = source.batch(sequence, events);
        while let Some(refused) = node.shipper.send(batch.clone()).await {
            if node.directory.follow(&source.uid).is_none() {
                tracing::warn!(unit = %source.uid, container = source.container, refused, "the last log lines of an ended unit are refused; giving up on them");
                return;
            }
            tracing::warn!(unit = %source.uid, container = source.container, refused, "log lines were refused; trying again");
            tokio::time::sleep(REFUSED).await;
        }
    }
}

fn split(lines: Vec<Line>) -> Vec<Vec<LogEvent>> {
    let mut batches: Vec<Vec<LogEvent>> = vec![Vec::new()];
    let mut bytes = 0;
    for line in lines {
        // The Logs API takes no empty event.
        if line.text.is_empty() {
            continue;
        }
        let size = line.text.len() + EVENT_OVERHEAD;
        if bytes + size > BATCH_BYTES {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(LogEvent { timestamp_ms: line.timestamp_ms, message: line.text });
        }
    }
    batches.retain(|b| !b.is_empty());
    batches
}

/// Tells the supervisor that the spool has room again.
async fn release(source: &Source, unit: &mut watch::Receiver<Option<Entry>>, offset: Option<u64>) {
    let Some(offset) = offset else { return };
    let Some(link) = unit.borrow().as_ref().map(|entry| entry.link.clone()) else { return };
    let (container, attempt) = (source.container.clone(), source.attempt);
    // An attempt that has ended needs no room.
    let _ = link.tell(Request::LogAck { container, attempt, offset }).await;
}
