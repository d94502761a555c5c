//! Checks an input against the constraints of its model; how a service words a violation is the front-end's matter.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_api::schema::{Bounds, Document, Kind, Member, Schema, Structure, Timestamp, Value, Writer};
use regex::Regex;

/// One constraint that an input breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// For example `containerDefinitions[0].name`.
    pub path: String,
    pub kind: ViolationKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ViolationKind {
    /// A required member is absent.
    Missing,
    /// The length of a string, list or map is out of bounds.
    Length { bounds: Bounds, found: usize },
    /// A number is out of bounds.
    Range { bounds: Bounds, found: f64 },
    /// A string is none of the enumeration's values.
    NotAllowed { allowed: &'static [&'static str], found: String },
    /// A string does not match as a whole.
    Pattern { pattern: &'static str },
    /// A union has not exactly one member.
    Union { found: usize },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            ViolationKind::Missing => write!(f, "{path} is required"),
            ViolationKind::Length { bounds, found } => {
                write!(f, "{path} must have a length {}, not {found}", between(bounds))
            }
            ViolationKind::Range { bounds, found } => write!(f, "{path} must be {}, not {found}", between(bounds)),
            ViolationKind::NotAllowed { allowed, found } => {
                write!(f, "{path} must be one of {}, not {found:.100}", allowed.join(", "))
            }
            ViolationKind::Pattern { pattern } => write!(f, "{path} must match the pattern {pattern}"),
            ViolationKind::Union { found } => write!(f, "{path} must have exactly one member, not {found}"),
        }
    }
}

fn between(bounds: &Bounds) -> String {
    match (bounds.min, bounds.max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("of at least {min}"),
        (None, Some(max)) => format!("of at most {max}"),
        (None, None) => "without bounds".to_owned(),
    }
}

/// All constraints that an input breaks, in the order of its members; empty if it is fine.
pub fn validate<T: Structure>(input: &T) -> Vec<Violation> {
    let mut checker = Checker { found: Vec::new(), open: Vec::new(), step: Step::Root };
    input.write(T::SCHEMA, &mut checker);
    checker.found
}

/// Walks an input and notes what is wrong.
struct Checker {
    found: Vec<Violation>,
    open: Vec<Open>,
    /// The way from the innermost open value to the next one.
    step: Step,
}

enum Step {
    Root,
    Member(&'static str),
    Index(usize),
    Key(String),
}

/// A structure, list or map whose content is being shown.
struct Open {
    step: Step,
    schema: &'static Schema,
    seen: Vec<&'static str>,
    next_index: usize,
}

impl Checker {
    fn note(&mut self, kind: ViolationKind) {
        let mut path = String::new();
        for step in self.open.iter().map(|open| &open.step).chain([&self.step]) {
            match step {
                Step::Root => {}
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Member(name) => push_name(&mut path, name),
                Step::Key(name) => push_name(&mut path, name),
            }
        }
        self.found.push(Violation { path, kind });
    }

    fn length(&mut self, schema: &Schema, found: usize) {
        let bounds = schema.bounds;
        let length = i64::try_from(found).unwrap_or(i64::MAX);
        if bounds.min.is_some_and(|min| length < min) || bounds.max.is_some_and(|max| length > max) {
            self.note(ViolationKind::Length { bounds, found });
        }
    }

    fn range(&mut self, schema: &Schema, found: f64) {
        let bounds = schema.bounds;
        // Bounds in the models are far below 2^53, so the comparison is exact.
        if bounds.min.is_some_and(|min| found < min as f64) || bounds.max.is_some_and(|max| found > max as f64) {
            self.note(ViolationKind::Range { bounds, found });
        }
    }

    fn begin(&mut self, schema: &'static Schema) {
        let step = std::mem::replace(&mut self.step, Step::Root);
        self.open.push(Open { step, schema, seen: Vec::new(), next_index: 0 });
    }

    fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.step = open.step;
        }
    }

    fn check_text(&mut self, schema: &Schema, value: &str) {
        if !schema.values.is_empty() {
            if !schema.values.contains(&value) {
                let found = if schema.sensitive { String::new() } else { value.to_owned() };
                self.note(ViolationKind::NotAllowed { allowed: schema.values, found });
            }
            return;
        }
        if schema.bounds != Bounds::default() {
            self.length(schema, value.chars().count());
        }
        if let Some(pattern) = schema.pattern
            && !matches_whole(pattern, value)
        {
            self.note(ViolationKind::Pattern { pattern });
        }
    }
}

impl Writer for Checker {
    fn boolean(&mut self, _: &'static Schema, _: bool) {}
    fn integer(&mut self, schema: &'static Schema, value: i64) {
        self.range(schema, value as f64);
    }
    fn double(&mut self, schema: &'static Schema, value: f64) {
        self.range(schema, value);
    }
    fn string(&mut self, schema: &'static Schema, value: &str) {
        self.check_text(schema, value);
    }
    fn timestamp(&mut self, _: &'static Schema, _: Timestamp) {}
    fn blob(&mut self, schema: &'static Schema, value: &[u8]) {
        self.length(schema, value.len());
    }
    fn document(&mut self, _: &'static Schema, _: &Document) {}
    fn begin_structure(&mut self, schema: &'static Schema) {
        self.begin(schema);
    }
    fn member(&mut self, member: &'static Member) {
        if let Some(open) = self.open.last_mut() {
            open.seen.push(member.name);
        }
        self.step = Step::Member(member.name);
    }
    fn end_structure(&mut self) {
        let Some((schema, seen)) = self.open.last_mut().map(|open| (open.schema, std::mem::take(&mut open.seen)))
        else {
            return;
        };
        for member in schema.members().iter().filter(|member| member.required && !seen.contains(&member.name)) {
            self.step = Step::Member(member.name);
            self.note(ViolationKind::Missing);
        }
        self.end();
        if let Kind::Structure { union: true, .. } = schema.kind
            && seen.len() != 1
        {
            self.note(ViolationKind::Union { found: seen.len() });
        }
    }
    fn begin_list(&mut self, schema: &'static Schema, len: usize) {
        self.length(schema, len);
        self.begin(schema);
    }
    fn element(&mut self) {
        if let Some(open) = self.open.last_mut() {
            self.step = Step::Index(open.next_index);
            open.next_index += 1;
        }
    }
    fn end_list(&mut self) {
        self.end();
    }
    fn begin_map(&mut self, schema: &'static Schema, len: usize) {
        self.length(schema, len);
        self.begin(schema);
    }
    fn key(&mut self, key: &str) {
        self.step = Step::Key(key.to_owned());
        if let Some(Kind::Map { key: schema, .. }) = self.open.last().map(|open| &open.schema.kind) {
            self.check_text(schema, key);
        }
    }
    fn end_map(&mut self) {
        self.end();
    }
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// The patterns in use, compiled; a pattern that is no Rust regular expression is not checked, and a test holds that
/// there is none.
fn matches_whole(pattern: &'static str, value: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<&'static str, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let compiled = {
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(pattern).or_insert_with(|| compile(pattern)).clone()
    };
    compiled.is_none_or(|regex| regex.is_match(value))
}

fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_each_schema(schema: &'static Schema, check: &mut dyn FnMut(&'static Schema)) {
        check(schema);
        match schema.kind {
            Kind::Structure { members, .. } => members.iter().for_each(|member| for_each_schema(member.schema, check)),
            Kind::List { element, .. } => for_each_schema(element, check),
            Kind::Map { key, value } => [key, value].into_iter().for_each(|schema| for_each_schema(schema, check)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_of_the_models_can_be_checked() {
        let mut patterns = 0;
        for operation in aws_api::APIS.iter().flat_map(|api| api.operations) {
            for_each_schema(operation.input, &mut |schema| {
                if let Some(pattern) = schema.pattern {
                    patterns += 1;
                    assert!(compile(pattern).is_some(), "{}: {pattern}", schema.name);
                }
            });
        }
        assert!(patterns > 20, "{patterns}");
    }

    #[test]
    fn a_pattern_must_match_the_whole_string() {
        assert!(matches_whole("[a-z]*|x1", "x1"));
        assert!(!matches_whole("[a-z]*|x1", "x1y"));
    }
}
