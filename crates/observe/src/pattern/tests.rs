//! Every example of the user guide with the matches that it states, what is refused, and what must never happen.

use super::*;
use proptest::prelude::*;

const EVENT: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"], "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": null, "ThisFlag": true, "cluster.name": "c", "count": 3, "big": 1234567890123456788}"#;
const COMPOUND: &str = r#"{"user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"], "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]]}"#;
const APACHE: &str = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
const INFO: &str = "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200";
const POST: &str = "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310";
const WARNING: &str = "WARNING 09/25/2014 12:00:02 Invalid user request";
const ERROR: &str = "ERROR 09/25/2014 12:00:02 Failed to process request";

#[track_caller]
fn check(cases: &[(&str, &str, bool)]) {
    for (pattern, message, expected) in cases {
        let parsed = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(parsed.matches(message), *expected, "pattern {pattern} on {message}");
    }
}

#[test]
fn terms_are_found_anywhere_and_in_their_case() {
    check(&[
        ("", "anything", true),
        ("  ", "", true),
        (r#"" ""#, "word", true),
        ("ERROR", "[ERROR 400] BAD REQUEST", true),
        ("ERROR", "[ERROR 419] MISSING ARGUMENTS", true),
        ("ERROR", "Exiting with ERRORCODE: -1", true),
        ("ERROR", "an error happened", false),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true),
        ("ERROR ARGUMENTS", "[ERROR 420] INVALID ARGUMENTS", true),
        ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false),
        ("ERROR Exception", "[ERROR] Caught IllegalArgumentException", true),
        ("Failed to process the request", "[ERROR] Unable to continue: Failed to process the request", true),
        ("ERROR or Exception", "ERROR Exception", false),
        (r#""INTERNAL SERVER ERROR""#, "[ERROR 500] INTERNAL SERVER ERROR", true),
        (r#""INTERNAL SERVER ERROR""#, "[ERROR 500] INTERNAL ERROR ON SERVER", false),
        (r#""[ERROR]" Exception"#, "[ERROR] Unhandled exception: QueryException", true),
        (r#""level\":\"error""#, r#"{"level":"error"}"#, true),
    ]);
}

#[test]
fn terms_are_excluded_by_a_minus_and_made_optional_by_a_question_mark() {
    check(&[
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false),
        ("-ERROR", "all is well", true),
        (r#""ERROR" - "Exiting""#, "Exiting with ERRORCODE: -1", false),
        (r#""ERROR" -"Exiting""#, "ERROR", true),
        ("?ERROR ?ARGUMENTS", "[ERROR 400] BAD REQUEST", true),
        ("?ERROR ?ARGUMENTS", "MISSING ARGUMENTS", true),
        ("?ERROR ?ARGUMENTS", "[INFO 200] OK", false),
        (r#"?"Status: timeout" ?ERROR"#, "Status: timeout", true),
        ("?ERROR ?ARGUMENTS REQUEST", "[INFO] REQUEST FAILED", true),
        ("?ERROR ?ARGUMENTS REQUEST", "[ERROR] MISSING ARGUMENTS", false),
    ]);
}

#[test]
fn regular_expressions_are_those_of_the_guide() {
    check(&[
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", true),
        ("%AUTHORIZED%", "[SUCCESS 200] OK", false),
        ("%^[hc]at%", "hat trick", true),
        ("%^[hc]at%", "a hat", false),
        ("%[hc]at$%", "the cat", true),
        ("%colou?r%", "color", true),
        ("%colou?r%", "colour", true),
        ("%^[abcx-z]$%", "y", true),
        ("%^a{3,5}$%", "aaaa", true),
        ("%^a{3,5}$%", "aa", false),
        ("%^a{,2}$%", "aa", true),
        ("%^a{,2}$%", "aaa", false),
        ("%^a{2,}$%", "aaaaaaa", true),
        ("%gra|ey%", "grey", true),
        ("%^starting|^initializing|^shutting down%", "shutting down now", true),
        ("%^starting|^initializing|^shutting down%", "skipping initializing", false),
        ("%abcc|ab[^c]$%", "aba", true),
        ("%abcc|ab[^c]$%", "aac", false),
        (r"%\[.\]%", "value [7] here", true),
        (r"%10\.10\.0\.1%", "from 10.10.0.1", true),
        (r"%10\.10\.0\.1%", "from 10010,051", false),
        ("%10.10.0.1%", "from 10010,051", true),
        ("%ab*c%", "ac", true),
        ("%ab[0-9]*%", "ab129", true),
        ("%ab+c%", "ac", false),
        ("%.at%", "#at", true),
        (r"%\d%", "port 80", true),
        (r"%\d%", "٣", false),
        (r"%^\D+$%", "port", true),
        (r"%a\sb%", "a\tb", true),
        (r"%^\S$%", "ü", true),
        (r"%^[\w:]+$%", "a_1:", true),
        (r"%\x28\x3A%", "(:", true),
        ("%ERR% -INFO", "ERR INFO", false),
    ]);
}

#[test]
fn selectors_find_strings_numbers_and_flags_in_json() {
    check(&[
        (r#"{ $.eventType = "UpdateTrail" }"#, EVENT, true),
        ("{ $.eventType = UpdateTrail }", EVENT, true),
        ("{$.eventType=UpdateTrail}", EVENT, true),
        ("{ $.sourceIPAddress != 123.123.* }", EVENT, true),
        ("{ $.sourceIPAddress != 111.111.* }", EVENT, false),
        (r#"{ $.arrayKey[0] = "value" }"#, EVENT, true),
        (r#"{ $.arrayKey[1] = "value" }"#, EVENT, false),
        (r#"{ $.ThisFlag[0] = "value" }"#, EVENT, false),
        ("{ $.objectList[1].id = 2 }", EVENT, true),
        ("{ $.objectList[1].number = 2 }", EVENT, false),
        ("{ $.eventType = %Trail% }", EVENT, true),
        ("{ $.eventType != %Trail% }", EVENT, false),
        ("{ $.arrayKey[*] = %val.{2}% }", EVENT, true),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", EVENT, true),
        (r"{ $.* = %222\.222\.222% }", EVENT, false),
        (r#"{ $.['cluster.name'] = "c" }"#, EVENT, true),
        (r#"{ $['cluster.name'] = "d" }"#, EVENT, false),
        (r#"{ $.objectList[*].name = "b" }"#, EVENT, true),
        (r#"{ $.eventType = "*" && $.sourceIPAddress != 123.123.*}"#, EVENT, true),
        ("{ $.SomeObject IS NULL }", EVENT, true),
        ("{ $.eventType IS NULL }", EVENT, false),
        ("{ $.SomeOtherObject IS NULL }", EVENT, false),
        ("{ $.SomeOtherObject NOT EXISTS }", EVENT, true),
        ("{ $.SomeObject NOT EXISTS }", EVENT, false),
        ("{ $.ThisFlag IS TRUE }", EVENT, true),
        ("{ $.ThisFlag IS FALSE }", EVENT, false),
        ("{ $.eventType IS TRUE }", EVENT, false),
        ("{ $.SomeObject = * }", EVENT, false),
        (r#"{ $.arrayKey != "x" }"#, EVENT, false),
        (r#"{ $.missing != "x" }"#, EVENT, false),
        ("{ $.eventType = *Trail }", EVENT, true),
        ("{ $.eventType = Update* }", EVENT, true),
        (r#"{ $.eventType = "*date*" }"#, EVENT, true),
        ("{ $.eventType = Up*Trail }", EVENT, false),
        ("{ $.eventType = UpdateTrail }", "eventType=UpdateTrail", false),
        ("{ $.eventType NOT EXISTS }", "not json", false),
        ("{ $.detail-type = a_b }", r#"{"detail-type": "a_b"}"#, true),
    ]);
}

#[test]
fn numbers_in_json_compare_by_value() {
    check(&[
        ("{ $.bandwidth > 75 }", r#"{"bandwidth": 80}"#, true),
        ("{ $.bandwidth > 75 }", r#"{"bandwidth": 75}"#, false),
        ("{ $.latency < 50 }", r#"{"latency": 49.5}"#, true),
        ("{ $.refreshRate >= 60 }", r#"{"refreshRate": 60}"#, true),
        ("{ $.responseTime <= 5 }", r#"{"responseTime": 5}"#, true),
        ("{ $.errorCode = 400}", r#"{"errorCode": 400.0}"#, true),
        ("{ $.errorCode != 500 }", r#"{"errorCode": 400}"#, true),
        ("{ $.errorCode != 500 }", r#"{"errorCode": 500}"#, false),
        ("{ $.number[0] = 1e+3 }", r#"{"number": [1000]}"#, true),
        ("{ $.number[0] != 1e-3 }", r#"{"number": [1000]}"#, true),
        ("{ $.numbers[0] < 10e-3 }", r#"{"numbers": [-1]}"#, true),
        ("{ $.processes[4].averageRuntime <= 55.5 }", r#"{"processes": [0,0,0,0,{"averageRuntime": 55.5}]}"#, true),
        ("{ $.latency > +1000 }", r#"{"latency": 1001}"#, true),
        ("{ $.errorCode = 4* }", r#"{"errorCode": 404}"#, true),
        (r"{ $.code = %4\d\d% }", r#"{"code": 404}"#, true),
        ("{ $.latency = * }", r#"{"latency": 42}"#, true),
        ("{ $.latency = * }", r#"{"other": 42}"#, false),
        (r#"{ $.count = "3" }"#, EVENT, true),
        ("{ $.big = 1234567890123456789 }", EVENT, false),
        ("{ $.count > 2 }", r#"{"count": "many"}"#, false),
    ]);
}

#[test]
fn conditions_join_with_and_before_or_and_with_parentheses() {
    check(&[
        (r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#, COMPOUND, true),
        (r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#, COMPOUND, false),
        (
            r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }"#,
            COMPOUND,
            true,
        ),
        (
            r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }"#,
            COMPOUND,
            false,
        ),
        ("{ $.coordinates[1][2] = 6 }", COMPOUND, true),
        (r#"{ $.users[*].id = 9 || $.actions[*] = "GET" || $.coordinates[*][0] = 9 }"#, COMPOUND, true),
        ("{$.foo = bar || $.foo = baz }", r#"{"foo": "baz"}"#, true),
        ("{(($.foo=bar)&&($.a<2||$.a>4))}", r#"{"foo":"bar","a":5}"#, true),
    ]);
}

#[test]
fn fields_are_words_and_what_stands_in_brackets_or_quotes() {
    check(&[
        ("[ip, user, username, timestamp, request, status_code, bytes]", APACHE, true),
        (
            r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]",
            APACHE,
            true,
        ),
        ("[ip, user, username, timestamp, request =*.html*, status_code = 500, bytes]", APACHE, false),
        (
            "[ip, user, username, timestamp, request =*.html*, status_code = 404 || status_code = 410, bytes]",
            APACHE,
            true,
        ),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", APACHE, true),
        ("[ip, user, username, timestamp, request, status_code, bytes > 2000]", APACHE, false),
        ("[..., request =*.html*, status_code = 4*, bytes]", APACHE, true),
        ("[..., request=*.html*, status_code=4*,]", APACHE, true),
        ("[..., status_code = 4*]", APACHE, false),
        ("[..., status_code, bytes]", APACHE, true),
        ("[ip, user, ..., status_code=404, bytes]", APACHE, true),
        ("[ip=127*, user, ...]", APACHE, true),
        ("[a, b, c, d, e, f, g, h]", APACHE, false),
        ("[a, b, c, d, e, f, g, h, ...]", APACHE, false),
        (r#"[..., request="GET /index.html HTTP/1.0", status_code, bytes]"#, APACHE, true),
        ("[..., timestamp=10/Oct*, request, status_code, bytes]", APACHE, true),
        ("[..., status_code >= 400 && status_code < 500, bytes]", APACHE, true),
        ("[]", APACHE, true),
        ("[]", "", true),
        ("[a]", "", false),
        ("[...]", "", true),
    ]);
}

#[test]
fn the_last_field_takes_the_rest_of_the_message() {
    check(&[
        ("[w1=ERROR, w2]", ERROR, true),
        ("[w1=ERROR, w2]", INFO, false),
        ("[w1=ERROR, w2]", "ERROR", false),
        ("[w1=ERROR]", ERROR, false),
        ("[w1=ERROR*]", ERROR, true),
        ("[w1=ERROR || w1=WARNING, w2]", WARNING, true),
        ("[w1=ERROR || w1=WARNING, w2]", INFO, false),
        ("[w1!=ERROR && w1!=WARNING, w2]", INFO, true),
        ("[w1!=ERROR&&w1!=WARNING, w2]", ERROR, false),
        ("[w1=ERROR || w1=%WARN%, w2]", WARNING, true),
        ("[w1, w2, w3, w4=*process*]", ERROR, true),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", INFO, true),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", POST, false),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]", POST, true),
        (r#"[timestamp=*Z, request_id="*-*", event]"#, "2016-01-01T00:00:00Z 1-2 text and more", true),
        ("[a=x, b]", "x\ty", true),
        (r#"[a="in quotes", b]"#, r#""in quotes" y"#, true),
        (r#"[a="[x]y", b]"#, "[x]y z", true),
        ("[a, b=un*]", "[open unclosed", true),
    ]);
}

#[test]
fn what_is_no_pattern_is_refused_with_the_place_and_the_reason() {
    for (pattern, reason) in [
        (
            "Status:",
            "Invalid character(s) in term ':'; put a term of more than letters, digits and underscores in double quotes (character 7)",
        ),
        ("(a)", "Invalid character(s) in term '('"),
        (r#""""#, "Invalid character(s) in term '\"\"'"),
        (r#""INTERNAL SERVER"#, "the double quote that opens here is never closed (character 1)"),
        ("ERROR -", "the pattern ends too early"),
        ("%something!%", "Invalid character(s) in term '!'"),
        ("%(ab)+%", "Invalid character(s) in term '('"),
        (r"%\(ab%", "Invalid character(s) in term '\\('"),
        ("%café%", "Invalid character(s) in term 'é'"),
        (r"%\p%", "there is no such escape"),
        (r"%\x9%", "two hexadecimal digits"),
        (r"%\xFF%", "no ASCII character"),
        (r"%a\%", "ends with a backslash"),
        ("%%", "is empty"),
        ("%abc", "never closed"),
        ("%a{3,%", "no regular expression"),
        ("%[unclosed%", "no regular expression"),
        ("%a{999}{999}{999}%", "it is too large"),
        ("{ $.a = }", "Invalid character(s) in term '}'; a value must stand here"),
        ("{ $.a }", "after a selector comes a comparison"),
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}' (character 10)"),
        ("{ $.a = 1 } trailing", "must end with '}'"),
        ("{ a = 1 }", "a condition starts with a selector"),
        ("{ $ = 1 }", "a selector starts with '$.'"),
        ("{ $.a == 1 }", "Invalid character(s) in term '='"),
        ("{ $.a = 1 && }", "a condition starts with a selector"),
        ("{ ($.a = 1 }", "a parenthesis is not closed"),
        ("{ $.a IS MAYBE }", "after a selector comes a comparison"),
        ("{ $.a IS NOT NULL }", "IS NOT is not supported"),
        ("{ $.a EXISTS }", "EXISTS is not supported; write '= *'"),
        ("{ $.a[x] = 1 }", "an element is named by its number"),
        ("{ $.a[99999999999999999999] = 1 }", "an element is named by its number"),
        ("{ $.\"a\" = 1 }", "Invalid character(s) in term '\"'"),
        ("{ $.a = \"unterminated }", "never closed"),
        ("{ $.a > many }", "> compares numbers"),
        ("{ $.a = er,or }", "Invalid character(s) in term ','"),
        ("{ $.*[*] = 1 }", "at most one wildcard"),
        ("{ $.a[*]=1 || $.b[*]=1 || $.c[*]=1 || $.d[*]=1 }", "a pattern at most 3"),
        ("{ $.a = %r1% && $.b = %r2% && $.c = %r3% }", "at most 2 regular expressions"),
        ("[a=%x%, b=%y%, c=%z%]", "at most 2 regular expressions"),
        ("[a, ..., b, ..., c]", "an ellipsis stands in a pattern once"),
        ("[a, a]", "two fields have the name a"),
        ("[a = ]", "a value must stand here"),
        ("[a, b", "If a filter pattern starts with '[' it must end with ']'"),
        ("[a, b] trailing", "it must end with ']'"),
        ("[a = 1 ||]", "a field's name"),
        ("[1a]", "a field's name"),
        ("[status = 4* && bytes > 1000]", "a condition on bytes stands at the field of another name"),
        ("[a, b=x || c=y]", "a condition on c stands at the field of another name"),
        ("[a=1 && a]", "a name among conditions needs a comparison"),
    ] {
        let error = Pattern::parse(pattern).map(|p| panic!("{pattern} was read as {p:?}")).unwrap_err().to_string();
        assert!(error.contains(reason), "{pattern}: {error}");
    }
    let long = "a".repeat(1_025);
    assert!(Pattern::parse(&long).unwrap_err().to_string().contains("at most 1024 characters"));
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(400), ")".repeat(400));
    assert!(Pattern::parse(&deep).unwrap_err().to_string().contains("nest deeper"));
}

#[test]
fn a_hostile_message_takes_time_linear_in_its_length() {
    let pattern = Pattern::parse("[a, ..., b=x]").unwrap();
    for hostile in ["[a ", "\"a ", "[a\" ", "a\"[ "] {
        assert!(!pattern.matches(&hostile.repeat(500_000)));
    }
    assert!(!pattern.matches(&format!("{}]b", "[a ".repeat(500_000))));
    assert!(!Pattern::parse("%a*a*a*a*a*b%").unwrap().matches(&"a".repeat(200_000)));
    assert!(!Pattern::parse("{ $.a = 1 }").unwrap().matches(&"[".repeat(1_000_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_a_pattern_or_an_error_and_never_a_panic(text in ".{0,60}", message in ".{0,60}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.matches(&message);
        }
    }

    #[test]
    fn any_text_of_the_languages_own_characters_is_a_pattern_or_an_error(
        start in "[{\\[%]?", text in r#"( |\$|\.|\[|\]|\{|\}|\(|\)|%|"|'|=|!|<|>|&&|\|\||\*|\\|-|\+|,|\?|\.\.\.|IS|NULL|NOT|EXISTS|a|1|e|é){0,30}"#,
        message in r#"(\{|\}|"|:|,|\[|\]| |a|1){0,20}"#,
    ) {
        if let Ok(pattern) = Pattern::parse(&(start + &text)) {
            pattern.matches(&message);
            pattern.matches(EVENT);
            pattern.matches(APACHE);
        }
    }

    #[test]
    fn a_quoted_text_matches_exactly_the_messages_that_hold_it(text in "[a-c \"\\\\]{0,6}", message in "[a-c \"\\\\]{0,12}") {
        prop_assume!(!text.trim().is_empty());
        let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        prop_assert_eq!(Pattern::parse(&quoted).unwrap().matches(&message), message.contains(&text));
    }
}
