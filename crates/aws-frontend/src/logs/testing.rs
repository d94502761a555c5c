//! What the tests of these operations share.

use super::create_log_group::create_log_group;
use super::create_log_stream::create_log_stream;
use super::get_log_events::get_log_events;
use super::group;
use super::put_log_events::put_log_events;
use crate::context::Context;
use aws_api::logs::{
    CreateLogGroupInput, CreateLogStreamInput, GetLogEventsInput, InputLogEvent, PutLogEventsInput, PutLogEventsOutput,
};
use aws_protocol::ServiceError;

pub(super) async fn make_group(context: &Context, name: &str) {
    let input = CreateLogGroupInput { log_group_name: Some(name.to_owned()), ..Default::default() };
    create_log_group(context.clone(), input).await.unwrap();
}

/// Makes a stream, and its group if need be.
pub(super) async fn make_stream(context: &Context, group: &str, stream: &str) {
    if group::find(&context.frontend, group).is_err() {
        make_group(context, group).await;
    }
    let (group, stream) = (Some(group.to_owned()), Some(stream.to_owned()));
    let input = CreateLogStreamInput { log_group_name: group, log_stream_name: stream };
    create_log_stream(context.clone(), input).await.unwrap();
}

pub(super) async fn put(
    context: &Context,
    group: &str,
    stream: &str,
    events: &[(i64, &str)],
) -> Result<PutLogEventsOutput, ServiceError> {
    let event =
        |(ms, message): &(i64, &str)| InputLogEvent { timestamp: Some(*ms), message: Some((*message).to_owned()) };
    let input = PutLogEventsInput {
        log_group_name: Some(group.to_owned()),
        log_stream_name: Some(stream.to_owned()),
        log_events: Some(events.iter().map(event).collect()),
        ..Default::default()
    };
    put_log_events(context.clone(), input).await
}

pub(super) async fn messages(context: &Context, group: &str, stream: &str) -> Vec<String> {
    let input = GetLogEventsInput {
        log_group_name: Some(group.to_owned()),
        log_stream_name: Some(stream.to_owned()),
        start_from_head: Some(true),
        ..Default::default()
    };
    let page = get_log_events(context.clone(), input).await.unwrap();
    page.events.unwrap().into_iter().map(|e| e.message.unwrap()).collect()
}
