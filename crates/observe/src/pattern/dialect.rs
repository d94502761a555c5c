//! The regular expressions of filter patterns, `%…%`: checked against the documented characters, then given to `regex`.

use super::PatternError;
use super::cursor::Cursor;
use regex::{Regex, RegexBuilder};

/// Bounds what `a{999}{999}` may cost in memory; the pattern is refused instead.
const SIZE_LIMIT: usize = 1 << 20;
const SYMBOLS: &str = ":_#=@/;,- ";
const OPERATORS: &str = "^$?[]{}|*+.";

/// Reads the expression after an opening percent sign, and the closing one.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Regex, PatternError> {
    let open = cursor.error("");
    let text = cursor.until('%', "the percent sign that opens a regular expression here is never closed")?;
    let at = |reason: String| PatternError { reason, ..open.clone() };
    if text.is_empty() {
        return Err(at("a regular expression between percent signs is empty".to_owned()));
    }
    let translated = translate(text).map_err(&at)?;
    cursor.regexes += 1;
    RegexBuilder::new(&translated)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| at(format!("%{text}% is no regular expression: {}", brief(&error))))
}

fn brief(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line says what is wrong; those before it draw where, of the translated text.
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

/// The same expression in the words of the `regex` crate, where classes are of ASCII and nest.
fn translate(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_class = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => escape(&mut characters, &mut out)?,
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                out.push('[');
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // An omitted minimum.
            '{' if !in_class && characters.peek() == Some(&',') => out.push_str("{0"),
            c if c.is_ascii_alphanumeric() || SYMBOLS.contains(c) || OPERATORS.contains(c) => out.push(c),
            other => {
                return Err(format!(
                    "Invalid character(s) in term '{other}'; in a regular expression write it as \\x and two hexadecimal digits"
                ));
            }
        }
    }
    Ok(out)
}

fn escape(characters: &mut impl Iterator<Item = char>, out: &mut String) -> Result<(), String> {
    match characters.next() {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('s') => out.push_str(r"[ \t\n\r\x0B\x0C]"),
        Some('S') => out.push_str(r"[^ \t\n\r\x0B\x0C]"),
        Some('w') => out.push_str("[a-zA-Z_0-9]"),
        Some('W') => out.push_str("[^a-zA-Z_0-9]"),
        Some('x') => {
            let digits: String = characters.take(2).collect();
            match u8::from_str_radix(&digits, 16) {
                Ok(code) if digits.len() == 2 && code < 0x80 => out.push_str(&format!("\\x{code:02X}")),
                _ => {
                    return Err(format!(
                        "\\x{digits} is no ASCII character; \\x wants two hexadecimal digits up to 7F"
                    ));
                }
            }
        }
        Some(c) if c == '\\' || SYMBOLS.contains(c) || OPERATORS.contains(c) => {
            out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
        }
        Some(other) => return Err(format!("Invalid character(s) in term '\\{other}'; there is no such escape")),
        None => return Err("a regular expression ends with a backslash".to_owned()),
    }
    Ok(())
}
