//! The tree of a parsed expression, and whether it holds for a subject.

use super::Subject;
use super::operand::{Moment, Version, compare_texts};
use regex::bytes::Regex;
use std::cmp::Ordering;

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// `subject operator [argument]`.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Attribute(String, TextTest),
    InstanceId(TextTest),
    AgentConnected(TextTest),
    TaskGroup(TextTest),
    AgentVersion(Order, Version),
    RegisteredAt(Order, Moment),
    RunningTasks(Order, u64),
}

/// A question about a text that may be absent.
#[derive(Clone, Debug)]
pub(super) struct TextTest {
    pub(super) negated: bool,
    pub(super) check: TextCheck,
}

#[derive(Clone, Debug)]
pub(super) enum TextCheck {
    Exists,
    OneOf(Vec<String>),
    Pattern(Regex),
    Order(Order, String),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Order {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Expression {
    pub(super) fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Expression::Any(parts) => parts.iter().any(|part| part.holds(subject)),
            Expression::All(parts) => parts.iter().all(|part| part.holds(subject)),
            Expression::Not(inner) => !inner.holds(subject),
            Expression::Test(test) => test.holds(subject),
        }
    }

    pub(super) fn is_of_attributes(&self) -> bool {
        match self {
            Expression::Any(parts) | Expression::All(parts) => parts.iter().all(Expression::is_of_attributes),
            Expression::Not(inner) => inner.is_of_attributes(),
            Expression::Test(test) => matches!(test, Test::Attribute(..)),
        }
    }
}

impl Test {
    fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Test::Attribute(name, test) => test.holds_for(subject.attribute(name).map(Option::unwrap_or_default)),
            Test::InstanceId(test) => test.holds_for(Some(subject.instance_id())),
            Test::AgentConnected(test) => {
                test.holds_for(Some(if subject.agent_connected() { "true" } else { "false" }))
            }
            Test::TaskGroup(test) => subject.any_group(&mut |group| test.check.holds(group)) != test.negated,
            Test::AgentVersion(order, version) => {
                Version::of_agent(subject.agent_version()).is_some_and(|running| order.admits(running.cmp(version)))
            }
            Test::RegisteredAt(order, moment) => order.admits(Moment::from(subject.registered_at()).cmp(moment)),
            Test::RunningTasks(order, count) => order.admits(subject.running_units().cmp(count)),
        }
    }
}

impl TextTest {
    fn holds_for(&self, value: Option<&str>) -> bool {
        match value {
            None => self.negated && matches!(self.check, TextCheck::Exists),
            Some(value) => self.check.holds(value) != self.negated,
        }
    }
}

impl TextCheck {
    /// Whether it holds for a value that is there.
    fn holds(&self, value: &str) -> bool {
        match self {
            TextCheck::Exists => true,
            TextCheck::OneOf(list) => list.iter().any(|wanted| wanted == value),
            TextCheck::Pattern(pattern) => pattern.is_match(value.as_bytes()),
            TextCheck::Order(order, argument) => order.admits(compare_texts(value, argument)),
        }
    }
}

impl Order {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Order::Equal => ordering.is_eq(),
            Order::NotEqual => ordering.is_ne(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
        }
    }
}
