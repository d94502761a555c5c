//! Timestamps as text: ISO 8601 in forms and XML.

use aws_api::schema::Timestamp;

/// `2015-08-30T12:36:00Z`, with milliseconds when there are any; years beyond 9999 are cut to the last moment.
pub(crate) fn format(time: Timestamp) -> String {
    let end = if time.as_millis() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or(end).to_string()
}

/// ISO 8601 with any offset, or epoch seconds, which some clients send.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Timestamp::from_seconds(seconds);
    }
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp::from_millis(time.as_millisecond()))
}
