//! Bytes of a stream into lines, and lines into Docker's json-file form; pure.

/// Longest piece of one log line, in bytes; longer ones are split (Docker's rule).
pub(crate) const MAX_LINE_BYTES: usize = 16 << 10;

/// Which of a container's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Cuts a byte stream into lines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// The begun line.
    rest: Vec<u8>,
}

impl Splitter {
    /// Goes on within a begun line.
    pub(crate) fn resume(begun: Vec<u8>) -> Self {
        Self { rest: begun }
    }

    /// The begun line.
    pub(crate) fn begun(&self) -> &[u8] {
        &self.rest
    }

    /// Takes bytes; calls `line` with each whole line (newline included) or full piece.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.rest.len();
            let newline = bytes.iter().take(room).position(|b| *b == b'\n');
            let Some(take) = newline.map(|at| at + 1).or((bytes.len() >= room).then_some(room)) else {
                self.rest.extend_from_slice(bytes);
                return;
            };
            let (piece, after) = bytes.split_at(take);
            bytes = after;
            if self.rest.is_empty() && newline.is_some() {
                line(piece);
                continue;
            }
            self.rest.extend_from_slice(piece);
            if newline.is_some() {
                line(&self.rest);
                self.rest.clear();
            } else {
                // A character cut in two goes whole into the next piece.
                let cut = self.rest.len() - unfinished(&self.rest);
                line(&self.rest[..cut]);
                self.rest.drain(..cut);
            }
        }
    }

    /// The stream has ended: what is left is a line without a newline.
    pub(crate) fn finish(&mut self, line: impl FnOnce(&[u8])) {
        if !self.rest.is_empty() {
            line(&self.rest);
            self.rest = Vec::new();
        }
    }
}

/// How many bytes at the end begin a UTF-8 character without ending it.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let needs = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if needs > back { back } else { 0 };
    }
    0
}

/// Appends `{"log":…,"stream":…,"time":…}` and a newline. `now`: seconds since 1970 and nanoseconds of the second.
pub(crate) fn append(out: &mut Vec<u8>, stream: Stream, line: &[u8], now: (u64, u32)) {
    out.extend_from_slice(b"{\"log\":");
    escape(out, &String::from_utf8_lossy(line));
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    out.extend_from_slice(format!(",\"stream\":\"{name}\",\"time\":\"{}\"}}\n", rfc3339(now.0, now.1)).as_bytes());
}

fn escape(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// RFC 3339 with nanoseconds, trailing zeros left out (Go's RFC3339Nano), in UTC.
pub(crate) fn rfc3339(seconds: u64, nanos: u32) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days to a date by the proleptic Gregorian calendar, counting years from March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        let fraction = format!(".{nanos:09}");
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for chunk in chunks {
            splitter.feed(chunk, |line| lines.push(line.to_vec()));
        }
        splitter.finish(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_come_out_the_same_however_the_bytes_arrive() {
        let text = b"one\ntwo\n\nthree";
        let whole = split(&[text]);
        assert_eq!(whole, [&b"one\n"[..], b"two\n", b"\n", b"three"]);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(split(&single), whole);
    }

    #[test]
    fn a_long_line_is_split_at_16_kib_and_loses_nothing() {
        let long = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        let pieces = split(&[&long[..100], &long[100..]]);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_LINE_BYTES, MAX_LINE_BYTES, 5]);
    }

    #[test]
    fn a_split_never_cuts_a_character() {
        let mut long = vec![b'x'; MAX_LINE_BYTES - 1];
        long.extend("é\n".as_bytes());
        let pieces = split(&[&long]);
        assert_eq!(pieces[0].len(), MAX_LINE_BYTES - 1);
        assert_eq!(pieces[1], "é\n".as_bytes());
    }

    #[test]
    fn entries_are_docker_s() {
        let mut out = Vec::new();
        append(&mut out, Stream::Stderr, b"a \"b\" \x01\xff\n", (1_577_836_799, 120_000_000));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"log\":\"a \\\"b\\\" \\u0001\u{fffd}\\n\",\"stream\":\"stderr\",\"time\":\"2019-12-31T23:59:59.12Z\"}\n"
        );
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn times_are_right_at_the_edges_of_the_calendar() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400, 1), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(rfc3339(4_107_542_400, 0), "2100-03-01T00:00:00Z");
    }
}
