//! Patterns for messages of any form: `ERROR "access denied" -health`, `?ERROR ?WARN`, `%regex%`.

use super::cursor::Cursor;
use super::{PatternError, dialect};
use regex::Regex;

/// A message must hold all of `all`, none of `none`, and one of `any` if there are such.
#[derive(Default, Debug)]
pub(super) struct Terms {
    all: Vec<Term>,
    none: Vec<Term>,
    any: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

const QUOTE: &str = "put a term of more than letters, digits and underscores in double quotes";

/// None: the pattern matches everything.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Terms>, PatternError> {
    let mut terms = Terms::default();
    let mut blank = false;
    loop {
        cursor.skip_spaces();
        let Some(first) = cursor.peek() else { break };
        let place = match first {
            '?' => &mut terms.any,
            '-' => &mut terms.none,
            _ => &mut terms.all,
        };
        if matches!(first, '?' | '-') {
            cursor.next();
            cursor.skip_spaces();
        }
        match term(cursor)? {
            Some(term) => place.push(term),
            None => blank = true,
        }
    }
    // CloudWatch Logs user guide: beside other terms, those with a question mark are ignored.
    if !terms.all.is_empty() || !terms.none.is_empty() || blank {
        terms.any.clear();
    }
    let empty = terms.all.is_empty() && terms.none.is_empty() && terms.any.is_empty();
    Ok((!empty).then_some(terms))
}

/// None: a quoted blank, which every message is taken to hold.
fn term(cursor: &mut Cursor<'_>) -> Result<Option<Term>, PatternError> {
    if cursor.take("%") {
        return Ok(Some(Term::Regex(dialect::parse(cursor)?)));
    }
    let empty = cursor.error("Invalid character(s) in term '\"\"'; a pattern without terms matches everything");
    if let Some(text) = cursor.quoted()? {
        return match text.trim().is_empty() {
            true if text.is_empty() => Err(empty),
            true => Ok(None),
            false => Ok(Some(Term::Text(text))),
        };
    }
    let text = cursor.take_while(|c| c.is_alphanumeric() || "_-./".contains(c));
    if text.is_empty() || cursor.peek().is_some_and(|c| !c.is_whitespace()) {
        return Err(cursor.unexpected(QUOTE));
    }
    Ok(Some(Term::Text(text.to_owned())))
}

impl Terms {
    pub(super) fn matches(&self, message: &str) -> bool {
        let holds = |term: &Term| match term {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message),
        };
        self.all.iter().all(holds)
            && !self.none.iter().any(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
    }
}
