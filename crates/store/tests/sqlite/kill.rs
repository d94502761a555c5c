//! SIGKILL at random points: no acknowledged commit is lost and none that a watcher saw, none is torn, the history has no hole.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use store::{KeyRange, Retention, Revision, SqliteOptions, SqliteStore, Store, WatchEvent, Write};
use tokio::task::JoinSet;

use crate::{folder, options, this_test_as_child};

const WRITERS: usize = 8;
const KEYS_PER_COMMIT: usize = 8;

fn small_history(folder: &Path) -> SqliteOptions {
    SqliteOptions { keep: Retention { revisions: 300, bytes: 1 << 20 }, ..options(folder) }
}

/// The child's part: every writer sets its eight keys to 1, 2, 3 and so on, and says so after each answer; a watcher says what it sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committing_until_killed() {
    let Ok(folder) = std::env::var("STORE_TEST_KILL") else { return };
    let store = Arc::new(SqliteStore::open(small_history(Path::new(&folder))).await.unwrap());
    let mut tasks = JoinSet::new();
    let mut watch = store.watch(KeyRange::all(), store.status().await.unwrap().revision.next());
    tasks.spawn(async move {
        while let WatchEvent::Revision { revision, .. } = watch.next().await.unwrap() {
            writeln!(std::io::stdout(), "visible {revision}").unwrap();
        }
    });
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            for n in last_number(&store, writer).await + 1.. {
                let puts = (0..KEYS_PER_COMMIT).map(|key| Write::put(format!("{writer}/{key}"), n.to_string()));
                let revision = store.commit(vec![], puts.collect()).await.unwrap().committed().unwrap();
                writeln!(std::io::stdout(), "acknowledged {writer} {n} {revision}").unwrap();
            }
        });
    }
    tasks.join_all().await;
}

async fn last_number(store: &SqliteStore, writer: usize) -> u64 {
    let kv = store.get(format!("{writer}/0").into()).await.unwrap();
    kv.map_or(0, |kv| std::str::from_utf8(&kv.value).unwrap().parse().unwrap())
}

/// The highest acknowledged number of each writer, and the highest revision that anybody was shown.
#[derive(Default)]
struct Acknowledged {
    numbers: BTreeMap<usize, u64>,
    revision: u64,
}

impl Acknowledged {
    /// Takes in a line of the child. The last one may be cut short; then it is no number or a smaller one, so no stronger claim.
    fn take(&mut self, line: &str) {
        if let Some(revision) = line.strip_prefix("visible ").and_then(|number| number.parse().ok()) {
            self.revision = self.revision.max(revision);
        }
        let Some((_, numbers)) = line.split_once("acknowledged ") else { return };
        let numbers: Vec<u64> = numbers.split(' ').map_while(|number| number.parse().ok()).collect();
        if let [writer, n, revision] = numbers[..] {
            let highest = self.numbers.entry(usize::try_from(writer).unwrap()).or_default();
            *highest = n.max(*highest);
            self.revision = self.revision.max(revision);
        }
    }
}

/// Runs the child for `life` and kills it.
fn run_and_kill(folder: &Path, life: Duration, acknowledged: &mut Acknowledged) {
    let variables = [("STORE_TEST_KILL", folder.to_str().unwrap())];
    let mut child = this_test_as_child("kill::committing_until_killed", &variables)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<String>>());
    thread::sleep(life); // The point of the test: the child dies at a moment that nothing chose.
    child.kill().unwrap();
    child.wait().unwrap();
    for line in reader.join().unwrap() {
        acknowledged.take(&line);
    }
}

async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let store = SqliteStore::open(small_history(folder)).await.unwrap();
    let status = store.status().await.unwrap();
    assert!(status.revision.0 >= acknowledged.revision, "a revision that was visible is lost");
    for writer in 0..WRITERS {
        let stored = last_number(&store, writer).await;
        let acknowledged = acknowledged.numbers.get(&writer).copied().unwrap_or(0);
        assert!(stored >= acknowledged, "writer {writer}: {acknowledged} was acknowledged, {stored} is stored");
        let keys = store.range(KeyRange::prefix(format!("{writer}/")), None, None).await.unwrap();
        let whole = keys.kvs.iter().all(|kv| kv.value == stored.to_string() && kv.version == stored);
        assert!(whole && (keys.count == KEYS_PER_COMMIT || stored == 0), "writer {writer}: a commit is torn");
    }
    let mut watch = store.watch(KeyRange::all(), status.floor.next());
    for expected in status.floor.0 + 1..=status.revision.0 {
        let WatchEvent::Revision { revision, changes } = watch.next().await.unwrap() else { panic!("a hole") };
        assert_eq!((revision, changes.len()), (Revision(expected), KEYS_PER_COMMIT));
    }
    store.close().await;
}

/// How often the child is killed; `BAYPLAN_KILLS=1000` for a long run.
fn kills() -> usize {
    std::env::var("BAYPLAN_KILLS").map_or(100, |kills| kills.parse().expect("BAYPLAN_KILLS is a number"))
}

#[tokio::test]
async fn killing_the_process_loses_no_acknowledged_commit() {
    let folder = folder();
    let mut acknowledged = Acknowledged::default();
    let random = RandomState::new();
    for kill in 0..kills() {
        let life = Duration::from_micros(3_000 + random.hash_one(kill) % 80_000);
        run_and_kill(folder.path(), life, &mut acknowledged);
        check(folder.path(), &acknowledged).await;
    }
    println!("{} kills, {} revisions shown, none lost", kills(), acknowledged.revision);
    assert!(acknowledged.revision > 100, "the child should have got to work");
}
