//! The SQLite engine against the model: random histories, reopened in between, every answer the same.
#![allow(clippy::unwrap_used, reason = "a case may panic")]

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use store::clock::ManualClock;
use store::{
    Compare, Expect, KeyRange, LeaseId, MemoryOptions, MemoryStore, Revision, SqliteOptions, SqliteStore, Store, Watch,
    WatchEvent, Write,
};

/// One thing that happens to both stores. Keys, leases and revisions are picks from what there is.
#[derive(Clone, Debug)]
enum Step {
    Commit { compares: Vec<(u8, Guess)>, writes: Vec<(u8, Change)> },
    Range { range: Span, limit: Option<u8>, back: Option<u8> },
    Compact { back: u8 },
    Grant { seconds: u8 },
    Keepalive { lease: u8 },
    Revoke { lease: u8 },
    Remaining { lease: u8 },
    PassSeconds(u8),
    Watch { range: Span, back: u8 },
    DrainWatches,
    Reopen,
}

#[derive(Clone, Debug)]
enum Guess {
    Unchanged,
    ModifiedSince { back: u8 },
    CreatedNow,
    Version(u8),
    Absent,
    Exists,
}

#[derive(Clone, Debug)]
enum Change {
    Put { value: u8, lease: Option<u8> },
    Delete,
}

#[derive(Clone, Debug)]
enum Span {
    All,
    Key(u8),
    Prefix(u8),
    Between(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec((0..KEYS, guess()), 0..3), vec((0..KEYS, change()), 0..5))
            .prop_map(|(compares, writes)| Step::Commit { compares, writes }),
        5 => (span(), proptest::option::of(0..6u8), proptest::option::of(0..12u8))
            .prop_map(|(range, limit, back)| Step::Range { range, limit, back }),
        1 => (0..8u8).prop_map(|back| Step::Compact { back }),
        2 => (1..10u8).prop_map(|seconds| Step::Grant { seconds }),
        1 => (0..6u8).prop_map(|lease| Step::Keepalive { lease }),
        1 => (0..6u8).prop_map(|lease| Step::Revoke { lease }),
        1 => (0..6u8).prop_map(|lease| Step::Remaining { lease }),
        2 => (0..5u8).prop_map(Step::PassSeconds),
        1 => (span(), 0..12u8).prop_map(|(range, back)| Step::Watch { range, back }),
        2 => Just(Step::DrainWatches),
        1 => Just(Step::Reopen),
    ]
}

const KEYS: u8 = 12;

fn guess() -> impl Strategy<Value = Guess> {
    prop_oneof![
        6 => Just(Guess::Unchanged),
        1 => (0..4u8).prop_map(|back| Guess::ModifiedSince { back }),
        1 => Just(Guess::CreatedNow),
        1 => (0..4u8).prop_map(Guess::Version),
        1 => Just(Guess::Absent),
        1 => Just(Guess::Exists),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<u8>(), proptest::option::weighted(0.3, 0..6u8)).prop_map(|(value, lease)| Change::Put { value, lease }),
        1 => Just(Change::Delete),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        Just(Span::All),
        (0..KEYS).prop_map(Span::Key),
        (0..3u8).prop_map(Span::Prefix),
        (0..KEYS, 0..KEYS).prop_map(|(from, to)| Span::Between(from, to)),
    ]
}

/// Twelve keys under three prefixes, some of them prefixes of others.
fn key(pick: u8) -> String {
    format!("{}/{}", ["a", "a/b", "b"][usize::from(pick % 3)], pick / 3)
}

fn range(span: &Span) -> KeyRange {
    match span {
        Span::All => KeyRange::all(),
        Span::Key(pick) => KeyRange::key(key(*pick)),
        Span::Prefix(pick) => KeyRange::prefix(["a", "a/b", "b"][usize::from(*pick)]),
        Span::Between(from, to) => KeyRange::span(key(*from), key(*to)),
    }
}

/// Both engines, side by side under one clock.
struct Pair {
    clock: Arc<ManualClock>,
    model: MemoryStore,
    sqlite: SqliteStore,
    options: SqliteOptions,
    leases: Vec<LeaseId>,
    watches: Vec<PairOfWatches>,
    _folder: tempfile::TempDir,
}

struct PairOfWatches {
    range: KeyRange,
    seen: Revision,
    model: Watch,
    sqlite: Watch,
}

/// Asks both engines the same and insists on the same answer, errors included.
macro_rules! same {
    ($pair:expr, $store:ident => $call:expr) => {{
        let $store: &dyn Store = &$pair.model;
        let expected = $call.await;
        let $store: &dyn Store = &$pair.sqlite;
        let answer = $call.await;
        assert_eq!(answer, expected);
        expected
    }};
}

impl Pair {
    async fn start() -> Pair {
        let clock = Arc::new(ManualClock::new());
        // Memory-backed where there is such a place: these histories prove order, not durability.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::new(folder.path().join("store.db")) };
        Pair {
            model: MemoryStore::new(MemoryOptions { clock: clock.clone(), ..MemoryOptions::default() }),
            sqlite: SqliteStore::open(options.clone()).await.unwrap(),
            clock,
            options,
            leases: Vec::new(),
            watches: Vec::new(),
            _folder: folder,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Commit { compares, writes } => self.commit(compares, writes).await,
            Step::Range { range: span, limit, back } => {
                let at = match back {
                    Some(back) => Some(self.back(*back).await),
                    None => None,
                };
                let _same = same!(self, store => store.range(range(span), limit.map(usize::from), at));
            }
            Step::Compact { back } => {
                let at = self.back(*back).await;
                let _same = same!(self, store => store.compact(at));
            }
            Step::Grant { seconds } => {
                let ttl = Duration::from_secs(u64::from(*seconds));
                self.leases.push(same!(self, store => store.lease_grant(ttl)).unwrap());
            }
            Step::Keepalive { lease } => drop(same!(self, store => store.lease_keepalive(self.lease(*lease)))),
            Step::Revoke { lease } => drop(same!(self, store => store.lease_revoke(self.lease(*lease)))),
            Step::Remaining { lease } => drop(same!(self, store => store.lease_remaining(self.lease(*lease)))),
            Step::PassSeconds(seconds) => self.clock.advance(Duration::from_secs(u64::from(*seconds))),
            Step::Watch { range: span, back } => self.watch(range(span), *back).await,
            Step::DrainWatches => self.drain_watches().await,
            Step::Reopen => self.reopen().await,
        }
        // A commit of nothing ends the leases that are due, in both.
        let _same = same!(self, store => store.commit(vec![], vec![]));
        let (model, sqlite) = (self.model.status().await.unwrap(), self.sqlite.status().await.unwrap());
        assert_eq!((sqlite.revision, sqlite.floor), (model.revision, model.floor));
    }

    async fn back(&self, steps: u8) -> Revision {
        // One step before the present is the future.
        Revision((self.model.status().await.unwrap().revision.0 + 1).saturating_sub(u64::from(steps)))
    }

    fn lease(&self, pick: u8) -> LeaseId {
        match self.leases.len() {
            0 => LeaseId(1_000_000),
            count => self.leases[usize::from(pick) % count],
        }
    }

    async fn commit(&mut self, compares: &[(u8, Guess)], writes: &[(u8, Change)]) {
        let mut expected = Vec::new();
        for (pick, guess) in compares {
            let kv = self.model.get(key(*pick).into()).await.unwrap();
            let expect = match guess {
                Guess::Unchanged => Compare::unchanged("", kv.as_deref()).expect,
                Guess::ModifiedSince { back } => Expect::ModRevision(self.back(*back).await),
                Guess::CreatedNow => Expect::CreateRevision(kv.map_or(Revision::ABSENT, |kv| kv.create_revision)),
                Guess::Version(version) => Expect::Version(u64::from(*version)),
                Guess::Absent => Expect::Absent,
                Guess::Exists => Expect::Exists,
            };
            expected.push(Compare { key: key(*pick).into(), expect });
        }
        let writes: Vec<Write> = writes.iter().map(|(pick, change)| self.write(*pick, change)).collect();
        let _same = same!(self, store => store.commit(expected.clone(), writes.clone()));
    }

    fn write(&self, pick: u8, change: &Change) -> Write {
        match change {
            Change::Put { value, lease } => Write::Put {
                key: key(pick).into(),
                value: vec![*value; usize::from(*value)].into(),
                lease: lease.map(|lease| self.lease(lease)),
            },
            Change::Delete => Write::delete(key(pick)),
        }
    }

    async fn watch(&mut self, range: KeyRange, back: u8) {
        let seen = Revision(self.back(back).await.0.saturating_sub(1));
        let watch = |store: &dyn Store| store.watch(range.clone(), seen.next());
        let (model, sqlite) = (watch(&self.model), watch(&self.sqlite));
        self.watches.push(PairOfWatches { range, seen, model, sqlite });
    }

    async fn drain_watches(&mut self) {
        let _due_leases_end = same!(self, store => store.commit(vec![], vec![]));
        let current = self.model.status().await.unwrap().revision;
        let mut kept = Vec::new();
        for mut watch in std::mem::take(&mut self.watches) {
            let mut compacted = false;
            while watch.seen < current && !compacted {
                let expected = watch.model.next().await.unwrap();
                let event = tokio::time::timeout(Duration::from_secs(20), watch.sqlite.next());
                assert_eq!(event.await.expect("the model has an event").unwrap(), expected);
                match expected {
                    WatchEvent::Revision { revision, .. } | WatchEvent::Progress(revision) => {
                        assert!(revision > watch.seen);
                        watch.seen = revision;
                    }
                    WatchEvent::Compacted(_) => compacted = true,
                }
            }
            if !compacted {
                kept.push(watch);
            }
        }
        self.watches = kept;
    }

    /// Leases get their whole time again when a store is opened, so both get it before.
    async fn reopen(&mut self) {
        for lease in self.leases.clone() {
            let _same = same!(self, store => store.lease_keepalive(lease));
        }
        self.sqlite.close().await;
        self.sqlite = SqliteStore::open(self.options.clone()).await.unwrap();
        for watch in &mut self.watches {
            watch.sqlite = self.sqlite.watch(watch.range.clone(), watch.seen.next());
        }
    }
}

/// More with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_gets_the_answers_of_the_model(steps in vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::start().await;
            for step in &steps {
                pair.take(step).await;
            }
            pair.reopen().await;
            pair.drain_watches().await;
            let _same = same!(pair, store => store.range(KeyRange::all(), None, None));
        });
    }
}
