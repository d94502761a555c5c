//! GetLogEvents: a page of one log stream, from its head or its tail, with a token for either direction.

use super::{arn, errors, group};
use crate::context::Context;
use aws_api::logs::{GetLogEventsInput, GetLogEventsOutput, OutputLogEvent};
use aws_protocol::ServiceError;
use observe::{Get, Start};

pub(super) async fn get_log_events(
    context: Context,
    input: GetLogEventsInput,
) -> Result<GetLogEventsOutput, ServiceError> {
    errors::check(&input)?;
    let name = arn::named(context.scope(), input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let group = group::find(&context.frontend, name)?;
    let (uid, floor_ms) = (group.uid.clone(), group::floor_ms(&group, context.now()));
    let page = group::on_disk(&context.frontend.logs, move |logs| {
        let get = Get {
            start_ms: input.start_time.max(floor_ms),
            end_ms: input.end_time,
            from: if input.start_from_head.unwrap_or(false) { Start::Head } else { Start::Tail },
            limit: input.limit.map(|limit| limit.unsigned_abs() as usize),
            token: input.next_token.as_deref(),
        };
        logs.get(&uid, input.log_stream_name.as_deref().unwrap_or_default(), &get)
    })
    .await?;
    let convert = |event: observe::ReadEvent| OutputLogEvent {
        timestamp: Some(event.timestamp_ms()),
        ingestion_time: Some(event.ingestion_ms),
        message: Some(event.message),
    };
    Ok(GetLogEventsOutput {
        events: Some(page.events.into_iter().map(convert).collect()),
        next_forward_token: Some(page.next_forward),
        next_backward_token: Some(page.next_backward),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};

    const NOW_MS: i64 = NOW.unix_ms() as i64;

    #[tokio::test]
    async fn pages_are_walked_up_and_down_and_end_with_the_same_token() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        let events: Vec<_> = (0..5).map(|n| (NOW_MS + n, "x")).collect();
        testing::put(&context, "g", "s", &events).await.unwrap();
        let get = |token: Option<String>, head: bool| {
            let input = GetLogEventsInput {
                log_group_identifier: Some(arn::group(context.scope(), "g")),
                log_stream_name: Some("s".to_owned()),
                start_time: Some(NOW_MS + 1),
                end_time: Some(NOW_MS + 4),
                limit: Some(2),
                start_from_head: Some(head),
                next_token: token,
                ..Default::default()
            };
            get_log_events(context.clone(), input)
        };
        let times = |page: &GetLogEventsOutput| -> Vec<i64> {
            page.events.iter().flatten().map(|e| e.timestamp.unwrap() - NOW_MS).collect()
        };
        let first = get(None, true).await.unwrap();
        assert_eq!(times(&first), [1, 2]);
        let second = get(first.next_forward_token, true).await.unwrap();
        assert_eq!(times(&second), [3]);
        let end = get(second.next_forward_token.clone(), true).await.unwrap();
        assert_eq!((times(&end), end.next_forward_token), (vec![], second.next_forward_token));
        let tail = get(None, false).await.unwrap();
        assert_eq!(times(&tail), [2, 3]);
        assert_eq!(times(&get(tail.next_backward_token, false).await.unwrap()), [1]);
        let error = get(Some("f/1".to_owned()), true).await.unwrap_err();
        assert_eq!(
            (&*error.code, &*error.message),
            ("InvalidParameterException", "The specified nextToken is invalid.")
        );
    }

    #[tokio::test]
    async fn a_request_names_one_existing_group_and_stream() {
        let context = context().await;
        testing::make_group(&context, "g").await;
        let input = |group: Option<&str>, stream: Option<&str>| GetLogEventsInput {
            log_group_name: group.map(str::to_owned),
            log_stream_name: stream.map(str::to_owned),
            ..Default::default()
        };
        for (input, code) in [
            (input(Some("none"), Some("s")), "ResourceNotFoundException"),
            (input(Some("g"), Some("s")), "ResourceNotFoundException"),
            (input(Some("g"), None), "InvalidParameterException"),
            (input(None, Some("s")), "InvalidParameterException"),
            (GetLogEventsInput { limit: Some(0), ..input(Some("g"), Some("s")) }, "InvalidParameterException"),
        ] {
            assert_eq!(get_log_events(context.clone(), input).await.unwrap_err().code, code);
        }
    }
}
