//! Dotted parameter names as a tree, and the tree as a typed-enough [`Node`], led by the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_api::schema::{Kind, Node, Schema};

use super::Dialect;
use crate::time;

/// Deeper names than this are refused; the deepest shape we know has 12 steps.
const DEEPEST: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Tree<'f> {
    value: Option<&'f str>,
    branches: BTreeMap<&'f str, Tree<'f>>,
    /// The whole name, for messages.
    name: &'f str,
}

impl<'f> Tree<'f> {
    pub(super) fn grow(pairs: &'f [(Cow<'_, str>, Cow<'_, str>)]) -> Result<Self, String> {
        let mut root = Tree::default();
        for (name, value) in pairs {
            let mut here = &mut root;
            let mut end = 0;
            for (depth, step) in name.split('.').enumerate() {
                if depth == DEEPEST {
                    return Err(format!("the parameter name {name:.40}… has more than {DEEPEST} parts"));
                }
                end += step.len();
                here = here.branches.entry(step).or_default();
                here.name = &name[..end];
                end += 1;
            }
            here.value = Some(value);
        }
        Ok(root)
    }

    /// The branch that a dotted name leads to.
    fn at(&self, name: &str) -> Option<&Tree<'f>> {
        name.split('.').try_fold(self, |here, step| here.branches.get(step))
    }

    pub(super) fn structure(&self, schema: &'static Schema, dialect: Dialect) -> Result<Node<'f>, String> {
        let mut entries = Vec::new();
        for member in schema.members() {
            // A flattened list whose elements have a name stands under that name.
            let name = match member.schema.kind {
                Kind::List { flattened: true, element_name, .. }
                    if dialect == Dialect::Query && element_name != "member" =>
                {
                    element_name
                }
                _ => member.form,
            };
            if let Some(branch) = self.at(name) {
                entries.push((Cow::Borrowed(member.name), branch.node(member.schema, dialect)?));
            }
        }
        Ok(Node::Map(entries))
    }

    fn node(&self, schema: &'static Schema, dialect: Dialect) -> Result<Node<'f>, String> {
        match schema.kind {
            Kind::Structure { .. } => self.structure(schema, dialect),
            Kind::List { element, element_name, flattened } => {
                let inner = if flattened || dialect == Dialect::Ec2 { Some(self) } else { self.at(element_name) };
                let items = inner.map(|items| items.numbered()).transpose()?.unwrap_or_default();
                items.into_iter().map(|item| item.node(element, dialect)).collect::<Result<_, _>>().map(Node::List)
            }
            Kind::Map { value, .. } => self.map(value, dialect),
            _ => self.scalar(&schema.kind),
        }
    }

    /// The branches in the order of their numbers, which need not be dense.
    fn numbered(&self) -> Result<Vec<&Tree<'f>>, String> {
        let mut items = Vec::with_capacity(self.branches.len());
        for (step, item) in &self.branches {
            let number: u32 = step.parse().map_err(|_| format!("{} must end in a number", item.name))?;
            items.push((number, item));
        }
        items.sort_by_key(|(number, _)| *number);
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }

    fn map(&self, value: &'static Schema, dialect: Dialect) -> Result<Node<'f>, String> {
        let mut entries = Vec::new();
        for entry in self.at("entry").unwrap_or(self).numbered()? {
            let key = entry.at("key").and_then(|key| key.value);
            let (Some(key), Some(content)) = (key, entry.at("value")) else {
                return Err(format!("{} must have a key and a value", entry.name));
            };
            entries.push((Cow::Borrowed(key), content.node(value, dialect)?));
        }
        Ok(Node::Map(entries))
    }

    fn scalar(&self, kind: &Kind) -> Result<Node<'f>, String> {
        let name = self.name;
        let Some(text) = self.value else { return Err(format!("{name} must be a single value")) };
        match kind {
            Kind::Boolean => match text {
                "true" => Ok(Node::Boolean(true)),
                "false" => Ok(Node::Boolean(false)),
                _ => Err(format!("{name} must be true or false, not {text:.40}")),
            },
            Kind::Integer | Kind::Long => {
                text.parse().map(Node::Integer).map_err(|_| format!("{name} must be an integer, not {text:.40}"))
            }
            Kind::Double => {
                text.parse().map(Node::Double).map_err(|_| format!("{name} must be a number, not {text:.40}"))
            }
            Kind::Timestamp => time::parse(text)
                .map(|time| Node::Double(time.as_seconds()))
                .ok_or_else(|| format!("{name} must be an ISO 8601 timestamp, not {text:.40}")),
            _ => Ok(Node::Text(Cow::Borrowed(text))),
        }
    }
}
