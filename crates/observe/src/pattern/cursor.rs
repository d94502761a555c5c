//! A place in the text of a pattern, and the small tokens all three forms of pattern share.

use super::PatternError;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Regexes seen so far.
    pub(super) regexes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor { text, at: 0, regexes: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Steps over `token` if it comes next.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn expect(&mut self, token: &str, reason: &str) -> Result<(), PatternError> {
        if self.take(token) { Ok(()) } else { Err(self.error(reason)) }
    }

    /// Everything up to `end`, which is stepped over.
    pub(super) fn until(&mut self, end: char, missing: &str) -> Result<&'a str, PatternError> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| self.error(missing))?;
        self.at += length + end.len_utf8();
        Ok(&rest[..length])
    }

    /// A text in double quotes, if one comes next. In it `\"` and `\\` stand for the quote and the backslash.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, PatternError> {
        let open = self.error("the double quote that opens here is never closed");
        if !self.take("\"") {
            return Ok(None);
        }
        let mut text = String::new();
        loop {
            match self.next().ok_or_else(|| open.clone())? {
                '"' => return Ok(Some(text)),
                '\\' if matches!(self.peek(), Some('"' | '\\')) => text.extend(self.next()),
                other => text.push(other),
            }
        }
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> PatternError {
        PatternError { reason: reason.into(), at: self.text[..self.at].chars().count() + 1 }
    }

    /// What is wrong with the character that comes next, in the words of the API.
    pub(super) fn unexpected(&self, advice: &str) -> PatternError {
        match self.peek() {
            Some(found) => self.error(format!("Invalid character(s) in term '{found}'; {advice}")),
            None => self.error(format!("the pattern ends too early; {advice}")),
        }
    }
}
