//! The one connection to the database file: what is stored, how it is written and checkpointed. Decides nothing about commits.
//!
//! Three tables. `log` has one row per change, numbered upwards; a key's newest row is its current version, so a put is one append
//! at the end of one tree and nothing else. There is no table of current values: the writer knows them from memory, and opening
//! reads every row once in order, which rebuilds the current keys and the history above the floor in the same pass. Compaction
//! deletes the rows that no kept revision needs, by their numbers, which the state in memory knows; so no index is needed either.
//! `lease` has the living leases, `meta` the floor, the epoch and the newest lease id.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, Row, params};

use super::OpenError;
use super::state::State;
use crate::kv::{KeyValue, LeaseId, Revision};
use crate::watch::Change;

/// Marks the file as ours: "BPst".
const APPLICATION_ID: i64 = 0x4250_7374;
const SCHEMA_VERSION: i64 = 1;
const PAGE_BYTES: u64 = 4096;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
    -- A NULL value marks a deletion; created, version and lease are then 0. Lease 0 is none.
    CREATE TABLE log (
        row INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        key BLOB NOT NULL,
        value BLOB,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL,
        lease INTEGER NOT NULL
    ) STRICT;";

/// The open database. Only the writer thread has it.
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
}

/// What a database held when it was opened.
pub(super) struct Contents {
    pub(super) state: State,
    pub(super) epoch: u64,
    pub(super) last_lease: u64,
    pub(super) leases: Vec<(LeaseId, Duration)>,
    /// Rows that compaction had not yet deleted.
    pub(super) useless_rows: Vec<i64>,
}

/// Everything that one transaction makes durable.
pub(super) struct Step<'a> {
    pub(super) before: &'a State,
    pub(super) after: &'a State,
    pub(super) leases: &'a [LeaseRow],
    pub(super) useless_rows: &'a [i64],
}

/// A change to the lease table.
pub(super) enum LeaseRow {
    Granted(LeaseId, Duration),
    Ended(LeaseId),
}

/// Why a step is not known to be durable.
#[derive(Debug)]
pub(super) enum WriteError {
    /// It was rolled back as a whole.
    NoSpace { cause: String },
    /// Nothing can be said about what is on disk.
    Fatal(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> WriteError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => WriteError::NoSpace { cause: error.to_string() },
            _ => WriteError::Fatal(error),
        }
    }
}

impl Database {
    /// Opens or creates the file and checks it. The caller holds the lock.
    pub(super) fn open(path: &Path, max_bytes: Option<u64>) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Database { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(failed)?;
        configure(&connection, max_bytes).map_err(failed)?;
        let database = Database { connection, path: path.to_owned() };
        database.check()?;
        Ok(database)
    }

    fn check(&self) -> Result<(), OpenError> {
        let failed = |source| OpenError::Database { path: self.path.clone(), source };
        let finding: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if finding != "ok" {
            return Err(self.damaged(finding));
        }
        match (self.pragma("application_id").map_err(failed)?, self.pragma("user_version").map_err(failed)?) {
            (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
            (APPLICATION_ID, found) => {
                Err(OpenError::SchemaVersion { path: self.path.clone(), found, supported: SCHEMA_VERSION })
            }
            (0, 0) if self.pragma("page_count").map_err(failed)? <= 1 => self.create().map_err(failed),
            _ => Err(OpenError::Foreign { path: self.path.clone() }),
        }
    }

    fn create(&self) -> rusqlite::Result<()> {
        let create = self.connection.unchecked_transaction()?;
        create.execute_batch(SCHEMA)?;
        create.pragma_update(None, "application_id", APPLICATION_ID)?;
        create.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        create.execute("INSERT INTO meta VALUES ('floor', ?1)", [number(Revision::INITIAL.0)])?;
        create.execute("INSERT INTO meta VALUES ('epoch', random())", [])?;
        create.execute("INSERT INTO meta VALUES ('last_lease', 0)", [])?;
        create.commit()
    }

    fn damaged(&self, finding: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), finding: finding.into() }
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, name, |row| row.get(0))
    }

    fn meta(&self, name: &str) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT number FROM meta WHERE name = ?1", [name], |row| row.get(0))
    }

    /// Reads everything that is stored.
    pub(super) fn load(&self) -> Result<Contents, OpenError> {
        let failed = |source| OpenError::Database { path: self.path.clone(), source };
        let floor = Revision(self.meta("floor").map_err(failed)?.cast_unsigned());
        let mut state = State::new(floor);
        let useless_rows = self.load_log(&mut state)?;
        Ok(Contents {
            state,
            epoch: self.meta("epoch").map_err(failed)?.cast_unsigned(),
            last_lease: self.meta("last_lease").map_err(failed)?.cast_unsigned(),
            leases: self.load_leases().map_err(failed)?,
            useless_rows,
        })
    }

    fn load_leases(&self) -> rusqlite::Result<Vec<(LeaseId, Duration)>> {
        let mut select = self.connection.prepare("SELECT id, ttl_ms FROM lease ORDER BY id")?;
        let leases = select.query_map([], |row| {
            let (id, ttl_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((LeaseId(id.cast_unsigned()), Duration::from_millis(ttl_ms.cast_unsigned())))
        })?;
        leases.collect()
    }

    fn load_log(&self, state: &mut State) -> Result<Vec<i64>, OpenError> {
        let failed = |source| OpenError::Database { path: self.path.clone(), source };
        let mut select = self
            .connection
            .prepare("SELECT row, revision, key, value, created, version, lease FROM log ORDER BY row")
            .map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        let mut useless = Vec::new();
        let mut revision = Revision(0);
        let mut changes = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let change = read_change(row).map_err(failed)?;
            if change.revision != revision && !changes.is_empty() {
                useless.extend(self.restore(state, revision, std::mem::take(&mut changes))?);
            }
            revision = change.revision;
            changes.push((change.row, change.key, change.kv));
        }
        if !changes.is_empty() {
            useless.extend(self.restore(state, revision, changes)?);
        }
        Ok(useless)
    }

    fn restore(
        &self,
        state: &mut State,
        revision: Revision,
        changes: Vec<(i64, Bytes, Option<Arc<KeyValue>>)>,
    ) -> Result<Vec<i64>, OpenError> {
        if revision > state.floor() && revision != state.revision().next() {
            return Err(self.damaged(format!("revision {revision} follows revision {}", state.revision())));
        }
        Ok(state.restore(revision, changes))
    }

    /// Makes a step durable: one transaction, one fsync.
    pub(super) fn write(&mut self, step: &Step<'_>) -> Result<(), WriteError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            let mut row = step.before.next_row();
            for (revision, changes) in step.after.revisions_since(step.before.revision()) {
                for change in changes {
                    append(&mut insert, row, revision, change)?;
                    row += 1;
                }
            }
            for lease in step.leases {
                match lease {
                    LeaseRow::Granted(id, ttl) => grant(&transaction, *id, *ttl)?,
                    LeaseRow::Ended(id) => {
                        transaction.prepare_cached("DELETE FROM lease WHERE id = ?1")?.execute([number(id.0)])?;
                    }
                }
            }
            if step.after.floor() != step.before.floor() {
                let mut update = transaction.prepare_cached("UPDATE meta SET number = ?1 WHERE name = 'floor'")?;
                update.execute([number(step.after.floor().0)])?;
            }
            let mut delete = transaction.prepare_cached("DELETE FROM log WHERE row = ?1")?;
            for row in step.useless_rows {
                delete.execute([row])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// How many pages the write-ahead log holds that the database file has not.
    pub(super) fn pages_to_checkpoint(&self) -> Result<u64, WriteError> {
        self.wal("PRAGMA wal_checkpoint(NOOP)")
    }

    /// Copies the write-ahead log into the database file, so that it can begin anew.
    pub(super) fn checkpoint(&self) -> Result<(), WriteError> {
        self.wal("PRAGMA wal_checkpoint(PASSIVE)").map(drop)
    }

    fn wal(&self, pragma: &str) -> Result<u64, WriteError> {
        let mut query = self.connection.prepare_cached(pragma)?;
        let (pages, done): (i64, i64) = query.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
        Ok((pages - done).max(0).cast_unsigned())
    }

    /// Keeps closing from writing to a disk that has just failed.
    pub(super) fn touch_no_more(&self) {
        let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        if let Err(error) = self.connection.set_db_config(config, true) {
            tracing::warn!(%error, "closing the failed database may write to it");
        }
    }

    /// Closes the connection, which moves the rest of the write-ahead log into the database file.
    pub(super) fn close(self) {
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(path = %self.path.display(), %error, "closing the store's database left its log to be read at the next start");
        }
    }
}

fn configure(connection: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    // No other connection ever shares the file, so SQLite may keep its locks and its log index to itself.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |row| row.get::<_, i64>(0))?;
    if let Some(bytes) = max_bytes {
        let pages = (bytes / PAGE_BYTES).max(1).cast_signed();
        connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?;
    }
    connection.set_prepared_statement_cache_capacity(16);
    Ok(())
}

struct StoredChange {
    row: i64,
    revision: Revision,
    key: Bytes,
    kv: Option<Arc<KeyValue>>,
}

fn read_change(row: &Row<'_>) -> rusqlite::Result<StoredChange> {
    let revision = Revision(row.get::<_, i64>(1)?.cast_unsigned());
    let key = Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?);
    let kv = match row.get_ref(3)?.as_blob_or_null()? {
        Some(value) => {
            let lease: i64 = row.get(6)?;
            Some(Arc::new(KeyValue {
                key: key.clone(),
                value: Bytes::copy_from_slice(value),
                create_revision: Revision(row.get::<_, i64>(4)?.cast_unsigned()),
                mod_revision: revision,
                version: row.get::<_, i64>(5)?.cast_unsigned(),
                lease: (lease != 0).then_some(LeaseId(lease.cast_unsigned())),
            }))
        }
        None => None,
    };
    Ok(StoredChange { row: row.get(0)?, revision, key, kv })
}

fn append(
    insert: &mut rusqlite::CachedStatement<'_>,
    row: i64,
    revision: Revision,
    change: &Change,
) -> rusqlite::Result<()> {
    let revision = number(revision.0);
    let key = &change.key[..];
    match &change.current {
        Some(kv) => {
            let lease = kv.lease.map_or(0, |id| number(id.0));
            let created = number(kv.create_revision.0);
            insert.execute(params![row, revision, key, &kv.value[..], created, number(kv.version), lease])?
        }
        None => insert.execute(params![row, revision, key, None::<&[u8]>, 0, 0, 0])?,
    };
    Ok(())
}

fn grant(connection: &Connection, id: LeaseId, ttl: Duration) -> rusqlite::Result<()> {
    let ttl_ms = i64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    connection.prepare_cached("INSERT INTO lease VALUES (?1, ?2)")?.execute([number(id.0), ttl_ms])?;
    connection.prepare_cached("UPDATE meta SET number = ?1 WHERE name = 'last_lease'")?.execute([number(id.0)])?;
    Ok(())
}

/// SQLite's integers are signed; the store's counters stay far below the sign.
fn number(count: u64) -> i64 {
    count.cast_signed()
}
