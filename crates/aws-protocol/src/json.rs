//! AWS JSON 1.0 and 1.1: shapes to and from JSON text.

use std::fmt;

use aws_api::schema::{Document, Member, Node, ReadError, Schema, Structure, Timestamp, Value, Writer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a body is no value of the wanted shape.
#[derive(Debug)]
pub enum DecodeError {
    /// Not JSON at all.
    Syntax(serde_json::Error),
    /// JSON of the wrong types.
    Shape(ReadError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "the body is not valid JSON: {error}"),
            Self::Shape(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Reads a shape. An empty body is an empty object; unknown members and nulls are skipped.
///
/// # Errors
/// The body is not JSON, or a member has the wrong type.
pub fn decode<T: Structure>(body: &[u8]) -> Result<T, DecodeError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let node: Node<'_> = serde_json::from_slice(body).map_err(DecodeError::Syntax)?;
    T::read(node).map_err(DecodeError::Shape)
}

/// Writes a shape; absent members are left out.
pub fn encode<T: Structure>(value: &T) -> Vec<u8> {
    let mut writer = JsonWriter::default();
    value.write(T::SCHEMA, &mut writer);
    writer.out
}

/// JSON text in the making.
#[derive(Debug, Default)]
pub(crate) struct JsonWriter {
    pub(crate) out: Vec<u8>,
    /// The next thing stands first in its object or list.
    first: bool,
}

impl JsonWriter {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = false;
    }

    fn put<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.out, value)
            .expect("a Vec takes every byte, and only text and numbers come here");
    }
}

impl Writer for JsonWriter {
    fn boolean(&mut self, _: &'static Schema, value: bool) {
        self.put(&value);
    }
    fn integer(&mut self, _: &'static Schema, value: i64) {
        self.put(&value);
    }
    fn double(&mut self, _: &'static Schema, value: f64) {
        // Smithy, AWS JSON protocols: the three values that JSON numbers lack are strings.
        if value.is_finite() {
            self.put(&value);
        } else if value.is_nan() {
            self.put("NaN");
        } else {
            self.put(if value > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }
    fn string(&mut self, _: &'static Schema, value: &str) {
        self.put(value);
    }
    fn timestamp(&mut self, _: &'static Schema, value: Timestamp) {
        self.put(&value.as_seconds());
    }
    fn blob(&mut self, _: &'static Schema, value: &[u8]) {
        self.put(&STANDARD.encode(value));
    }
    fn document(&mut self, _: &'static Schema, value: &Document) {
        self.put(value);
    }
    fn begin_structure(&mut self, _: &'static Schema) {
        self.open(b'{');
    }
    fn member(&mut self, member: &'static Member) {
        self.separate();
        // Names in the models are plain identifiers, which need no escape.
        self.out.push(b'"');
        self.out.extend_from_slice(member.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
    fn end_structure(&mut self) {
        self.close(b'}');
    }
    fn begin_list(&mut self, _: &'static Schema, _: usize) {
        self.open(b'[');
    }
    fn element(&mut self) {
        self.separate();
    }
    fn end_list(&mut self) {
        self.close(b']');
    }
    fn begin_map(&mut self, _: &'static Schema, _: usize) {
        self.open(b'{');
    }
    fn key(&mut self, key: &str) {
        self.separate();
        self.put(key);
        self.out.push(b':');
    }
    fn end_map(&mut self) {
        self.close(b'}');
    }
}
