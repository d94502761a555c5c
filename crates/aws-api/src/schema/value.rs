//! Reading a shape from a [`Node`] and showing it to a [`Writer`], for scalars, lists, maps and structures.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Blob, Document, Kind, Node, NodeWriter, Schema, Timestamp, Writer};

/// Anything that a member can hold.
pub trait Value: Sized {
    /// Takes the value out of an untyped tree. Fails on the first value of a wrong type.
    fn read(node: Node<'_>) -> Result<Self, ReadError>;
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer);
}

/// A generated struct: all members are `Option`, so absence can be told from emptiness.
pub trait Structure:
    Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    const SCHEMA: &'static Schema;
    /// Sets the member at that place in the schema.
    fn read_member(&mut self, at: usize, node: Node<'_>) -> Result<(), ReadError>;
    /// Shows the members that are present, in the model's order.
    fn write_members(&self, out: &mut dyn Writer);
}

/// A value of the wrong type, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// From the inside out; see [`ReadError::path`].
    steps: Vec<Step>,
    /// What the model asks for, for example "an integer".
    pub expected: &'static str,
    /// What the message has, for example "a string".
    pub found: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(&'static str),
    Key(String),
    Index(usize),
}

impl ReadError {
    pub fn new(expected: &'static str, found: &'static str) -> Self {
        Self { steps: Vec::new(), expected, found }
    }

    fn wrong(expected: &'static str, node: &Node<'_>) -> Self {
        Self::new(expected, node.describe())
    }

    fn under(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// For example `overrides.containerOverrides[0].cpu`; empty for the message as a whole.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Member(name) => push_name(&mut path, name),
                Step::Key(name) => push_name(&mut path, name),
            }
        }
        path
    }
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        let path = if path.is_empty() { "the request" } else { &path };
        write!(f, "{path} must be {}, not {}", self.expected, self.found)
    }
}

impl std::error::Error for ReadError {}

impl Value for bool {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        match node {
            Node::Boolean(v) => Ok(v),
            other => Err(ReadError::wrong("a boolean", &other)),
        }
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.boolean(schema, *self);
    }
}

fn read_integer(node: Node<'_>) -> Result<i64, ReadError> {
    match node {
        Node::Integer(v) => Ok(v),
        // 2^53: up to here a double is an exact integer.
        Node::Double(v) if v.fract() == 0.0 && v.abs() <= 9_007_199_254_740_992.0 => Ok(v as i64),
        Node::Double(_) => Err(ReadError::new("an integer of at most 64 bits", "a fractional or larger number")),
        other => Err(ReadError::wrong("an integer", &other)),
    }
}

impl Value for i32 {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        let wide = read_integer(node)?;
        Self::try_from(wide).map_err(|_| ReadError::new("an integer of at most 32 bits", "a larger number"))
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.integer(schema, i64::from(*self));
    }
}

impl Value for i64 {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        read_integer(node)
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.integer(schema, *self);
    }
}

impl Value for f64 {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        match node {
            Node::Integer(v) => Ok(v as f64),
            Node::Double(v) => Ok(v),
            // Smithy, AWS JSON protocols: the three values that JSON numbers lack.
            Node::Text(v) if v == "NaN" => Ok(f64::NAN),
            Node::Text(v) if v == "Infinity" => Ok(f64::INFINITY),
            Node::Text(v) if v == "-Infinity" => Ok(f64::NEG_INFINITY),
            other => Err(ReadError::wrong("a number", &other)),
        }
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.double(schema, *self);
    }
}

impl Value for String {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        match node {
            Node::Text(v) => Ok(v.into_owned()),
            other => Err(ReadError::wrong("a string", &other)),
        }
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.string(schema, self);
    }
}

impl Value for Timestamp {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        let seconds = match node {
            Node::Integer(v) => v as f64,
            Node::Double(v) => v,
            other => return Err(ReadError::wrong("a timestamp in epoch seconds", &other)),
        };
        Self::from_seconds(seconds)
            .ok_or_else(|| ReadError::new("a timestamp in epoch seconds", "a number out of range"))
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.timestamp(schema, *self);
    }
}

impl Value for Blob {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        match node {
            Node::Bytes(v) => Ok(Self(v.into_owned())),
            Node::Text(v) => STANDARD
                .decode(v.as_bytes())
                .map(Self)
                .map_err(|_| ReadError::new("bytes in base64", "a string that is not base64")),
            other => Err(ReadError::wrong("bytes in base64", &other)),
        }
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.blob(schema, &self.0);
    }
}

impl Value for Document {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        Ok(Self::from(node))
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        out.document(schema, self);
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        let Node::List(items) = node else { return Err(ReadError::wrong("a list", &node)) };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            values.push(T::read(item).map_err(|error| error.under(Step::Index(index)))?);
        }
        Ok(values)
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        let Kind::List { element, .. } = schema.kind else { unreachable!("a Vec is generated for list shapes only") };
        out.begin_list(schema, self.len());
        for value in self {
            out.element();
            value.write(element, out);
        }
        out.end_list();
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        let Node::Map(entries) = node else { return Err(ReadError::wrong("an object", &node)) };
        let mut values = BTreeMap::new();
        for (key, item) in entries {
            match T::read(item) {
                Ok(value) => values.insert(key.into_owned(), value),
                Err(error) => return Err(error.under(Step::Key(key.into_owned()))),
            };
        }
        Ok(values)
    }
    fn write(&self, schema: &'static Schema, out: &mut dyn Writer) {
        let Kind::Map { value: value_schema, .. } = schema.kind else {
            unreachable!("a BTreeMap is generated for map shapes only")
        };
        out.begin_map(schema, self.len());
        for (key, value) in self {
            out.key(key);
            value.write(value_schema, out);
        }
        out.end_map();
    }
}

impl<T: Structure> Value for T {
    /// Unknown members and nulls are skipped, so that newer clients are understood.
    fn read(node: Node<'_>) -> Result<Self, ReadError> {
        let Node::Map(entries) = node else { return Err(ReadError::wrong("an object", &node)) };
        let members = T::SCHEMA.members();
        let mut value = T::default();
        for (key, item) in entries {
            if matches!(item, Node::Null) {
                continue;
            }
            if let Some(at) = members.iter().position(|member| member.name == key) {
                value.read_member(at, item).map_err(|error| error.under(Step::Member(members[at].name)))?;
            }
        }
        Ok(value)
    }
    fn write(&self, _: &'static Schema, out: &mut dyn Writer) {
        out.begin_structure(T::SCHEMA);
        self.write_members(out);
        out.end_structure();
    }
}

/// The shape as an untyped tree.
pub fn to_node<T: Structure>(value: &T) -> Node<'static> {
    let mut writer = NodeWriter::default();
    value.write(T::SCHEMA, &mut writer);
    writer.finish()
}

/// The `serde::Serialize` of every shape: the wire's names, absent members left out.
pub fn serialize<T: Structure, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    to_node(value).serialize(serializer)
}

/// The `serde::Deserialize` of every shape; the format must be self-describing.
pub fn deserialize<'de, T: Structure, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(Node::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// Implements [`Structure`] and serde's traits for a generated struct; the fields stand in the schema's order.
macro_rules! structure {
    ($shape:ident, $schema:ident $(, $field:ident)* $(,)?) => {
        impl $crate::schema::Structure for $shape {
            const SCHEMA: &'static $crate::schema::Schema = &$schema;

            #[allow(unused_variables, unused_mut, unused_assignments)]
            fn read_member(
                &mut self,
                at: usize,
                node: $crate::schema::Node<'_>,
            ) -> Result<(), $crate::schema::ReadError> {
                let mut next = 0;
                $(
                    if at == next {
                        self.$field = Some($crate::schema::Value::read(node)?);
                        return Ok(());
                    }
                    next += 1;
                )*
                Ok(())
            }

            #[allow(unused_variables, unused_mut, unused_assignments)]
            fn write_members(&self, out: &mut dyn $crate::schema::Writer) {
                let mut members = $schema.members().iter();
                $(
                    if let (Some(member), Some(value)) = (members.next(), &self.$field) {
                        out.member(member);
                        $crate::schema::Value::write(value, member.schema, out);
                    }
                )*
            }
        }

        impl serde::Serialize for $shape {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::schema::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $shape {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::schema::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use structure;
