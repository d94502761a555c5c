//! What only the SQLite engine promises: the file survives closing, killing, a full disk and a second process.
#![allow(clippy::unwrap_used, reason = "a case may panic")]

mod kill;
mod open;
mod retention;
mod space;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use store::{KeyRange, RangeResult, Revision, SqliteOptions, SqliteStore, Store, Write};
use tempfile::TempDir;

/// How long a case waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn options(folder: &Path) -> SqliteOptions {
    SqliteOptions::new(folder.join("store.db"))
}

async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(options(folder)).await.unwrap()
}

async fn put(store: &SqliteStore, key: &str, value: impl Into<bytes::Bytes>) -> Revision {
    store.commit(vec![], vec![Write::put(key.to_owned(), value)]).await.unwrap().committed().unwrap()
}

async fn everything(store: &SqliteStore) -> RangeResult {
    store.range(KeyRange::all(), None, None).await.unwrap()
}

/// This test binary again, to run one test with `variables` set, which make it play the child's part.
fn this_test_as_child(test: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).envs(variables.iter().copied());
    command
}
