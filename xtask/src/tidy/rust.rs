//! Rules for Rust files: a first sentence, a size, no half-done code, unsafe and generated code only in their rooms.

use super::Problem;
use super::edges::PURE;
use super::tree::SourceFile;

/// A handwritten file may not be longer.
const LINES_MAX: usize = 800;
/// From here on a file is named in the report.
const LINES_LONG: usize = 500;

/// The two crates that may say `unsafe`.
const UNSAFE_ROOMS: &[&str] = &["runtime", "supervisor"];

const HALF_DONE: &[&str] = &["todo!(", "unimplemented!(", "dbg!("];

/// What a pure crate does not touch, whatever its dependencies would let it.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "async fn",
    "rand::rng(",
    "Timestamp::now(",
    "Zoned::now(",
];

pub(super) fn check(file: &SourceFile) -> Vec<Problem> {
    if !file.is_rust() {
        return Vec::new();
    }
    if file.is_generated() {
        let at_home = file.crate_name() == Some("aws-api");
        return if at_home { Vec::new() } else { vec![format!("{}: generated code lives in aws-api only", file.path)] };
    }
    let mut problems = Vec::new();
    if !file.text.starts_with("//! ") {
        problems.push(format!("{}: the first line must say, after //!, what lives here", file.path));
    }
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        problems.push(format!("{}: {lines} lines; split it (at most {LINES_MAX})", file.path));
    }
    let code = file.text.lines().enumerate().map(|(at, line)| (at + 1, code_of(line)));
    let banned = banned_words(file);
    for (at, line) in code {
        for (word, reason) in &banned {
            if has_word(line, word) {
                problems.push(format!("{}:{at}: `{word}` {reason}", file.path));
            }
        }
    }
    problems
}

/// One line for every file that is allowed but long.
pub(super) fn long_files(files: &[SourceFile]) -> Vec<String> {
    let handwritten = files.iter().filter(|f| f.is_rust() && !f.is_generated());
    let counted = handwritten.map(|f| (f.text.lines().count(), &f.path));
    counted.filter(|(lines, _)| *lines > LINES_LONG).map(|(lines, path)| format!("{path} has {lines} lines")).collect()
}

fn banned_words(file: &SourceFile) -> Vec<(&'static str, &'static str)> {
    let mut banned = Vec::new();
    if file.path.starts_with("xtask/src/tidy") {
        // The rules name what they forbid.
        return banned;
    }
    banned.extend(HALF_DONE.iter().map(|word| (*word, "is left over from work in progress")));
    let name = file.crate_name().unwrap_or_default();
    if !UNSAFE_ROOMS.contains(&name) {
        banned.push(("unsafe", "belongs in runtime and supervisor only"));
    }
    if PURE.contains(&name) && file.path.contains("/src/") {
        banned.extend(IMPURE.iter().map(|word| (*word, "does not belong in a pure crate")));
    }
    banned
}

/// A line without its comment.
fn code_of(line: &str) -> &str {
    match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    }
}

/// Whether `word` stands in `line`, not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open_end = word.ends_with(is_part) && after.is_some_and(is_part) && !word.contains("::");
        !before.is_some_and(is_part) && !open_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<Problem> {
        check(&SourceFile { path: path.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_file_that_says_its_room_passes() {
        let text = "//! What lives here.\n\nfn quiet() {} // todo!() is only talked about\n";
        assert_eq!(problems("crates/store/src/kv.rs", text), Vec::<Problem>::new());
    }

    #[test]
    fn a_file_without_its_first_sentence_is_named() {
        let expected = ["crates/store/src/kv.rs: the first line must say, after //!, what lives here"];
        assert_eq!(problems("crates/store/src/kv.rs", "use std::fmt;\n"), expected);
    }

    #[test]
    fn a_file_of_801_lines_is_too_long_and_one_of_501_is_reported() {
        let of = |lines: usize| format!("//! Room.\n{}", "\n".repeat(lines - 1));
        assert_eq!(problems("xtask/src/a.rs", &of(800)), Vec::<Problem>::new());
        assert_eq!(problems("xtask/src/a.rs", &of(801)), ["xtask/src/a.rs: 801 lines; split it (at most 800)"]);
        let file = |lines| SourceFile { path: format!("a{lines}.rs"), text: of(lines) };
        assert_eq!(long_files(&[file(500), file(501)]), ["a501.rs has 501 lines"]);
    }

    #[test]
    fn half_done_code_is_found_with_its_line() {
        let text = "//! Room.\nfn f() {\n    todo!()\n}\n";
        assert_eq!(
            problems("crates/store/src/kv.rs", text),
            ["crates/store/src/kv.rs:3: `todo!(` is left over from work in progress"]
        );
    }

    #[test]
    fn unsafe_has_two_rooms() {
        let text = "//! Room.\nfn f() { unsafe { g() } }\n#![forbid(unsafe_code)]\n";
        assert!(problems("crates/runtime/src/sys.rs", text).is_empty());
        assert!(problems("crates/supervisor/src/main.rs", text).is_empty());
        let elsewhere = problems("crates/store/src/kv.rs", text);
        assert_eq!(elsewhere, ["crates/store/src/kv.rs:2: `unsafe` belongs in runtime and supervisor only"]);
    }

    #[test]
    fn a_pure_crate_does_not_read_files_or_clocks() {
        let text = "//! Room.\nfn f() { std::fs::read(\"x\"); }\nasync fn g() {}\n";
        assert_eq!(problems("crates/planner/src/a.rs", text).len(), 2);
        assert!(problems("crates/planner/tests/a.rs", text).is_empty());
        assert!(problems("crates/image/src/a.rs", text).is_empty());
    }

    #[test]
    fn generated_code_has_one_home() {
        let text = "// @generated by something\n";
        assert!(problems("crates/aws-api/src/services/ecs.rs", text).is_empty());
        assert_eq!(
            problems("crates/store/src/x.rs", text),
            ["crates/store/src/x.rs: generated code lives in aws-api only"]
        );
    }
}
