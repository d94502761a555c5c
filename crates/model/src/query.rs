//! The cluster query language of ECS: expressions that choose nodes of a cluster; parsed here, told nothing of who asks.
//!
//! Source: ECS Developer Guide, "Create expressions to define container instances". What the guide leaves open is decided so:
//! - A pattern has to match the whole value, as Java's `matches` does. It is written in the syntax of the `regex` crate
//!   with ASCII classes: no look-around, no back-references.
//! - On an absent attribute every operator but `!exists` is false; the guide's `attribute:stack != prod` finds nodes that
//!   have the attribute. An attribute without a value compares as the empty text.
//! - `<` and its like compare attributes as versions (so also as whole numbers) where both sides are dotted numbers, else as text.
//! - A node may run Units of many groups: `task:group` with a plain operator holds if it does for any of them, and with a
//!   negated one if the plain one does not.
//! - Each subject takes the operators that the guide lists for it; `attribute` and `task:group`, without a list, take all.

mod expression;
mod member;
mod operand;
mod parse;
mod scan;
#[cfg(test)]
mod tests;

pub use member::Member;

use crate::quantity::Timestamp;
use expression::Expression;
use std::collections::BTreeMap;

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Query {
    root: Expression,
}

impl Query {
    /// Of the whole expression, in characters (ECS API: PlacementConstraint).
    pub const MAX_CHARS: usize = 2000;

    /// Reads an expression. The cost of reading and of asking it is bounded whatever its text.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        Ok(Query { root: parse::parse(text)? })
    }

    pub fn matches(&self, subject: &dyn Subject) -> bool {
        self.root.holds(subject)
    }

    /// Whether attributes alone decide.
    pub fn is_of_attributes(&self) -> bool {
        self.root.is_of_attributes()
    }

    /// Whether a node with such attributes matches, if attributes alone decide.
    pub fn matches_attributes(&self, attributes: &BTreeMap<String, Option<String>>) -> bool {
        self.root.holds(&OnlyAttributes(attributes))
    }
}

/// A node of a cluster, as expressions ask about it.
pub trait Subject {
    /// An attribute's value; Some(None) where it has none, None where there is no such attribute.
    fn attribute(&self, name: &str) -> Option<Option<&str>>;
    fn agent_connected(&self) -> bool;
    fn agent_version(&self) -> &str;
    fn instance_id(&self) -> &str;
    fn registered_at(&self) -> Timestamp;
    fn running_units(&self) -> u64;
    /// Whether the node runs or is to run a Unit of a group for which `test` holds.
    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// A node that is asked for its attributes only.
struct OnlyAttributes<'a>(&'a BTreeMap<String, Option<String>>);

impl Subject for OnlyAttributes<'_> {
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.0.get(name).map(Option::as_deref)
    }
    fn agent_connected(&self) -> bool {
        false
    }
    fn agent_version(&self) -> &str {
        ""
    }
    fn instance_id(&self) -> &str {
        ""
    }
    fn registered_at(&self) -> Timestamp {
        Timestamp::default()
    }
    fn running_units(&self) -> u64 {
        0
    }
    fn any_group(&self, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }
}

/// What is wrong with an expression. Positions count characters from 1. The client's fault, never worth a retry.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the expression has {chars} characters; at most {} are allowed", Query::MAX_CHARS)]
    TooLong { chars: usize },
    #[error("expected {expected} at character {at}, found {found}")]
    Unexpected { at: usize, expected: &'static str, found: String },
    #[error("`{operator}` at character {at} cannot be used with {subject}; use one of {allowed}")]
    Operator { at: usize, subject: String, operator: &'static str, allowed: &'static str },
    #[error("`{found}` at character {at} is not {expected}")]
    Value { at: usize, found: String, expected: &'static str },
    #[error(
        "the pattern at character {at} cannot be used; write it without look-around and back-references, and shorter"
    )]
    Pattern { at: usize, source: regex::Error },
    #[error("the expression nests deeper than {max} levels at character {at}")]
    TooDeep { at: usize, max: usize },
}
