//! Smithy RPC v2 CBOR: shapes to and from CBOR.

use std::borrow::Cow;
use std::fmt;

use aws_api::schema::{Document, Member, Node, ReadError, Schema, Structure, Timestamp, Value, Writer};
use ciborium::Value as Item;

/// Why a body is no value of the wanted shape.
#[derive(Debug)]
pub enum DecodeError {
    Syntax(String),
    Shape(ReadError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "the body is not valid CBOR: {error}"),
            Self::Shape(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

/// How deep a body may nest; the deepest shape we know has 12 levels.
const DEEPEST: usize = 64;

/// Reads a shape. An empty body is an empty map; unknown members and nulls are skipped.
///
/// # Errors
/// The body is not CBOR, or a member has the wrong type.
pub fn decode<T: Structure>(body: &[u8]) -> Result<T, DecodeError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let mut rest = body;
    let item: Item = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEEPEST)
        .map_err(|error| DecodeError::Syntax(error.to_string()))?;
    if !rest.is_empty() {
        return Err(DecodeError::Syntax(format!("{} bytes follow the value", rest.len())));
    }
    T::read(node(item).map_err(DecodeError::Syntax)?).map_err(DecodeError::Shape)
}

fn node(item: Item) -> Result<Node<'static>, String> {
    Ok(match item {
        Item::Null => Node::Null,
        Item::Bool(v) => Node::Boolean(v),
        Item::Integer(v) => {
            let wide = i128::from(v);
            i64::try_from(wide).map_or(Node::Double(wide as f64), Node::Integer)
        }
        Item::Float(v) => Node::Double(v),
        Item::Text(v) => Node::Text(Cow::Owned(v)),
        Item::Bytes(v) => Node::Bytes(Cow::Owned(v)),
        Item::Array(items) => Node::List(items.into_iter().map(node).collect::<Result<_, _>>()?),
        Item::Map(entries) => Node::Map(entries.into_iter().map(entry).collect::<Result<_, _>>()?),
        // RFC 8949, 3.4.2: tag 1 is epoch seconds, which is how shapes read a timestamp anyway.
        Item::Tag(1, inner) => node(*inner)?,
        Item::Tag(tag, _) => return Err(format!("the tag {tag} has no meaning here")),
        _ => return Err("a value of an unknown kind".to_owned()),
    })
}

fn entry((key, value): (Item, Item)) -> Result<(Cow<'static, str>, Node<'static>), String> {
    match key {
        Item::Text(key) => Ok((Cow::Owned(key), node(value)?)),
        _ => Err("a map has a key that is not text".to_owned()),
    }
}

/// Writes a shape; absent members are left out. Structures are maps of indefinite length.
pub fn encode<T: Structure>(value: &T) -> Vec<u8> {
    let mut writer = CborWriter::default();
    value.write(T::SCHEMA, &mut writer);
    writer.out
}

/// CBOR in the making; the bytes of RFC 8949, section 3.
#[derive(Debug, Default)]
pub(crate) struct CborWriter {
    out: Vec<u8>,
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const OPEN_MAP: u8 = 0xbf;
const BREAK: u8 = 0xff;

impl CborWriter {
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.out.push(major | bytes[7]),
            24..=0xff => self.out.extend_from_slice(&[major | 24, bytes[7]]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, value: f64) {
        self.out.push(0xfb);
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn whole(&mut self, value: i64) {
        if value >= 0 { self.head(UNSIGNED, value as u64) } else { self.head(NEGATIVE, !value as u64) }
    }

    /// Any JSON value: documents, and the fields of errors.
    fn json(&mut self, value: &Document) {
        match value {
            Document::Null => self.out.push(0xf6),
            Document::Bool(value) => self.out.push(if *value { 0xf5 } else { 0xf4 }),
            Document::Number(value) => match value.as_i64() {
                Some(whole) => self.whole(whole),
                None => self.number(value.as_f64().unwrap_or_default()),
            },
            Document::String(value) => self.text(value),
            Document::Array(items) => {
                self.head(ARRAY, items.len() as u64);
                items.iter().for_each(|item| self.json(item));
            }
            Document::Object(entries) => {
                self.head(MAP, entries.len() as u64);
                for (key, item) in entries {
                    self.text(key);
                    self.json(item);
                }
            }
        }
    }
}

/// A JSON object as CBOR.
pub(crate) fn from_json(value: &Document) -> Vec<u8> {
    let mut writer = CborWriter::default();
    writer.json(value);
    writer.out
}

impl Writer for CborWriter {
    fn boolean(&mut self, _: &'static Schema, value: bool) {
        self.out.push(if value { 0xf5 } else { 0xf4 });
    }
    fn integer(&mut self, _: &'static Schema, value: i64) {
        self.whole(value);
    }
    fn double(&mut self, _: &'static Schema, value: f64) {
        self.number(value);
    }
    fn string(&mut self, _: &'static Schema, value: &str) {
        self.text(value);
    }
    fn timestamp(&mut self, _: &'static Schema, value: Timestamp) {
        self.head(TAG, 1);
        self.number(value.as_seconds());
    }
    fn blob(&mut self, _: &'static Schema, value: &[u8]) {
        self.head(BYTES, value.len() as u64);
        self.out.extend_from_slice(value);
    }
    fn document(&mut self, _: &'static Schema, value: &Document) {
        self.json(value);
    }
    fn begin_structure(&mut self, _: &'static Schema) {
        self.out.push(OPEN_MAP);
    }
    fn member(&mut self, member: &'static Member) {
        self.text(member.name);
    }
    fn end_structure(&mut self) {
        self.out.push(BREAK);
    }
    fn begin_list(&mut self, _: &'static Schema, len: usize) {
        self.head(ARRAY, len as u64);
    }
    fn element(&mut self) {}
    fn end_list(&mut self) {}
    fn begin_map(&mut self, _: &'static Schema, len: usize) {
        self.head(MAP, len as u64);
    }
    fn key(&mut self, key: &str) {
        self.text(key);
    }
    fn end_map(&mut self) {}
}
