//! Values for any shape, made up from its schema and a seed.

use std::borrow::Cow;

use aws_api::schema::{Kind, Node, Schema};

/// Makes up values. The same seed makes the same ones.
pub(crate) struct Maker {
    state: u64,
    /// Nothing is absent or empty, because forms and XML cannot tell the two apart.
    pub(crate) dense: bool,
}

const TEXTS: &[&str] = &["", "a", "default", "<&>\"'", "zürich ☃", "line\nbreak", "a b+c%20/d", "{\"json\":[1]}", "𝄞"];

impl Maker {
    pub(crate) fn new(seed: u64, dense: bool) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, dense }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn len(&mut self) -> usize {
        let len = self.below(3);
        if self.dense { len.max(1) } else { len }
    }

    fn text(&mut self) -> Node<'static> {
        let least = usize::from(self.dense);
        Node::Text(Cow::Borrowed(TEXTS[least + self.below(TEXTS.len() - least)]))
    }

    pub(crate) fn node(&mut self, schema: &'static Schema) -> Node<'static> {
        match schema.kind {
            Kind::Boolean => Node::Boolean(self.next().is_multiple_of(2)),
            Kind::Integer => Node::Integer(i64::from(self.next() as i32)),
            Kind::Long => Node::Integer(self.next() as i64),
            Kind::Double => Node::Double(f64::from(self.next() as i32) / 4.0),
            Kind::Timestamp => Node::Double((self.next() % 4_000_000_000_000) as f64 / 1_000.0),
            Kind::Blob => Node::Bytes(Cow::Owned(self.next().to_be_bytes().to_vec())),
            Kind::Document => Node::Map(vec![(Cow::Borrowed("any"), Node::List(vec![self.text(), Node::Integer(1)]))]),
            Kind::String if schema.values.is_empty() => self.text(),
            Kind::String => Node::Text(Cow::Borrowed(schema.values[self.below(schema.values.len())])),
            Kind::Structure { members, union: true } => {
                let member = &members[self.below(members.len())];
                Node::Map(vec![(Cow::Borrowed(member.name), self.node(member.schema))])
            }
            Kind::Structure { members, .. } => {
                let mut entries = Vec::new();
                for member in members {
                    if self.dense || self.below(10) < 7 {
                        entries.push((Cow::Borrowed(member.name), self.node(member.schema)));
                    }
                }
                Node::Map(entries)
            }
            Kind::List { element, .. } => Node::List((0..self.len()).map(|_| self.node(element)).collect()),
            Kind::Map { value, .. } => {
                Node::Map((0..self.len()).map(|at| (Cow::Owned(format!("key {at}")), self.node(value))).collect())
            }
        }
    }
}
