//! Patterns for messages of words apart: `[ip, user, ..., status = 4*, size > 100]`.

use super::PatternError;
use super::cursor::Cursor;
use super::expression::Expression;
use super::value::Comparison;

/// The fields before an ellipsis, and those after it if there is one.
#[derive(Debug)]
pub(super) struct Fields {
    first: Vec<Field>,
    last: Option<Vec<Field>>,
}

/// A field and what is asked of it, if anything.
type Field = Option<Expression<Comparison>>;

const END: &str = "If a filter pattern starts with '[' it must end with ']'";

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Fields, PatternError> {
    cursor.expect("[", "a pattern for fields starts with '['")?;
    let mut fields = Fields { first: Vec::new(), last: None };
    let mut names = Vec::new();
    cursor.skip_spaces();
    if cursor.peek() != Some(']') {
        loop {
            cursor.skip_spaces();
            if cursor.take("...") {
                if fields.last.replace(Vec::new()).is_some() {
                    return Err(cursor.error("an ellipsis stands in a pattern once"));
                }
            } else {
                let field = field(cursor, &mut names)?;
                fields.last.as_mut().unwrap_or(&mut fields.first).push(field);
            }
            cursor.skip_spaces();
            if !cursor.take(",") {
                break;
            }
        }
    }
    if !cursor.take("]") {
        return Err(match cursor.peek() {
            None => cursor.error(END),
            Some(_) => cursor.unexpected("',' or ']' must follow a field"),
        });
    }
    cursor.skip_spaces();
    match cursor.peek() {
        None => Ok(fields),
        Some(_) => Err(cursor.error(END)),
    }
}

/// A name, alone or with conditions that repeat it; or nothing, a field without a name.
fn field<'a>(cursor: &mut Cursor<'a>, names: &mut Vec<String>) -> Result<Field, PatternError> {
    if matches!(cursor.peek(), Some(',' | ']')) {
        return Ok(None);
    }
    let mut own: Option<String> = None;
    let mut plain = false;
    let condition = Expression::parse(
        cursor,
        &mut |cursor| {
            let name = name(cursor)?;
            if own.get_or_insert_with(|| name.clone()) != &name {
                return Err(cursor.error(format!("a condition on {name} stands at the field of another name")));
            }
            let found = Comparison::parse(cursor)?;
            plain |= found.is_none();
            Ok(found)
        },
        0,
    )?;
    let own = own.expect("an expression has at least one condition");
    if names.contains(&own) {
        return Err(cursor.error(format!("two fields have the name {own}")));
    }
    names.push(own);
    match condition {
        Expression::One(None) => Ok(None),
        _ if plain => Err(cursor.error("a name among conditions needs a comparison")),
        condition => Ok(Some(compared(condition))),
    }
}

fn name(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    let advice = "a field's name is of letters, digits, '-' and '_' and starts with a letter";
    if cursor.peek().is_none_or(|c| !c.is_alphabetic() && c != '_') {
        return Err(cursor.unexpected(advice));
    }
    Ok(cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-').to_owned())
}

/// The same expression, of which it is known that nothing is missing.
fn compared(expression: Expression<Option<Comparison>>) -> Expression<Comparison> {
    match expression {
        Expression::All(all) => Expression::All(all.into_iter().map(compared).collect()),
        Expression::Any(any) => Expression::Any(any.into_iter().map(compared).collect()),
        Expression::One(one) => Expression::One(one.expect("a plain name among conditions was refused")),
    }
}

impl Fields {
    /// Without an ellipsis the last field takes all that is left of the message.
    pub(super) fn matches(&self, message: &str) -> bool {
        let holds = |field: &Field, value: &str| field.as_ref().is_none_or(|e| e.holds(&|c| c.holds_for_text(value)));
        let Some(last) = &self.last else {
            let Some((rest, fields)) = self.first.split_last() else { return true };
            let mut words = Words::new(message);
            return fields.iter().all(|field| words.next().is_some_and(|word| holds(field, word)))
                && words.rest().is_some_and(|word| holds(rest, word));
        };
        let words: Vec<&str> = Words::new(message).collect();
        words.len() >= self.first.len() + last.len()
            && self.first.iter().zip(&words).all(|(field, word)| holds(field, word))
            && last.iter().rev().zip(words.iter().rev()).all(|(field, word)| holds(field, word))
    }
}

/// A message's fields: words, and what stands between brackets or double quotes as one.
struct Words<'a> {
    left: &'a str,
    /// No closing bracket or quote is ahead; looking again for each opening one would cost the square of the length.
    unclosed: [bool; 2],
}

impl<'a> Words<'a> {
    fn new(message: &'a str) -> Self {
        Words { left: message.trim(), unclosed: [false; 2] }
    }

    /// All that is left as one field; a single word without what surrounds it.
    fn rest(mut self) -> Option<&'a str> {
        let all = self.left;
        let word = self.next()?;
        Some(if self.left.is_empty() { word } else { all })
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.left;
        let kind = match text.chars().next()? {
            '[' => Some((0, ']')),
            '"' => Some((1, '"')),
            _ => None,
        };
        let mut inner = None;
        if let Some((kind, close)) = kind.filter(|(kind, _)| !self.unclosed[*kind]) {
            inner = text[1..].find(close).map(|length| &text[1..1 + length]);
            self.unclosed[kind] = inner.is_none();
        }
        let closed = inner.map_or(0, |inner| inner.len() + 2);
        let end = text[closed..].find(char::is_whitespace).map_or(text.len(), |length| closed + length);
        self.left = text[end..].trim_start();
        Some(inner.filter(|_| closed == end).unwrap_or(&text[..end]))
    }
}
