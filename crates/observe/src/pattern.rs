//! CloudWatch Logs filter patterns: which messages a text such as `ERROR -health` or `{ $.status >= 500 }` selects.
//!
//! The language is that of the CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters,
//! filter log events, and Live Tail". Matching takes time linear in the message, whatever the pattern.

mod cursor;
mod dialect;
mod expression;
mod fields;
mod json;
mod terms;
mod value;

#[cfg(test)]
mod tests;

use cursor::Cursor;

/// CloudWatch Logs API: FilterPattern.
const MAX_CHARACTERS: usize = 1_024;
/// Of a JSON or space-delimited pattern. CloudWatch Logs user guide, quotas beside the regex syntax.
const MAX_REGEXES: usize = 2;

/// A parsed filter pattern.
#[derive(Debug)]
pub struct Pattern(Kind);

#[derive(Debug)]
enum Kind {
    Everything,
    Terms(terms::Terms),
    Json(json::Condition),
    Fields(fields::Fields),
}

/// Why a text is no filter pattern, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} (character {at})")]
pub struct PatternError {
    reason: String,
    /// Counted from 1.
    at: usize,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().count() > MAX_CHARACTERS {
            let reason = format!("a filter pattern has at most {MAX_CHARACTERS} characters");
            return Err(PatternError { reason, at: MAX_CHARACTERS + 1 });
        }
        let mut cursor = Cursor::new(text);
        cursor.skip_spaces();
        let kind = match cursor.peek() {
            None => Kind::Everything,
            Some('{') => Kind::Json(json::parse(&mut cursor)?),
            Some('[') => Kind::Fields(fields::parse(&mut cursor)?),
            Some(_) => terms::parse(&mut cursor)?.map_or(Kind::Everything, Kind::Terms),
        };
        Ok(Pattern(kind))
    }

    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Everything => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(condition) => json::matches(condition, message),
            Kind::Fields(fields) => fields.matches(message),
        }
    }
}
