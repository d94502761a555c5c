//! Patterns for messages that are JSON: `{ $.status >= 500 && $.user.name = "a*" }`.

use super::PatternError;
use super::cursor::Cursor;
use super::expression::Expression;
use super::value::Comparison;
use serde_json::Value;

/// CloudWatch Logs user guide, quotas beside compound expressions.
const MAX_WILDCARDS: usize = 3;

pub(super) type Condition = Expression<Test>;

#[derive(Debug)]
pub(super) struct Test {
    path: Vec<Step>,
    question: Question,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Element(usize),
    /// Every element of an array, every field of an object.
    Any,
}

#[derive(Debug)]
enum Question {
    Compares(Comparison),
    IsNull,
    Is(bool),
    NotExists,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, PatternError> {
    cursor.expect("{", "a pattern for JSON starts with '{'")?;
    let mut wildcards = 0;
    let condition = Expression::parse(cursor, &mut |cursor| test(cursor, &mut wildcards), 0)?;
    cursor.skip_spaces();
    if !cursor.take("}") {
        return Err(match cursor.peek() {
            None => cursor.error("If a filter pattern starts with '{' it must end with '}'"),
            Some(_) => cursor.unexpected("'&&', '||' or '}' must follow a condition"),
        });
    }
    cursor.skip_spaces();
    match cursor.peek() {
        None => Ok(condition),
        Some(_) => Err(cursor.error("If a filter pattern starts with '{' it must end with '}'")),
    }
}

fn test(cursor: &mut Cursor<'_>, wildcards: &mut usize) -> Result<Test, PatternError> {
    let path = selector(cursor)?;
    let any = path.iter().filter(|step| matches!(step, Step::Any)).count();
    *wildcards += any;
    if any > 1 || *wildcards > MAX_WILDCARDS {
        let reason = format!("a selector holds at most one wildcard, a pattern at most {MAX_WILDCARDS}");
        return Err(cursor.error(reason));
    }
    if let Some(comparison) = Comparison::parse(cursor)? {
        return Ok(Test { path, question: Question::Compares(comparison) });
    }
    let advice = "after a selector comes a comparison, IS NULL, IS TRUE, IS FALSE or NOT EXISTS";
    let start = cursor.unexpected(advice);
    let mut words = [""; 2];
    for word in &mut words {
        cursor.skip_spaces();
        *word = cursor.take_while(|c| c.is_ascii_alphabetic());
    }
    let question = match words {
        ["IS", "NULL"] => Question::IsNull,
        ["IS", "TRUE"] => Question::Is(true),
        ["IS", "FALSE"] => Question::Is(false),
        ["NOT", "EXISTS"] => Question::NotExists,
        ["IS", "NOT"] => return Err(cursor.error("IS NOT is not supported; write != or NOT EXISTS")),
        ["EXISTS", _] => return Err(cursor.error("EXISTS is not supported; write '= *'")),
        _ => return Err(start),
    };
    Ok(Test { path, question })
}

/// `$` and its steps: `.name`, `[0]`, `[*]`, `.*`, `['any name']`.
fn selector(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatternError> {
    if !cursor.take("$") {
        return Err(cursor.unexpected("a condition starts with a selector such as $.name"));
    }
    let mut path = Vec::new();
    loop {
        let dot = cursor.take(".");
        if cursor.take("[") {
            path.push(bracket(cursor)?);
        } else if dot && cursor.take("*") {
            path.push(Step::Any);
        } else if dot {
            let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
            if name.is_empty() {
                return Err(cursor
                    .unexpected("a selector's names are of letters, digits, '-' and '_'; write others as ['name']"));
            }
            path.push(Step::Field(name.to_owned()));
        } else if path.is_empty() {
            return Err(cursor.unexpected("a selector starts with '$.'"));
        } else {
            return Ok(path);
        }
    }
}

/// What follows an opening bracket of a selector, and the closing one.
fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    let step = if cursor.take("'") {
        Step::Field(cursor.until('\'', "the single quote before here is never closed")?.to_owned())
    } else if cursor.take("*") {
        Step::Any
    } else {
        let index = cursor.error("an element is named by its number from 0, by '*', or by a name in single quotes");
        Step::Element(cursor.take_while(|c| c.is_ascii_digit()).parse().map_err(|_| index)?)
    };
    cursor.expect("]", "a bracket of a selector is not closed")?;
    Ok(step)
}

pub(super) fn matches(condition: &Condition, message: &str) -> bool {
    match serde_json::from_str::<Value>(message) {
        // A pattern for JSON is about objects and arrays: a bare word or number is unstructured text.
        Ok(document @ (Value::Object(_) | Value::Array(_))) => condition.holds(&|test| test.holds(&document)),
        _ => false,
    }
}

impl Test {
    fn holds(&self, document: &Value) -> bool {
        match &self.question {
            Question::Compares(comparison) => any(document, &self.path, &|value| match value {
                Value::String(text) => comparison.holds_for_text(text),
                Value::Number(number) => comparison.holds_for_text(&number.to_string()),
                _ => false,
            }),
            Question::IsNull => any(document, &self.path, &Value::is_null),
            Question::Is(wanted) => any(document, &self.path, &|value| value.as_bool() == Some(*wanted)),
            Question::NotExists => !any(document, &self.path, &|_| true),
        }
    }
}

/// Whether one of the values that a path leads to satisfies a question.
fn any(value: &Value, path: &[Step], question: &impl Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = path.split_first() else { return question(value) };
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => fields.get(name).is_some_and(|v| any(v, rest, question)),
        (Step::Element(index), Value::Array(elements)) => elements.get(*index).is_some_and(|v| any(v, rest, question)),
        (Step::Any, Value::Array(elements)) => elements.iter().any(|v| any(v, rest, question)),
        (Step::Any, Value::Object(fields)) => fields.values().any(|v| any(v, rest, question)),
        _ => false,
    }
}
