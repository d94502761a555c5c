//! PutLogEvents: appends a batch of events to a log stream; those too old or too new are left out and named.

use super::describe_log_streams::sequence_token;
use super::group::DAY_MS;
use super::{errors, group};
use crate::context::Context;
use aws_api::logs::{InputLogEvent, PutLogEventsInput, PutLogEventsOutput, RejectedLogEventsInfo};
use aws_protocol::ServiceError;
use observe::{AppendOutcome, Batch, EVENT_OVERHEAD, MAX_BATCH_BYTES, NewEvent};
use std::ops::Range;

const FUTURE_MS: i64 = 2 * 60 * 60 * 1_000;
const PAST_MS: i64 = 14 * DAY_MS;

pub(super) async fn put_log_events(
    context: Context,
    input: PutLogEventsInput,
) -> Result<PutLogEventsOutput, ServiceError> {
    errors::check(&input)?;
    let group = group::find(&context.frontend, input.log_group_name.as_deref().unwrap_or_default())?;
    let events = input.log_events.unwrap_or_default();
    let now = context.now();
    let ingestion_ms = now.unix_ms() as i64;
    let (valid, rejected) = judge(&events, ingestion_ms, group::floor_ms(&group, now))?;
    let (uid, stream) = (group.uid.clone(), input.log_stream_name.unwrap_or_default());
    let outcome = group::on_disk(&context.frontend.logs, move |logs| {
        let event = |e: &'_ InputLogEvent| e.timestamp.unwrap_or_default();
        let kept: Vec<_> = events[valid]
            .iter()
            .map(|e| NewEvent { timestamp_ms: event(e), message: e.message.as_deref().unwrap_or_default() })
            .collect();
        logs.append(&uid, &stream, &Batch { events: &kept, ingestion_ms, producer: None })
    })
    .await?;
    let next = match outcome {
        AppendOutcome::Appended { next_seq } => Some(sequence_token(next_seq)),
        AppendOutcome::Duplicate => None,
    };
    Ok(PutLogEventsOutput { next_sequence_token: next, rejected_log_events_info: rejected, rejected_entity_info: None })
}

/// Which events are kept, and what is said of the others. CloudWatch Logs API: PutLogEvents.
fn judge(
    events: &[InputLogEvent],
    now_ms: i64,
    floor_ms: Option<i64>,
) -> Result<(Range<usize>, Option<RejectedLogEventsInfo>), ServiceError> {
    let bytes: usize = events.iter().map(|e| e.message.as_ref().map_or(0, String::len) + EVENT_OVERHEAD as usize).sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(errors::invalid(format!("Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}")));
    }
    let time = |e: &InputLogEvent| e.timestamp.unwrap_or_default();
    if !events.is_sorted_by_key(time) {
        let message = "Log events in a single PutLogEvents request must be in chronological order.";
        return Err(errors::invalid(message));
    }
    let before = |limit_ms: i64| events.partition_point(|e| time(e) < limit_ms);
    let (old, expired) = (before(now_ms - PAST_MS), floor_ms.map_or(0, before));
    let new = events.partition_point(|e| time(e) <= now_ms + FUTURE_MS);
    let valid = old.max(expired).min(new)..new;
    if let (Some(first), Some(last)) = (events[valid.clone()].first(), events[valid.clone()].last())
        && time(last) - time(first) > DAY_MS
    {
        let message = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
        return Err(errors::invalid(message));
    }
    let index = |at: usize, named: bool| named.then_some(at as i32);
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: index(new, new < events.len()),
        too_old_log_event_end_index: index(old, old > 0),
        expired_log_event_end_index: index(expired, expired > old),
    };
    Ok((valid.clone(), (valid.len() < events.len()).then_some(rejected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing::{self, put};
    use crate::testing::{NOW, context};

    const NOW_MS: i64 = NOW.unix_ms() as i64;
    const HOUR_MS: i64 = 60 * 60 * 1_000;

    #[tokio::test]
    async fn events_too_old_and_too_new_are_named_and_the_others_kept() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        let events = [
            (NOW_MS - PAST_MS - 1, "ancient"),
            (NOW_MS - HOUR_MS, "a"),
            (NOW_MS + FUTURE_MS, "b"),
            (NOW_MS + FUTURE_MS + 1, "from the future"),
        ];
        let answer = put(&context, "g", "s", &events).await.unwrap();
        let rejected = answer.rejected_log_events_info.unwrap();
        assert_eq!(rejected.too_old_log_event_end_index, Some(1));
        assert_eq!(rejected.too_new_log_event_start_index, Some(3));
        assert_eq!(rejected.expired_log_event_end_index, None);
        assert_eq!(testing::messages(&context, "g", "s").await, ["a", "b"]);
        assert_eq!(answer.next_sequence_token.unwrap().len(), 56);
        let plain = put(&context, "g", "s", &[(NOW_MS, "c")]).await.unwrap();
        assert_eq!(plain.rejected_log_events_info, None);
    }

    #[test]
    fn events_before_the_retention_are_expired_where_they_are_not_too_old_as_well() {
        let event = |ms| InputLogEvent { timestamp: Some(ms), message: Some("x".to_owned()) };
        let events = [event(NOW_MS - 3 * DAY_MS), event(NOW_MS)];
        let (kept, rejected) = judge(&events, NOW_MS, Some(NOW_MS - DAY_MS)).unwrap();
        assert_eq!((kept, rejected.unwrap().expired_log_event_end_index), (1..2, Some(1)));
        let all_old = [event(0), event(1)];
        let (kept, rejected) = judge(&all_old, NOW_MS, Some(NOW_MS - DAY_MS)).unwrap();
        assert_eq!((kept, rejected.unwrap().too_old_log_event_end_index), (2..2, Some(2)));
        let all_new = [event(NOW_MS + DAY_MS)];
        assert_eq!(judge(&all_new, NOW_MS, None).unwrap().0, 0..0);
    }

    #[tokio::test]
    async fn a_batch_that_breaks_a_rule_is_refused_whole() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        let big = "x".repeat(MAX_BATCH_BYTES - 25);
        for (events, words) in [
            (vec![(NOW_MS, "a"), (NOW_MS - 1, "b")], "must be in chronological order"),
            (vec![(NOW_MS - DAY_MS - 1, "a"), (NOW_MS, "b")], "cannot span more than 24 hours"),
            (vec![(NOW_MS, big.as_str())], "Upload too large: 1048577 bytes exceeds limit of 1048576"),
            (vec![(NOW_MS, "")], "logEvents[0].message"),
            (vec![(-1, "a")], "logEvents[0].timestamp"),
            (vec![], "logEvents"),
            (vec![(NOW_MS, "a"); 10_001], "logEvents"),
        ] {
            let error = put(&context, "g", "s", &events).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(testing::messages(&context, "g", "s").await.is_empty());
    }

    #[tokio::test]
    async fn a_stream_or_group_that_is_not_there_is_named() {
        let context = context().await;
        let event = [(NOW_MS, "a")];
        let error = put(&context, "g", "s", &event).await.unwrap_err();
        assert_eq!(error.message, "The specified log group does not exist.");
        testing::make_group(&context, "g").await;
        let error = put(&context, "g", "s", &event).await.unwrap_err();
        assert_eq!(
            (&*error.code, &*error.message),
            ("ResourceNotFoundException", "The specified log stream does not exist.")
        );
        let only_old = put(&context, "g", "s", &[(0, "a")]).await.unwrap_err();
        assert_eq!(only_old.code, "ResourceNotFoundException");
    }
}
