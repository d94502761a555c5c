//! An operator and the value it compares with: text with `*` at its ends, numbers, regular expressions.

use super::cursor::Cursor;
use super::{MAX_REGEXES, PatternError, dialect};
use regex::Regex;
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) enum Comparison {
    Equal(Value),
    NotEqual(Value),
    /// The orders that satisfy it, and what a number is compared with.
    Ordered(&'static [Ordering], Number),
}

#[derive(Debug)]
pub(super) enum Value {
    Regex(Regex),
    /// `*` at the beginning or the end stands for any text; between, for itself.
    Text {
        any_before: bool,
        text: String,
        any_after: bool,
    },
    /// Written without quotes; equal numbers may be written differently.
    Number(Number),
}

#[derive(Debug)]
pub(super) struct Number {
    text: String,
    integer: Option<i128>,
    float: f64,
}

const OPERATORS: [(&str, &[Ordering]); 6] = [
    ("!=", &[]),
    ("<=", &[Ordering::Less, Ordering::Equal]),
    (">=", &[Ordering::Greater, Ordering::Equal]),
    ("<", &[Ordering::Less]),
    (">", &[Ordering::Greater]),
    ("=", &[]),
];

impl Comparison {
    /// Reads an operator and a value. None: no operator comes next.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Self>, PatternError> {
        cursor.skip_spaces();
        let Some((operator, orders)) = OPERATORS.into_iter().find(|(operator, _)| cursor.take(operator)) else {
            return Ok(None);
        };
        cursor.skip_spaces();
        let wanted = cursor.error(format!("{operator} compares numbers; a number must follow"));
        let value = Value::parse(cursor)?;
        if cursor.regexes > MAX_REGEXES {
            return Err(cursor.error(format!("a pattern holds at most {MAX_REGEXES} regular expressions")));
        }
        match (operator, value) {
            ("=", value) => Ok(Some(Comparison::Equal(value))),
            ("!=", value) => Ok(Some(Comparison::NotEqual(value))),
            (_, Value::Number(number)) => Ok(Some(Comparison::Ordered(orders, number))),
            _ => Err(wanted),
        }
    }

    pub(super) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Comparison::Equal(value) => value.equals(text),
            Comparison::NotEqual(value) => !value.equals(text),
            Comparison::Ordered(orders, number) => {
                Number::parse(text).and_then(|found| found.compare(number)).is_some_and(|o| orders.contains(&o))
            }
        }
    }
}

impl Value {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if cursor.take("%") {
            return Ok(Value::Regex(dialect::parse(cursor)?));
        }
        if let Some(text) = cursor.quoted()? {
            return Ok(Value::text(&text));
        }
        let bare = cursor.take_while(|c| c.is_alphanumeric() || "_-.*+/:".contains(c));
        if bare.is_empty() {
            return Err(
                cursor.unexpected("a value must stand here, in double quotes if it is more than letters and digits")
            );
        }
        Ok(Number::parse(bare).map_or_else(|| Value::text(bare), Value::Number))
    }

    fn text(text: &str) -> Self {
        let (any_before, text) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
        let (any_after, text) = text.strip_suffix('*').map_or((false, text), |rest| (true, rest));
        Value::Text { any_before, text: text.to_owned(), any_after }
    }

    fn equals(&self, found: &str) -> bool {
        match self {
            Value::Regex(regex) => regex.is_match(found),
            Value::Text { any_before, text, any_after } => match (any_before, any_after) {
                (false, false) => found == text,
                (true, false) => found.ends_with(text),
                (false, true) => found.starts_with(text),
                (true, true) => found.contains(text),
            },
            Value::Number(number) => {
                found == number.text || Number::parse(found).and_then(|f| f.compare(number)) == Some(Ordering::Equal)
            }
        }
    }
}

impl Number {
    /// An integer or a decimal with an optional sign and an optional exponent.
    fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let unsigned = |text: &str| text.strip_prefix(['+', '-']).map_or(text.len(), str::len);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (text, None),
        };
        let plain = &mantissa[mantissa.len() - unsigned(mantissa)..];
        let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
        let valid = digits(whole)
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|e| digits(&e[e.len() - unsigned(e)..]));
        if !valid {
            return None;
        }
        // More digits than this are compared as floating point.
        let integer = text.parse().ok();
        Some(Number { text: text.to_owned(), integer, float: text.parse().ok()? })
    }

    fn compare(&self, other: &Number) -> Option<Ordering> {
        match (self.integer, other.integer) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.float.partial_cmp(&other.float),
        }
    }
}
