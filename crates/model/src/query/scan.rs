//! Walks over the characters of an expression and cuts out words, operators and arguments.

use super::QueryError;

/// Characters that end a word, besides white space.
const BREAKS: &str = "=!<>()[]&|,'\"";

/// Operators by their spellings; a spelling that begins another comes after it.
const SYMBOLS: [(&str, Operator); 10] = [
    ("==", Operator::Equals),
    ("!=", Operator::NotEquals),
    ("=~", Operator::Matches),
    ("!~", Operator::NotMatches),
    (">=", Operator::GreaterThanEqual),
    ("<=", Operator::LessThanEqual),
    (">", Operator::GreaterThan),
    ("<", Operator::LessThan),
    ("!exists", Operator::NotExists),
    ("!in", Operator::NotIn),
];

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanEqual,
    LessThan,
    LessThanEqual,
    Exists,
    NotExists,
    In,
    NotIn,
    Matches,
    NotMatches,
}

impl Operator {
    const ALL: [Operator; 12] = [
        Operator::Equals,
        Operator::NotEquals,
        Operator::GreaterThan,
        Operator::GreaterThanEqual,
        Operator::LessThan,
        Operator::LessThanEqual,
        Operator::Exists,
        Operator::NotExists,
        Operator::In,
        Operator::NotIn,
        Operator::Matches,
        Operator::NotMatches,
    ];

    /// Its spelling as a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Operator::Equals => "equals",
            Operator::NotEquals => "not_equals",
            Operator::GreaterThan => "greater_than",
            Operator::GreaterThanEqual => "greater_than_equal",
            Operator::LessThan => "less_than",
            Operator::LessThanEqual => "less_than_equal",
            Operator::Exists => "exists",
            Operator::NotExists => "not_exists",
            Operator::In => "in",
            Operator::NotIn => "not_in",
            Operator::Matches => "matches",
            Operator::NotMatches => "not_matches",
        }
    }
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    /// In bytes.
    offset: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Scanner { text, offset: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    fn skip_space(&mut self) {
        self.offset += self.rest().len() - self.rest().trim_start().len();
    }

    /// The next character that is not white space, left in place.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest().chars().next()
    }

    /// Where the next thing stands, in characters from 1.
    pub(super) fn at(&mut self) -> usize {
        self.skip_space();
        self.text[..self.offset].chars().count() + 1
    }

    /// Takes a punctuation if it comes next.
    pub(super) fn take(&mut self, punctuation: &str) -> bool {
        self.skip_space();
        let comes = self.rest().starts_with(punctuation);
        if comes {
            self.offset += punctuation.len();
        }
        comes
    }

    /// Takes a whole word if it comes next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let comes = self.next_word() == word;
        if comes {
            self.offset += word.len();
        }
        comes
    }

    /// Takes the next word; None where a break or the end comes.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let word = self.next_word();
        self.offset += word.len();
        (!word.is_empty()).then_some(word)
    }

    fn next_word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || BREAKS.contains(c)).unwrap_or(rest.len());
        &rest[..end]
    }

    pub(super) fn operator(&mut self) -> Option<Operator> {
        self.skip_space();
        let by_word = Operator::ALL.into_iter().find(|operator| self.take_word(operator.word()));
        by_word.or_else(|| self.symbol())
    }

    fn symbol(&mut self) -> Option<Operator> {
        let rest = self.rest();
        let (spelling, operator) = SYMBOLS.into_iter().find(|(spelling, _)| rest.starts_with(spelling))?;
        let ends_in_letter = spelling.ends_with(|c: char| c.is_ascii_alphabetic());
        let goes_on = rest[spelling.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if ends_in_letter && goes_on {
            return None;
        }
        self.offset += spelling.len();
        Some(operator)
    }

    /// Takes a value: quoted, or bare up to white space, a bracket, a comma, `&&` or `||`.
    pub(super) fn value(&mut self) -> Result<String, QueryError> {
        self.skip_space();
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        let rest = self.rest();
        let ends = |(at, c): (usize, char)| {
            c.is_whitespace() || "()[],'\"".contains(c) || rest[at..].starts_with("&&") || rest[at..].starts_with("||")
        };
        let end = rest.char_indices().find(|&next| ends(next)).map_or(rest.len(), |(at, _)| at);
        self.bare(end, "a value")
    }

    /// Takes a pattern: quoted, or bare as a value but with balanced brackets of its own and whatever is in them.
    pub(super) fn pattern(&mut self) -> Result<String, QueryError> {
        self.skip_space();
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        let rest = self.rest();
        let mut depth = 0usize;
        let mut escaped = false;
        let end = rest.char_indices().find(|&(at, c)| {
            let plain = !escaped;
            escaped = plain && c == '\\';
            match c {
                '(' | '[' | '{' if plain => depth += 1,
                ')' | ']' | '}' if plain && depth > 0 => depth -= 1,
                ')' | ']' if plain => return true,
                _ if depth == 0 && c.is_whitespace() => return true,
                _ if depth == 0 && plain => return rest[at..].starts_with("&&") || rest[at..].starts_with("||"),
                _ => {}
            }
            false
        });
        self.bare(end.map_or(rest.len(), |(at, _)| at), "a pattern")
    }

    fn bare(&mut self, end: usize, expected: &'static str) -> Result<String, QueryError> {
        if end == 0 {
            return Err(self.unexpected(expected));
        }
        let bare = &self.rest()[..end];
        self.offset += end;
        Ok(bare.to_owned())
    }

    /// Takes text in single or double quotes. A backslash before the quote's own character stands for that character;
    /// every other backslash for itself, so that patterns stay readable.
    fn quoted(&mut self) -> Result<Option<String>, QueryError> {
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else { return Ok(None) };
        let mut value = String::new();
        let mut inside = rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = inside.next() {
            match c {
                '\\' if inside.next_if(|&(_, next)| next == quote).is_some() => value.push(quote),
                _ if c == quote => {
                    self.offset += at + c.len_utf8();
                    return Ok(Some(value));
                }
                _ => value.push(c),
            }
        }
        let at = self.at();
        Err(QueryError::Unexpected { at, expected: "a closing quote for the one", found: "the end".to_owned() })
    }

    /// The error that something else was expected here.
    pub(super) fn unexpected(&mut self, expected: &'static str) -> QueryError {
        let at = self.at();
        let shown = match self.rest().chars().next() {
            None => return QueryError::Unexpected { at, expected, found: "the end".to_owned() },
            Some(first) if self.next_word().is_empty() => first.to_string(),
            Some(_) => self.next_word().chars().take(40).collect(),
        };
        QueryError::Unexpected { at, expected, found: format!("`{shown}`") }
    }
}
