//! Storage of log events, from the bytes of a record up to the store of all groups.

mod codec;
pub(crate) mod error;
mod files;
mod frame;
mod group;
pub(crate) mod listing;
mod page;
pub(crate) mod read;
mod segment;
pub(crate) mod store;
pub(crate) mod stream;
pub(crate) mod sync;
mod token;

#[cfg(test)]
mod tests;
