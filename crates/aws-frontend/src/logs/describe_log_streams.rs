//! DescribeLogStreams: the streams of a log group, by name or by their last event.

use super::{arn, errors, group};
use crate::context::Context;
use aws_api::logs::values::order_by::LAST_EVENT_TIME;
use aws_api::logs::{DescribeLogStreamsInput, DescribeLogStreamsOutput, LogStream};
use aws_protocol::ServiceError;
use aws_protocol::page::{decode, encode};
use observe::{ListStreams, StreamOrder, StreamStatus};

const MOST: usize = 50;

pub(super) async fn describe_log_streams(
    context: Context,
    input: DescribeLogStreamsInput,
) -> Result<DescribeLogStreamsOutput, ServiceError> {
    errors::check(&input)?;
    let name = arn::named(context.scope(), input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let by_time = input.order_by.as_deref() == Some(LAST_EVENT_TIME);
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(errors::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let group = group::find(&context.frontend, name)?;
    let order = if by_time { StreamOrder::LastEvent } else { StreamOrder::Name };
    let descending = input.descending.unwrap_or(false);
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let scope = format!("logs:DescribeLogStreams:{}:{by_time}:{descending}:{prefix}", group.uid);
    let token = input.next_token.map(|token| decode(&scope, &token)).transpose().map_err(|_| errors::bad_token())?;
    let limit = input.limit.map_or(MOST, |limit| limit.unsigned_abs() as usize);
    let uid = group.uid.clone();
    let page = group::on_disk(&context.frontend.logs, move |logs| {
        logs.list_streams(&uid, &ListStreams { prefix: &prefix, order, descending, limit, token: token.as_deref() })
    })
    .await?;
    let streams = page.streams.iter().map(|status| convert(&context, name, status)).collect();
    let next_token = page.next.map(|after| encode(&scope, &after));
    Ok(DescribeLogStreamsOutput { log_streams: Some(streams), next_token })
}

fn convert(context: &Context, group: &str, status: &StreamStatus) -> LogStream {
    LogStream {
        log_stream_name: Some(status.name.to_string()),
        creation_time: Some(status.created_ms),
        first_event_timestamp: status.first_event_ms,
        last_event_timestamp: status.last_event_ms,
        last_ingestion_time: status.last_ingestion_ms,
        upload_sequence_token: Some(sequence_token(status.upload_sequence)),
        arn: Some(arn::stream(context.scope(), group, &status.name)),
        // CloudWatch Logs API, LogStream: always zero since 2019.
        stored_bytes: Some(0),
    }
}

/// Clients pass it on; nobody looks at it any more.
pub(super) fn sequence_token(sequence: u64) -> String {
    format!("{sequence:056}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};

    #[tokio::test]
    async fn streams_come_by_name_or_by_last_event_in_pages() {
        let context = context().await;
        let now_ms = NOW.unix_ms() as i64;
        for (name, last) in [("b/1", 30), ("a/1", 20), ("b/2", 10)] {
            testing::make_stream(&context, "g", name).await;
            testing::put(&context, "g", name, &[(now_ms + last, "x")]).await.unwrap();
        }
        let all =
            DescribeLogStreamsInput { log_group_name: Some("g".to_owned()), limit: Some(2), ..Default::default() };
        let by_time = DescribeLogStreamsInput { order_by: Some(LAST_EVENT_TIME.to_owned()), ..all.clone() };
        let down = DescribeLogStreamsInput { descending: Some(true), ..by_time.clone() };
        let prefix = DescribeLogStreamsInput { log_stream_name_prefix: Some("b/".to_owned()), ..all.clone() };
        for (input, expected) in [
            (all.clone(), vec!["a/1", "b/1", "b/2"]),
            (by_time.clone(), vec!["b/2", "a/1", "b/1"]),
            (down, vec!["b/1", "a/1", "b/2"]),
            (prefix, vec!["b/1", "b/2"]),
        ] {
            let (mut input, mut names) = (input, Vec::new());
            loop {
                let page = describe_log_streams(context.clone(), input.clone()).await.unwrap();
                names.extend(page.log_streams.unwrap().into_iter().map(|s| s.log_stream_name.unwrap()));
                input.next_token = page.next_token;
                if input.next_token.is_none() {
                    break;
                }
            }
            assert_eq!(names, expected);
        }
        let wrong = DescribeLogStreamsInput { log_stream_name_prefix: Some("b".to_owned()), ..by_time };
        let error = describe_log_streams(context.clone(), wrong).await.unwrap_err();
        assert_eq!(error.message, "Cannot order by LastEventTime with a logStreamNamePrefix.");
        let first = describe_log_streams(context, all).await.unwrap().log_streams.unwrap().remove(0);
        assert_eq!(first.arn.as_deref(), Some("arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:a/1"));
        assert_eq!((first.first_event_timestamp, first.last_event_timestamp), (Some(now_ms + 20), Some(now_ms + 20)));
        assert_eq!(first.last_ingestion_time, Some(now_ms));
    }
}
