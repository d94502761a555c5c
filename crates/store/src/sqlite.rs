//! The SQLite engine: one file, one thread that writes it, everything that is read kept in memory. Nothing here knows what a record is.
//!
//! A caller puts its commit into a bounded queue. The writer thread takes all that is queued, evaluates the compares against its own
//! copy of the state, appends the changes in one SQLite transaction (write-ahead log, `synchronous=FULL`: one fsync however many
//! commits), then publishes the new state and answers all callers. So nothing is visible before it is durable, and the cost of the
//! fsync is shared by whoever came while the last one ran.
//!
//! Current keys and the kept history live in persistent maps: readers, ranges in the past and watchers look at published copies and
//! touch neither the disk nor the writer. A watcher is a position in that history, so a slow one costs nothing; one that falls
//! behind the floor is told so. What is on disk, and why, stands in `database`.

mod database;
mod expiry;
mod leases;
mod lock;
mod request;
mod state;
mod turn;
mod writer;

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::clock::{Clock, SystemClock};
use crate::error::StoreError;
use crate::kv::{KeyRange, LeaseId, RangeResult, Revision, Status};
use crate::txn::{CommitOutcome, Compare, Write, validate};
use crate::watch::{Watch, WatchEvent, WatchSource};
use crate::{Reply, Store};

use database::Database;
use leases::Leases;
use lock::StoreLock;
use request::{Call, Commit, Request};
use state::State;
use turn::Core;
use writer::{MAX_BATCH, Writer};

/// How much history is kept for watchers and ranges in the past, in memory and on disk: as long as neither limit is passed by more
/// than an eighth. A store that has run out of space keeps none.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// The number of revisions.
    pub revisions: u64,
    /// The bytes of keys and values, and some for each version.
    pub bytes: u64,
}

impl Retention {
    const NONE: Retention = Retention { revisions: 0, bytes: 0 };
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { revisions: 20_000, bytes: 16 << 20 }
    }
}

/// What is called when the disk fails or the writer breaks: nothing more will be acknowledged. It should end the process.
pub type OnFatal = Arc<dyn Fn(&FatalError) + Send + Sync>;

/// How a SQLite store is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// The database file; beside it SQLite keeps its write-ahead log and we a lock file.
    pub path: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub keep: Retention,
    /// The most bytes the database file may have; beyond it the store behaves as on a full disk.
    pub max_bytes: Option<u64>,
    /// By default logs and aborts the process.
    pub on_fatal: OnFatal,
}

impl SqliteOptions {
    /// The defaults, for a database file in an existing folder.
    pub fn new(path: impl Into<PathBuf>) -> SqliteOptions {
        SqliteOptions {
            path: path.into(),
            clock: Arc::new(SystemClock::new()),
            keep: Retention::default(),
            max_bytes: None,
            on_fatal: Arc::new(|error| {
                tracing::error!(%error, cause = error.cause(), "the store cannot go on, the process ends");
                std::process::abort();
            }),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store {} is in use by {holder}; stop that first", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error("cannot lock the store with the file {}; check that its folder exists and may be written", path.display())]
    LockFile { path: PathBuf, source: io::Error },
    #[error("cannot open the store's database {}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("the store's database {} is damaged ({finding}); restore it from a backup", path.display())]
    Damaged { path: PathBuf, finding: String },
    #[error("{} is a database of another program; choose another path for the store", path.display())]
    Foreign { path: PathBuf },
    #[error("the store's database {} has format {found}, this version reads format {supported}; use the version that wrote it", path.display())]
    SchemaVersion { path: PathBuf, found: i64, supported: i64 },
    #[error("cannot start the store's writer thread")]
    Thread { source: io::Error },
    #[error("the store's writer thread ended while it opened the store; this is a defect")]
    WriterEnded,
}

/// Why a store stopped acknowledging.
#[derive(Debug, thiserror::Error)]
pub enum FatalError {
    /// After a failed write or fsync nobody knows what is on disk; only opening it anew tells.
    #[error("the store's database {} could not be written", path.display())]
    Disk { path: PathBuf, source: rusqlite::Error },
    #[error("the store's writer thread panicked; this is a defect")]
    Panicked,
}

impl FatalError {
    fn cause(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}

/// A store in one SQLite file, used by this process alone.
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    published: watch::Receiver<Arc<State>>,
    path: PathBuf,
    epoch: u64,
    /// Ends the expiry timer with the store.
    _timer: JoinSet<()>,
}

/// What the writer thread hands to the store once the database is open.
struct Opened {
    published: watch::Receiver<Arc<State>>,
    next_deadline: watch::Receiver<Option<Duration>>,
    epoch: u64,
}

impl SqliteStore {
    /// Opens or creates the store. Needs a tokio runtime with time, which drives the expiry of leases.
    pub async fn open(options: SqliteOptions) -> Result<SqliteStore, OpenError> {
        let (requests, queue) = mpsc::channel(2 * MAX_BATCH);
        let (opened_sender, opened) = oneshot::channel();
        let (path, clock) = (options.path.clone(), options.clock.clone());
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_until_closed(options, queue, opened_sender))
            .map_err(|source| OpenError::Thread { source })?;
        let Opened { published, next_deadline, epoch } = opened.await.unwrap_or(Err(OpenError::WriterEnded))?;
        let mut timer = JoinSet::new();
        timer.spawn(expiry::run(clock, next_deadline, requests.downgrade()));
        Ok(SqliteStore { requests, published, path, epoch, _timer: timer })
    }

    /// Answers what is queued, then closes the file. Afterwards it can be opened anew; every call on this store answers `Closed`.
    pub async fn close(&self) {
        let _closed_already = self.requests.send(Request::Close).await;
        // The writer drops its end last of all, after the lock.
        let mut published = self.published.clone();
        let _ended = published.wait_for(|_| false).await;
    }

    async fn ask<Q, A>(&self, question: Q, request: impl FnOnce(Call<Q, A>) -> Request) -> Result<A, StoreError> {
        let (waiting, answer) = oneshot::channel();
        self.requests.send(request(Call::new(question, waiting))).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Unknown))
    }

    fn state(&self) -> Result<Arc<State>, StoreError> {
        self.published.has_changed().map_err(|_| StoreError::Closed)?;
        Ok(self.published.borrow().clone())
    }
}

/// The life of the writer thread.
fn write_until_closed(
    options: SqliteOptions,
    queue: mpsc::Receiver<Request>,
    opened: oneshot::Sender<Result<Opened, OpenError>>,
) {
    let lock = match StoreLock::take(&options.path) {
        Ok(lock) => lock,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let (mut writer, store) = match open_writer(&options, queue) {
        Ok(pair) => pair,
        Err(error) => return drop(opened.send(Err(error))),
    };
    if opened.send(Ok(store)).is_err() {
        return;
    }
    let fatal = match std::panic::catch_unwind(AssertUnwindSafe(|| writer.run())) {
        Ok(Ok(())) => None,
        Ok(Err(source)) => Some(FatalError::Disk { path: options.path, source }),
        Err(_) => Some(FatalError::Panicked),
    };
    let Writer { database, published, .. } = writer;
    match fatal {
        None => database.close(),
        Some(fatal) => {
            database.touch_no_more();
            (options.on_fatal)(&fatal);
        }
    }
    drop(lock);
    drop(published);
}

fn open_writer(options: &SqliteOptions, requests: mpsc::Receiver<Request>) -> Result<(Writer, Opened), OpenError> {
    let database = Database::open(&options.path, options.max_bytes)?;
    let contents = database.load()?;
    let now = options.clock.now();
    let mut leases = Leases::new(contents.last_lease);
    for (id, ttl) in contents.leases {
        leases.add(id, now, ttl);
    }
    for (id, key) in contents.state.leased() {
        if !leases.attach(id, key.clone()) {
            let finding = format!("the key {} hangs on lease {id}, which does not exist", key.escape_ascii());
            return Err(OpenError::Damaged { path: options.path.clone(), finding });
        }
    }
    let (published, reader) = watch::channel(Arc::new(contents.state.clone()));
    let (next_deadline, timer) = watch::channel(leases.next_deadline());
    let writer = Writer {
        core: Core { state: contents.state, leases },
        database,
        requests,
        published,
        next_deadline,
        clock: options.clock.clone(),
        keep: options.keep,
        useless_rows: contents.useless_rows.into_iter().collect(),
        disk_is_full: false,
    };
    Ok((writer, Opened { published: reader, next_deadline: timer, epoch: contents.epoch }))
}

impl Store for SqliteStore {
    fn range(&self, range: KeyRange, limit: Option<usize>, at: Option<Revision>) -> Reply<'_, RangeResult> {
        Box::pin(async move { self.state()?.range(&range, limit, at) })
    }

    fn commit(&self, compares: Vec<Compare>, writes: Vec<Write>) -> Reply<'_, CommitOutcome> {
        Box::pin(async move {
            validate(&compares, &writes)?;
            self.ask(Commit { compares, writes }, Request::Commit).await
        })
    }

    fn watch(&self, range: KeyRange, from: Revision) -> Watch {
        Watch::new(SqliteWatch { published: self.published.clone(), range, from })
    }

    fn lease_grant(&self, ttl: Duration) -> Reply<'_, LeaseId> {
        Box::pin(self.ask(ttl, Request::LeaseGrant))
    }

    fn lease_keepalive(&self, lease: LeaseId) -> Reply<'_, Duration> {
        Box::pin(self.ask(lease, Request::LeaseKeepalive))
    }

    fn lease_revoke(&self, lease: LeaseId) -> Reply<'_, Revision> {
        Box::pin(self.ask(lease, Request::LeaseRevoke))
    }

    fn lease_remaining(&self, lease: LeaseId) -> Reply<'_, Duration> {
        Box::pin(self.ask(lease, Request::LeaseRemaining))
    }

    fn compact(&self, at: Revision) -> Reply<'_, Revision> {
        Box::pin(self.ask(at, Request::Compact))
    }

    fn status(&self) -> Reply<'_, Status> {
        Box::pin(async move {
            let state = self.state()?;
            let bytes = file_bytes(&self.path, "") + file_bytes(&self.path, "-wal");
            Ok(Status { revision: state.revision(), floor: state.floor(), epoch: self.epoch, bytes })
        })
    }
}

fn file_bytes(path: &Path, suffix: &str) -> u64 {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// A position in the published history.
struct SqliteWatch {
    published: watch::Receiver<Arc<State>>,
    range: KeyRange,
    from: Revision,
}

impl WatchSource for SqliteWatch {
    fn next(&mut self) -> Reply<'_, WatchEvent> {
        Box::pin(async move {
            loop {
                // Not kept between calls: a watcher that is not asked again must not keep old values alive.
                let state = self.published.borrow_and_update().clone();
                match state.see(&self.range, self.from)? {
                    Some(event) => {
                        if let WatchEvent::Revision { revision, .. } | WatchEvent::Progress(revision) = event {
                            self.from = revision.next();
                        }
                        return Ok(event);
                    }
                    None => {
                        drop(state);
                        self.published.changed().await.map_err(|_| StoreError::Closed)?;
                    }
                }
            }
        })
    }
}
