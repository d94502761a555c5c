//! How a shape shows itself, piece by piece, to an encoder or a checker.

use super::{Document, Member, Schema, Timestamp};

/// Receives a value in order: `begin_*`, then `member`, `element` or `key` before each content, then `end_*`.
/// Absent members are not shown.
pub trait Writer {
    fn boolean(&mut self, schema: &'static Schema, value: bool);
    /// Integers and longs.
    fn integer(&mut self, schema: &'static Schema, value: i64);
    fn double(&mut self, schema: &'static Schema, value: f64);
    fn string(&mut self, schema: &'static Schema, value: &str);
    fn timestamp(&mut self, schema: &'static Schema, value: Timestamp);
    fn blob(&mut self, schema: &'static Schema, value: &[u8]);
    fn document(&mut self, schema: &'static Schema, value: &Document);

    fn begin_structure(&mut self, schema: &'static Schema);
    fn member(&mut self, member: &'static Member);
    fn end_structure(&mut self);

    fn begin_list(&mut self, schema: &'static Schema, len: usize);
    fn element(&mut self);
    fn end_list(&mut self);

    fn begin_map(&mut self, schema: &'static Schema, len: usize);
    fn key(&mut self, key: &str);
    fn end_map(&mut self);
}
