//! From text to expression: `!` binds tighter than `&&`, and that tighter than `||`.

use super::expression::{Expression, Order, Test, TextCheck, TextTest};
use super::operand::{Moment, Version};
use super::scan::{Operator, Scanner};
use super::{Query, QueryError};
use regex::bytes::{Regex, RegexBuilder};

/// Nesting of parentheses and negations; bounds the parser's and the evaluator's stack.
const MAX_DEPTH: usize = 64;
/// Bytes that one compiled pattern may take, and again its cache while it matches.
const MAX_PATTERN_BYTES: usize = 1 << 18;

const COMPARISONS: &str =
    "== (equals), != (not_equals), > (greater_than), >= (greater_than_equal), < (less_than), <= (less_than_equal)";
const CHOICES: &str = "== (equals), != (not_equals), in, !in (not_in), =~ (matches), !~ (not_matches)";
const SUBJECT: &str = "attribute:NAME, agentConnected, agentVersion, ec2InstanceId, registeredAt, runningTasksCount, \
     task:group, `!` or `(`";

pub(super) fn parse(text: &str) -> Result<Expression, QueryError> {
    let chars = text.chars().count();
    if chars > Query::MAX_CHARS {
        return Err(QueryError::TooLong { chars });
    }
    let mut scanner = Scanner::new(text);
    let root = any(&mut scanner, 0)?;
    match scanner.peek() {
        None => Ok(root),
        Some(_) => Err(scanner.unexpected("`&&`, `||` or the end")),
    }
}

fn any(scanner: &mut Scanner<'_>, depth: usize) -> Result<Expression, QueryError> {
    let mut parts = vec![all(scanner, depth)?];
    while scanner.take("||") || scanner.take_word("or") {
        parts.push(all(scanner, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all(scanner: &mut Scanner<'_>, depth: usize) -> Result<Expression, QueryError> {
    let mut parts = vec![one(scanner, depth)?];
    while scanner.take("&&") || scanner.take_word("and") {
        parts.push(one(scanner, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn one(scanner: &mut Scanner<'_>, depth: usize) -> Result<Expression, QueryError> {
    let at = scanner.at();
    if depth > MAX_DEPTH {
        return Err(QueryError::TooDeep { at, max: MAX_DEPTH });
    }
    if scanner.take("!") || scanner.take_word("not") {
        return Ok(Expression::Not(Box::new(one(scanner, depth + 1)?)));
    }
    if scanner.take("(") {
        let inner = any(scanner, depth + 1)?;
        return if scanner.take(")") { Ok(inner) } else { Err(scanner.unexpected("`&&`, `||` or `)`")) };
    }
    test(scanner).map(Expression::Test)
}

fn test(scanner: &mut Scanner<'_>) -> Result<Test, QueryError> {
    let wrong = scanner.unexpected(SUBJECT);
    let Some(subject) = scanner.word() else { return Err(wrong) };
    let known = ["agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount", "task:group"];
    let attribute = subject.strip_prefix("attribute:").filter(|name| !name.is_empty());
    if attribute.is_none() && !known.contains(&subject) {
        return Err(wrong);
    }
    let at = scanner.at();
    let Some(operator) = scanner.operator() else {
        return Err(scanner.unexpected("an operator (==, !=, >, >=, <, <=, in, !in, =~, !~, exists, !exists)"));
    };
    let refuse = |allowed| QueryError::Operator { at, subject: subject.to_owned(), operator: operator.word(), allowed };
    match subject {
        "agentConnected" if is_choice(operator) => Ok(Test::AgentConnected(text_test(scanner, operator)?)),
        "ec2InstanceId" if is_choice(operator) => Ok(Test::InstanceId(text_test(scanner, operator)?)),
        "agentConnected" | "ec2InstanceId" => Err(refuse(CHOICES)),
        "task:group" => Ok(Test::TaskGroup(text_test(scanner, operator)?)),
        "agentVersion" | "registeredAt" | "runningTasksCount" => match order(operator) {
            Some(order) => comparison(scanner, subject, order),
            None => Err(refuse(COMPARISONS)),
        },
        _ => Ok(Test::Attribute(attribute.unwrap_or(subject).to_owned(), text_test(scanner, operator)?)),
    }
}

fn is_choice(operator: Operator) -> bool {
    use Operator::*;
    matches!(operator, Equals | NotEquals | In | NotIn | Matches | NotMatches)
}

fn order(operator: Operator) -> Option<Order> {
    match operator {
        Operator::Equals => Some(Order::Equal),
        Operator::NotEquals => Some(Order::NotEqual),
        Operator::GreaterThan => Some(Order::Greater),
        Operator::GreaterThanEqual => Some(Order::GreaterOrEqual),
        Operator::LessThan => Some(Order::Less),
        Operator::LessThanEqual => Some(Order::LessOrEqual),
        _ => None,
    }
}

fn comparison(scanner: &mut Scanner<'_>, subject: &str, order: Order) -> Result<Test, QueryError> {
    let at = scanner.at();
    let found = scanner.value()?;
    let (test, expected) = match subject {
        "agentVersion" => {
            (Version::parse(&found).map(|version| Test::AgentVersion(order, version)), "a version such as 1.14.5")
        }
        "registeredAt" => (
            Moment::parse(&found).map(|moment| Test::RegisteredAt(order, moment)),
            "a date such as 2018-06-18, 2018-06-18T22:28:28, 2018-06-18T22:28:28Z or 2018-06-18T22:28:28+00:00",
        ),
        _ => (found.parse().ok().map(|count| Test::RunningTasks(order, count)), "a whole number"),
    };
    test.ok_or(QueryError::Value { at, found, expected })
}

fn text_test(scanner: &mut Scanner<'_>, operator: Operator) -> Result<TextTest, QueryError> {
    use Operator::*;
    let negated = matches!(operator, NotEquals | NotExists | NotIn | NotMatches);
    let check = match operator {
        Exists | NotExists => TextCheck::Exists,
        Equals | NotEquals => TextCheck::OneOf(vec![scanner.value()?]),
        In | NotIn => TextCheck::OneOf(list(scanner)?),
        Matches | NotMatches => TextCheck::Pattern(pattern(scanner)?),
        GreaterThan => TextCheck::Order(Order::Greater, scanner.value()?),
        GreaterThanEqual => TextCheck::Order(Order::GreaterOrEqual, scanner.value()?),
        LessThan => TextCheck::Order(Order::Less, scanner.value()?),
        LessThanEqual => TextCheck::Order(Order::LessOrEqual, scanner.value()?),
    };
    Ok(TextTest { negated, check })
}

fn list(scanner: &mut Scanner<'_>) -> Result<Vec<String>, QueryError> {
    if !scanner.take("[") {
        return Err(scanner.unexpected("a list such as [a, b]"));
    }
    let mut values = vec![scanner.value()?];
    while scanner.take(",") {
        values.push(scanner.value()?);
    }
    if scanner.take("]") { Ok(values) } else { Err(scanner.unexpected("`,` or `]`")) }
}

fn pattern(scanner: &mut Scanner<'_>) -> Result<Regex, QueryError> {
    let at = scanner.at();
    let text = scanner.pattern()?;
    let build = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.unicode(false).size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).build()
    };
    // Java's classes are ASCII's unless asked otherwise, and so small. On its own first: a stray bracket must not close the group around it.
    let whole = build(&text).and_then(|_| build(&format!(r"\A(?:{text})\z")));
    whole.map_err(|source| QueryError::Pattern { at, source })
}
