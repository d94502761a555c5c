//! FilterLogEvents: events of some or all streams of a log group that match a pattern, merged by time.

use super::{arn, errors, group};
use crate::context::Context;
use aws_api::logs::{FilterLogEventsInput, FilterLogEventsOutput, FilteredLogEvent};
use aws_protocol::ServiceError;
use observe::pattern::Pattern;
use observe::{Filter, FilterPage, LogError, LogStore, Start, StreamSelection};

/// 2024-01-01T00:00:00Z. CloudWatch Logs API, FilterLogEvents: reading downwards reaches no further.
const DOWNWARDS_FROM_MS: i64 = 1_704_067_200_000;

pub(super) async fn filter_log_events(
    context: Context,
    input: FilterLogEventsInput,
) -> Result<FilterLogEventsOutput, ServiceError> {
    errors::check(&input)?;
    let name = arn::named(context.scope(), input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(errors::invalid("logStreamNames and logStreamNamePrefix cannot both be specified."));
    }
    let down = input.start_from_head == Some(false) && input.next_token.is_none();
    if down && input.start_time.unwrap_or(0) < DOWNWARDS_FROM_MS {
        let message = "startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC.";
        return Err(errors::invalid(message));
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|error| errors::invalid(format!("Invalid filter pattern: {error}")))?;
    let group = group::find(&context.frontend, name)?;
    let (uid, floor_ms) = (group.uid.clone(), group::floor_ms(&group, context.now()));
    let page = group::on_disk(&context.frontend.logs, move |logs| {
        let filter = Filter {
            start_ms: input.start_time.max(floor_ms),
            // Here, unlike in GetLogEvents, the end belongs to the range.
            end_ms: input.end_time.map(|end| end.saturating_add(1)),
            pattern: Some(&pattern),
            from: if down { Start::Tail } else { Start::Head },
            limit: input.limit.map(|limit| limit.unsigned_abs() as usize),
            token: input.next_token.as_deref(),
        };
        read(logs, &uid, input.log_stream_names.as_deref(), input.log_stream_name_prefix.as_deref(), &filter)
    })
    .await?;
    let convert = |event: observe::ReadEvent| FilteredLogEvent {
        log_stream_name: Some(event.stream.to_string()),
        timestamp: Some(event.timestamp_ms()),
        ingestion_time: Some(event.ingestion_ms),
        event_id: Some(event.event_id()),
        message: Some(event.message),
    };
    Ok(FilterLogEventsOutput {
        events: Some(page.events.into_iter().map(convert).collect()),
        searched_log_streams: Some(Vec::new()),
        next_token: page.next,
    })
}

fn read(
    logs: &LogStore,
    group: &str,
    names: Option<&[String]>,
    prefix: Option<&str>,
    filter: &Filter<'_>,
) -> Result<FilterPage, LogError> {
    let Some(names) = names else {
        return logs.filter(group, prefix.map_or(StreamSelection::All, StreamSelection::Prefix), filter);
    };
    for name in names {
        logs.stream_status(group, name)?;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    logs.filter(group, StreamSelection::Names(&names), filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};

    const NOW_MS: i64 = NOW.unix_ms() as i64;

    fn all() -> FilterLogEventsInput {
        FilterLogEventsInput { log_group_name: Some("g".to_owned()), ..Default::default() }
    }

    async fn walk(context: &Context, input: FilterLogEventsInput) -> String {
        let (mut input, mut found) = (input, Vec::new());
        loop {
            let page = filter_log_events(context.clone(), input.clone()).await.unwrap();
            assert!(page.events.as_ref().unwrap().len() <= input.limit.unwrap_or(10_000) as usize);
            found.extend(page.events.unwrap().into_iter().map(|e| e.message.unwrap()));
            input.next_token = page.next_token;
            if input.next_token.is_none() {
                return found.join(", ");
            }
        }
    }

    #[tokio::test]
    async fn streams_are_merged_by_time_and_filtered_by_everything_asked() {
        let context = context().await;
        for (stream, events) in [
            ("web/1", [(0, "ERROR a"), (2, "ok b"), (4, "ERROR c")]),
            ("db/1", [(1, "ERROR d"), (3, "ok e"), (5, "ok f")]),
        ] {
            testing::make_stream(&context, "g", stream).await;
            let events = events.map(|(ms, message)| (NOW_MS + ms, message));
            testing::put(&context, "g", stream, &events).await.unwrap();
        }
        let error = FilterLogEventsInput { filter_pattern: Some("ERROR".to_owned()), ..all() };
        let names = |names: &[&str]| Some(names.iter().map(|n| n.to_string()).collect());
        let range = FilterLogEventsInput { start_time: Some(NOW_MS + 1), end_time: Some(NOW_MS + 4), ..all() };
        for (input, expected) in [
            (all(), "ERROR a, ERROR d, ok b, ok e, ERROR c, ok f"),
            (FilterLogEventsInput { limit: Some(1), ..all() }, "ERROR a, ERROR d, ok b, ok e, ERROR c, ok f"),
            (error.clone(), "ERROR a, ERROR d, ERROR c"),
            (range.clone(), "ERROR d, ok b, ok e, ERROR c"),
            (
                FilterLogEventsInput { start_from_head: Some(false), limit: Some(3), ..range },
                "ERROR c, ok e, ok b, ERROR d",
            ),
            (FilterLogEventsInput { log_stream_names: names(&["db/1"]), ..error }, "ERROR d"),
            (
                FilterLogEventsInput { log_stream_name_prefix: Some("web".to_owned()), ..all() },
                "ERROR a, ok b, ERROR c",
            ),
        ] {
            assert_eq!(walk(&context, input.clone()).await, expected, "{input:?}");
        }
        for (input, code) in [
            (FilterLogEventsInput { filter_pattern: Some("{ $.a".to_owned()), ..all() }, "InvalidParameterException"),
            (FilterLogEventsInput { start_from_head: Some(false), ..all() }, "InvalidParameterException"),
            (FilterLogEventsInput { next_token: Some("x".to_owned()), ..all() }, "InvalidParameterException"),
            (FilterLogEventsInput { log_stream_names: names(&["none"]), ..all() }, "ResourceNotFoundException"),
            (
                FilterLogEventsInput {
                    log_stream_names: names(&["db/1"]),
                    log_stream_name_prefix: Some("d".to_owned()),
                    ..all()
                },
                "InvalidParameterException",
            ),
        ] {
            assert_eq!(filter_log_events(context.clone(), input.clone()).await.unwrap_err().code, code, "{input:?}");
        }
    }
}
