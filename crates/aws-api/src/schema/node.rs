//! A decoded message before it has a type: what every wire format is turned into, and what shapes are read from.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Document, Member, Schema, Timestamp, Writer};

/// A tree of plain values. It borrows text from the message where the message has it unescaped.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Also integers beyond 64 bits.
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Node<'a>>),
    /// In the message's order.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// The kind of value, for messages: "a string", "a number".
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

struct NodeVisitor;

/// A string that borrows from the input when it can.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string as key")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
            fn visit_string<E>(self, v: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(v)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Node::deserialize(deserializer)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
        Ok(Node::Boolean(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
        Ok(Node::Integer(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(v).map_or(Node::Double(v as f64), Node::Integer))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
        Ok(Node::Double(v))
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(v)))
    }
    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(v.to_owned())))
    }
    fn visit_string<E>(self, v: String) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(v)))
    }
    fn visit_bytes<E>(self, v: &[u8]) -> Result<Self::Value, E> {
        Ok(Node::Bytes(Cow::Owned(v.to_vec())))
    }
    fn visit_byte_buf<E>(self, v: Vec<u8>) -> Result<Self::Value, E> {
        Ok(Node::Bytes(Cow::Owned(v)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, Node<'de>>()? {
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(v) => serializer.serialize_bool(*v),
            Self::Integer(v) => serializer.serialize_i64(*v),
            Self::Double(v) => serializer.serialize_f64(*v),
            Self::Text(v) => serializer.serialize_str(v),
            // As text, so that a shape reads the same from formats that lack bytes.
            Self::Bytes(v) => serializer.serialize_str(&STANDARD.encode(v)),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl From<&Document> for Node<'static> {
    fn from(document: &Document) -> Self {
        match document {
            Document::Null => Node::Null,
            Document::Bool(v) => Node::Boolean(*v),
            Document::Number(v) => match v.as_i64() {
                Some(integer) => Node::Integer(integer),
                None => Node::Double(v.as_f64().unwrap_or_default()),
            },
            Document::String(v) => Node::Text(Cow::Owned(v.clone())),
            Document::Array(items) => Node::List(items.iter().map(Node::from).collect()),
            Document::Object(entries) => {
                Node::Map(entries.iter().map(|(key, value)| (Cow::Owned(key.clone()), Node::from(value))).collect())
            }
        }
    }
}

impl From<Node<'_>> for Document {
    fn from(node: Node<'_>) -> Self {
        match node {
            Node::Null => Document::Null,
            Node::Boolean(v) => Document::Bool(v),
            Node::Integer(v) => Document::from(v),
            Node::Double(v) => Document::from(v),
            Node::Text(v) => Document::String(v.into_owned()),
            Node::Bytes(v) => Document::String(STANDARD.encode(v)),
            Node::List(items) => Document::Array(items.into_iter().map(Document::from).collect()),
            Node::Map(entries) => Document::Object(
                entries.into_iter().map(|(key, value)| (key.into_owned(), Document::from(value))).collect(),
            ),
        }
    }
}

/// Builds a [`Node`] from a shape.
#[derive(Debug, Default)]
pub struct NodeWriter {
    open: Vec<(Cow<'static, str>, Node<'static>)>,
    label: Cow<'static, str>,
    done: Option<Node<'static>>,
}

impl NodeWriter {
    /// The finished tree; null if nothing was written.
    pub fn finish(self) -> Node<'static> {
        self.done.unwrap_or(Node::Null)
    }

    fn put(&mut self, node: Node<'static>) {
        match self.open.last_mut() {
            Some((_, Node::List(items))) => items.push(node),
            Some((_, Node::Map(entries))) => entries.push((std::mem::take(&mut self.label), node)),
            _ => self.done = Some(node),
        }
    }

    fn begin(&mut self, node: Node<'static>) {
        self.open.push((std::mem::take(&mut self.label), node));
    }

    fn end(&mut self) {
        if let Some((label, node)) = self.open.pop() {
            self.label = label;
            self.put(node);
        }
    }
}

impl Writer for NodeWriter {
    fn boolean(&mut self, _: &'static Schema, value: bool) {
        self.put(Node::Boolean(value));
    }
    fn integer(&mut self, _: &'static Schema, value: i64) {
        self.put(Node::Integer(value));
    }
    fn double(&mut self, _: &'static Schema, value: f64) {
        self.put(Node::Double(value));
    }
    fn string(&mut self, _: &'static Schema, value: &str) {
        self.put(Node::Text(Cow::Owned(value.to_owned())));
    }
    fn timestamp(&mut self, _: &'static Schema, value: Timestamp) {
        self.put(Node::Double(value.as_seconds()));
    }
    fn blob(&mut self, _: &'static Schema, value: &[u8]) {
        self.put(Node::Bytes(Cow::Owned(value.to_vec())));
    }
    fn document(&mut self, _: &'static Schema, value: &Document) {
        self.put(Node::from(value));
    }
    fn begin_structure(&mut self, _: &'static Schema) {
        self.begin(Node::Map(Vec::new()));
    }
    fn member(&mut self, member: &'static Member) {
        self.label = Cow::Borrowed(member.name);
    }
    fn end_structure(&mut self) {
        self.end();
    }
    fn begin_list(&mut self, _: &'static Schema, len: usize) {
        self.begin(Node::List(Vec::with_capacity(len)));
    }
    fn element(&mut self) {}
    fn end_list(&mut self) {
        self.end();
    }
    fn begin_map(&mut self, _: &'static Schema, len: usize) {
        self.begin(Node::Map(Vec::with_capacity(len)));
    }
    fn key(&mut self, key: &str) {
        self.label = Cow::Owned(key.to_owned());
    }
    fn end_map(&mut self) {
        self.end();
    }
}
