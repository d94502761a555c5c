//! Log streams as segments on disk, and the filter language over them; knows no store and no API shape.
//!
//! A stream is addressed by the never-reused uid of its group and by its name. What is appended is a batch: one checksummed
//! record in an append-only segment file, so a batch is there whole or not at all, whatever dies while it is written.
//!
//! Durability: a batch is acknowledged once it is in the page cache. `kill -9` of every process of Bayplan loses nothing
//! that was acknowledged. A crash of the machine may lose what [`LogStore::keep_synced`] had not yet pushed to the disk:
//! at most [`SYNC_AFTER`] or about [`SYNC_BYTES`] of a stream. One flush to the disk per batch would make every line of
//! every container wait for it.
//!
//! All methods of [`LogStore`] but [`LogStore::keep_synced`] block on files: async callers use a blocking thread.

mod logs;
pub mod pattern;

pub use logs::error::LogError;
pub use logs::listing::{ListStreams, StreamOrder, StreamPage, StreamStatus};
pub use logs::read::{Filter, Get, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, ReadEvent, Start};
pub use logs::store::{ArrivalPage, FilterPage, GetPage, LogStore, StreamSelection};
pub use logs::stream::{AppendOutcome, Batch, EVENT_OVERHEAD, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, NewEvent, Producer};
pub use logs::sync::{SYNC_AFTER, SYNC_BYTES};
