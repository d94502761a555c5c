//! Values that compare by more than their spelling: versions and moments.

use crate::quantity::Timestamp;
use std::cmp::Ordering;

/// Dotted numbers; missing places are 0, so that 1.14 equals 1.14.0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Version(Vec<u64>);

impl Version {
    /// Reads dotted whole numbers and nothing else.
    pub(super) fn parse(text: &str) -> Option<Version> {
        let is_number = |place: &str| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit());
        let place = |place: &str| if is_number(place) { place.parse().ok() } else { None };
        let mut places: Vec<u64> = text.split('.').map(place).collect::<Option<_>>()?;
        while places.last() == Some(&0) {
            places.pop();
        }
        Some(Version(places))
    }

    /// Reads what an agent calls itself: a version, perhaps with a leading `v` and a suffix after `-` or `+`.
    pub(super) fn of_agent(text: &str) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        Version::parse(text.split(['-', '+']).next()?)
    }
}

/// As versions where both are, else byte by byte.
pub(super) fn compare_texts(a: &str, b: &str) -> Ordering {
    match (Version::parse(a), Version::parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// A point in time to the second, which is as fine as an expression can say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Moment(i64);

impl Moment {
    /// Reads a date, or a date and time with `Z`, an offset or neither; without one it is UTC.
    pub(super) fn parse(text: &str) -> Option<Moment> {
        if let Ok(exact) = text.parse::<jiff::Timestamp>() {
            return Some(Moment(exact.as_second()));
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(Moment(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second()))
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Moment(i64::try_from(timestamp.unix_ms() / 1000).unwrap_or(i64::MAX))
    }
}
