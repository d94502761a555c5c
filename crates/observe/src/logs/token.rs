//! Positions between events, and the opaque texts that carry them: page tokens and event ids.

use super::error::LogError;

/// Where an event stands among all events of a group: by time, then stream, then arrival.
///
/// As a position it is the gap just before the event of this key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) timestamp_ms: i64,
    pub(crate) stream: u64,
    pub(crate) seq: u64,
}

impl Key {
    /// Before every event of that time.
    pub(crate) fn at(timestamp_ms: i64) -> Self {
        Key { timestamp_ms, stream: 0, seq: 0 }
    }

    /// The gap just after this event.
    pub(crate) fn after(self) -> Self {
        Key { seq: self.seq.saturating_add(1), ..self }
    }

    /// The order turned round: reading backwards is reading forwards among flipped keys.
    pub(crate) fn flipped(self) -> Self {
        Key { timestamp_ms: !self.timestamp_ms, stream: !self.stream, seq: !self.seq }
    }

    /// 56 digits, as CloudWatch Logs gives them; texts sort as keys do.
    pub(crate) fn event_id(self) -> String {
        format!("{:016}{:020}{:020}", self.timestamp_ms.max(0), self.stream, self.seq)
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 56 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Key {
            timestamp_ms: text[..16].parse().ok()?,
            stream: text[16..36].parse().ok()?,
            seq: text[36..].parse().ok()?,
        })
    }
}

/// A page token of `get`: a gap and the way to read from it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Token {
    Forward(Key),
    Backward(Key),
}

impl Token {
    pub(crate) fn parse(text: &str) -> Result<Self, LogError> {
        let key = |digits| Key::parse(digits).ok_or(LogError::BadToken);
        match text.split_once('/') {
            Some(("f", digits)) => Ok(Token::Forward(key(digits)?)),
            Some(("b", digits)) => Ok(Token::Backward(key(digits)?)),
            _ => Err(LogError::BadToken),
        }
    }

    pub(crate) fn gap(self) -> Key {
        match self {
            Token::Forward(key) | Token::Backward(key) => key,
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if matches!(self, Token::Forward(_)) { 'f' } else { 'b' };
        write!(f, "{way}/{}", self.gap().event_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_survive_the_way_through_text(t in 0i64..10_000_000_000_000, stream: u64, seq: u64, forward: bool) {
            let key = Key { timestamp_ms: t, stream, seq };
            let token = if forward { Token::Forward(key) } else { Token::Backward(key) };
            prop_assert_eq!(Token::parse(&token.to_string()).unwrap(), token);
        }

        #[test]
        fn any_other_text_is_refused(text in ".{0,80}") {
            let _ = Token::parse(&text);
        }
    }

    #[test]
    fn event_ids_sort_as_their_events() {
        let early = Key { timestamp_ms: 5, stream: 9, seq: 9 };
        let late = Key { timestamp_ms: 10, stream: 1, seq: 0 };
        assert!(early < late && early.event_id() < late.event_id());
        assert!(late.flipped() < early.flipped());
    }
}
