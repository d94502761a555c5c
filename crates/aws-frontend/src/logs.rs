//! CloudWatch Logs: one operation a file. Groups are records; their streams and events are `observe`'s.

mod arn;
mod create_log_group;
mod create_log_stream;
mod delete_log_group;
mod delete_log_stream;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod errors;
mod filter_log_events;
mod get_log_events;
mod group;
mod list_tags_for_resource;
mod list_tags_log_group;
mod put_log_events;
mod put_retention_policy;
mod ship;
mod sweep;
mod tag_log_group;
mod tag_resource;
mod tags;
#[cfg(test)]
mod testing;
mod untag_log_group;
mod untag_resource;

pub use ship::{Shipment, ShippedEvent, ship};
pub use sweep::sweep;

use crate::table::{Status, Table};
use aws_api::logs;

/// The operations of CloudWatch Logs that are built.
pub fn table() -> Table {
    let no_keys = Status::Partial("a KMS key and deletion protection are refused: there is neither yet");
    Table::new(&logs::API)
        .on::<logs::CreateLogGroup, _, _>(no_keys, create_log_group::create_log_group)
        .on::<logs::CreateLogStream, _, _>(Status::Yes, create_log_stream::create_log_stream)
        .on::<logs::DeleteLogGroup, _, _>(Status::Yes, delete_log_group::delete_log_group)
        .on::<logs::DeleteLogStream, _, _>(Status::Yes, delete_log_stream::delete_log_stream)
        .on::<logs::DeleteRetentionPolicy, _, _>(Status::Yes, delete_retention_policy::delete_retention_policy)
        .on::<logs::DescribeLogGroups, _, _>(Status::Yes, describe_log_groups::describe_log_groups)
        .on::<logs::DescribeLogStreams, _, _>(Status::Yes, describe_log_streams::describe_log_streams)
        .on::<logs::FilterLogEvents, _, _>(Status::Yes, filter_log_events::filter_log_events)
        .on::<logs::GetLogEvents, _, _>(Status::Yes, get_log_events::get_log_events)
        .on::<logs::ListTagsForResource, _, _>(Status::Yes, list_tags_for_resource::list_tags_for_resource)
        .on::<logs::ListTagsLogGroup, _, _>(Status::Yes, list_tags_log_group::list_tags_log_group)
        .on::<logs::PutLogEvents, _, _>(Status::Yes, put_log_events::put_log_events)
        .on::<logs::PutRetentionPolicy, _, _>(Status::Yes, put_retention_policy::put_retention_policy)
        .on::<logs::TagLogGroup, _, _>(Status::Yes, tag_log_group::tag_log_group)
        .on::<logs::TagResource, _, _>(Status::Yes, tag_resource::tag_resource)
        .on::<logs::UntagLogGroup, _, _>(Status::Yes, untag_log_group::untag_log_group)
        .on::<logs::UntagResource, _, _>(Status::Yes, untag_resource::untag_resource)
}
