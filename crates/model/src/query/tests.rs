//! The language as users write it: what each expression chooses, and what is said of a wrong one.

use super::{Query, QueryError, Subject};
use crate::quantity::Timestamp;
use std::collections::BTreeMap;

struct Instance {
    attributes: BTreeMap<&'static str, Option<&'static str>>,
    connected: bool,
    version: &'static str,
    registered_at: Timestamp,
    running: u64,
    groups: Vec<&'static str>,
}

impl Subject for Instance {
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.attributes.get(name).copied()
    }
    fn agent_connected(&self) -> bool {
        self.connected
    }
    fn agent_version(&self) -> &str {
        self.version
    }
    fn instance_id(&self) -> &str {
        "i-abcd1234"
    }
    fn registered_at(&self) -> Timestamp {
        self.registered_at
    }
    fn running_units(&self) -> u64 {
        self.running
    }
    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.groups.iter().any(|group| test(group))
    }
}

/// A connected g2.2xlarge in us-east-1a, registered 2018-06-18T22:28:28.5Z, that runs one task of `service:production`.
fn instance() -> Instance {
    Instance {
        attributes: BTreeMap::from([
            ("ecs.instance-type", Some("g2.2xlarge")),
            ("ecs.availability-zone", Some("us-east-1a")),
            ("ecs.capability.task-eni", None),
            ("stack", Some("prod")),
            ("rack/row", Some("two words")),
            ("generation", Some("10")),
            ("quoted", Some("it's")),
        ]),
        connected: true,
        version: "1.14.5",
        registered_at: Timestamp::from_unix_ms(1_529_360_908_500),
        running: 1,
        groups: vec!["service:production"],
    }
}

#[track_caller]
fn chooses(expressions: &[&str]) {
    for expression in expressions {
        let query = Query::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(query.matches(&instance()), "{expression} should choose the instance");
    }
}

#[track_caller]
fn leaves(expressions: &[&str]) {
    for expression in expressions {
        let query = Query::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(!query.matches(&instance()), "{expression} should leave the instance");
    }
}

#[track_caller]
fn refused(expression: &str, message: &str) {
    match Query::parse(expression) {
        Ok(query) => panic!("{expression} was read as {query:?}"),
        Err(error) => assert_eq!(error.to_string(), message, "{expression}"),
    }
}

#[test]
fn the_examples_of_the_guide_mean_what_it_says() {
    chooses(&[
        "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
        "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
        "task:group == service:production",
        "not(task:group == database)",
        "runningTasksCount == 1",
        "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
        "registeredAt > 2018-02-13",
    ]);
    leaves(&["attribute:ecs.instance-type == t2.small", "agentVersion < 1.14.5", "registeredAt < 2018-02-13"]);
}

#[test]
fn every_operator_has_a_sign_and_a_word() {
    chooses(&[
        "attribute:stack == prod",
        "attribute:stack equals prod",
        "attribute:stack != test",
        "attribute:stack not_equals test",
        "attribute:generation > 9",
        "attribute:generation greater_than 9",
        "attribute:generation >= 10",
        "attribute:generation greater_than_equal 10",
        "attribute:generation < 11",
        "attribute:generation less_than 11",
        "attribute:generation <= 10",
        "attribute:generation less_than_equal 10",
        "attribute:stack exists",
        "attribute:absent !exists",
        "attribute:absent not_exists",
        "attribute:stack in [test, prod]",
        "attribute:stack !in [test]",
        "attribute:stack not_in [test]",
        "attribute:stack =~ pr.d",
        "attribute:stack matches pr.d",
        "attribute:stack !~ te.*",
        "attribute:stack not_matches te.*",
    ]);
    leaves(&["attribute:stack !exists", "attribute:absent exists", "attribute:stack !in [prod]"]);
}

#[test]
fn and_binds_tighter_than_or_and_not_tightest() {
    chooses(&[
        "attribute:stack == prod || attribute:absent exists && attribute:absent exists",
        "attribute:absent exists and attribute:absent exists or attribute:stack == prod",
        "!attribute:absent exists && attribute:stack exists",
        "not attribute:absent exists and not not attribute:stack exists",
        "!(attribute:stack == a or attribute:stack == b)",
    ]);
    leaves(&[
        "(attribute:stack == prod || attribute:absent exists) && attribute:absent exists",
        "!(attribute:absent exists or attribute:stack exists)",
    ]);
}

#[test]
fn white_space_is_needed_only_between_words() {
    chooses(&[
        "attribute:stack==prod&&attribute:generation>=10",
        "(attribute:stack==prod)and(attribute:generation<11)",
        "attribute:stack in[prod]",
        "attribute:stack!exists||attribute:stack!in[test]",
        "  \t attribute:stack\n==\nprod ",
    ]);
}

#[test]
fn quotes_hold_white_space_and_each_other() {
    chooses(&[
        "attribute:rack/row == 'two words'",
        "attribute:rack/row == \"two words\"",
        "attribute:quoted == \"it's\"",
        r"attribute:quoted == 'it\'s'",
        r"attribute:ecs.instance-type =~ 'g2\..*'",
    ]);
}

#[test]
fn a_pattern_matches_the_whole_value_and_may_hold_brackets_and_bars() {
    chooses(&[
        "attribute:ecs.instance-type =~ (t2|g2).*",
        "(attribute:ecs.instance-type =~ (t2|g2).*)",
        "attribute:stack =~ prod|test&&attribute:stack exists",
        "attribute:ecs.instance-type =~ [a-h]2[.]\\w{7}",
        "attribute:stack =~ a|prod",
        "agentConnected =~ t.*",
    ]);
    leaves(&["attribute:ecs.instance-type =~ g2", "attribute:stack =~ ro", "attribute:stack =~ p|d"]);
}

#[test]
fn an_absent_attribute_satisfies_nothing_but_its_absence() {
    leaves(&[
        "attribute:absent == prod",
        "attribute:absent != prod",
        "attribute:absent !in [prod]",
        "attribute:absent !~ prod",
        "attribute:absent < 3",
    ]);
    chooses(&["not(attribute:absent == prod)"]);
}

#[test]
fn an_attribute_without_a_value_exists_and_is_empty() {
    chooses(&[
        "attribute:ecs.capability.task-eni exists",
        "attribute:ecs.capability.task-eni == ''",
        "attribute:ecs.capability.task-eni != yes",
    ]);
}

#[test]
fn order_is_by_number_where_both_sides_are_dotted_numbers_and_by_spelling_elsewhere() {
    chooses(&["attribute:generation > 9", "attribute:generation < 10.1", "attribute:stack > beta"]);
    leaves(&["attribute:generation > 10.0", "attribute:generation >= nine"]);
    chooses(&["agentVersion >= 1.9", "agentVersion == 1.14.5.0", "agentVersion != 1.14", "agentVersion < 1.100"]);
}

#[test]
fn an_agent_that_calls_itself_no_version_satisfies_no_comparison() {
    let odd = Instance { version: "dev", ..instance() };
    for expression in ["agentVersion < 2.0", "agentVersion >= 0.1", "agentVersion != 1.0"] {
        assert!(!Query::parse(expression).unwrap().matches(&odd), "{expression}");
    }
    let suffixed = Instance { version: "v1.20.3-rc1", ..instance() };
    assert!(Query::parse("agentVersion == 1.20.3").unwrap().matches(&suffixed));
}

#[test]
fn registration_compares_by_the_second_in_every_documented_format() {
    chooses(&[
        "registeredAt == 2018-06-18T22:28:28+00:00",
        "registeredAt == 2018-06-18T22:28:28Z",
        "registeredAt == 2018-06-18T22:28:28",
        "registeredAt == '2018-06-19T00:28:28+02:00'",
        "registeredAt > 2018-06-18",
        "registeredAt <= 2018-06-19",
    ]);
}

#[test]
fn a_negated_test_of_groups_holds_where_no_group_passes_the_plain_one() {
    let busy = Instance { groups: vec!["service:production", "database"], ..instance() };
    let empty = Instance { groups: vec![], ..instance() };
    let holds = |expression: &str, on: &Instance| Query::parse(expression).unwrap().matches(on);
    assert!(holds("task:group == database", &busy) && !holds("task:group != database", &busy));
    assert!(holds("task:group =~ service:.*", &busy) && holds("task:group in [database]", &busy));
    assert!(holds("task:group != database", &empty) && holds("task:group !exists", &empty));
    assert!(!holds("task:group exists", &empty));
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let subject = "attribute:NAME, agentConnected, agentVersion, ec2InstanceId, registeredAt, runningTasksCount, \
                   task:group, `!` or `(`";
    refused("", &format!("expected {subject} at character 1, found the end"));
    refused("stack == prod", &format!("expected {subject} at character 1, found `stack`"));
    refused("attribute: == prod", &format!("expected {subject} at character 1, found `attribute:`"));
    refused("(attribute:a exists", "expected `&&`, `||` or `)` at character 20, found the end");
    refused("attribute:a exists)", "expected `&&`, `||` or the end at character 19, found `)`");
    refused(
        "attribute:a = b",
        "expected an operator (==, !=, >, >=, <, <=, in, !in, =~, !~, exists, !exists) at character 13, found `=`",
    );
    refused("attribute:a ==", "expected a value at character 15, found the end");
    refused("attribute:a == b c", "expected `&&`, `||` or the end at character 18, found `c`");
    refused("attribute:a in b", "expected a list such as [a, b] at character 16, found `b`");
    refused("attribute:a in [b", "expected `,` or `]` at character 18, found the end");
    refused("attribute:a in []", "expected a value at character 17, found `]`");
    refused("attribute:a == 'b", "expected a closing quote for the one at character 16, found the end");
    refused("attribute:ä == ", "expected a value at character 16, found the end");
    refused("runningTasksCount == few", "`few` at character 22 is not a whole number");
    refused("agentVersion > new", "`new` at character 16 is not a version such as 1.14.5");
    refused(
        "registeredAt > yesterday",
        "`yesterday` at character 16 is not a date such as 2018-06-18, 2018-06-18T22:28:28, 2018-06-18T22:28:28Z \
         or 2018-06-18T22:28:28+00:00",
    );
    refused(
        "agentConnected > true",
        "`greater_than` at character 16 cannot be used with agentConnected; use one of == (equals), != (not_equals), \
         in, !in (not_in), =~ (matches), !~ (not_matches)",
    );
}

#[test]
fn an_expression_is_bounded_in_length_depth_and_pattern_size() {
    let fits = format!("attribute:a == {}", "x".repeat(1985));
    assert!(Query::parse(&fits).is_ok());
    assert_eq!(Query::parse(&format!("{fits}x")).unwrap_err(), QueryError::TooLong { chars: 2001 });
    let nested = |levels: usize| format!("{}attribute:a exists{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Query::parse(&nested(64)).is_ok());
    assert_eq!(Query::parse(&nested(65)).unwrap_err(), QueryError::TooDeep { at: 66, max: 64 });
    assert!(matches!(Query::parse(&"!".repeat(1999)), Err(QueryError::TooDeep { .. })));
    assert!(matches!(Query::parse("attribute:a =~ (a{1000}){1000}"), Err(QueryError::Pattern { at: 16, .. })));
    assert!(matches!(Query::parse("attribute:a =~ 'a)|(b'"), Err(QueryError::Pattern { .. })));
    assert!(matches!(Query::parse("attribute:a =~ (?!t2).*"), Err(QueryError::Pattern { .. })));
}

#[test]
fn no_text_makes_the_parser_panic() {
    let pieces = [
        "attribute:a",
        "task:group",
        "agentVersion",
        "==",
        "=~",
        "!in",
        "[",
        "]",
        "(",
        ")",
        "'",
        "\"",
        "\\",
        "!",
        "&&",
        "||",
        "and",
        "not",
        ",",
        " ",
        "ä",
        "1.2",
        "registeredAt",
        "exists",
        "{",
        "}",
        "\u{0}",
        "2018-13-99T",
    ];
    let mut state = 1u64;
    for _ in 0..20_000 {
        let text: String = (0..1 + state % 9)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                pieces[(state >> 33) as usize % pieces.len()]
            })
            .collect();
        if let Ok(query) = Query::parse(&text) {
            query.matches(&instance());
        }
    }
}
