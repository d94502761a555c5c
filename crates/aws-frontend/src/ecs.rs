//! Amazon ECS: one operation a file; `arn` and `errors` are what they share.

mod arn;
mod describe_clusters;
pub(crate) mod describe_task_definition;
mod errors;
mod list_clusters;
pub(crate) mod lower;
pub(crate) mod register_task_definition;

pub use register_task_definition::node_attributes;

use crate::table::{Status, Table};
use aws_api::ecs;

/// The operations of ECS that are built.
pub fn table() -> Table {
    Table::new(&ecs::API)
        .on::<ecs::DescribeClusters, _, _>(Status::Yes, describe_clusters::describe_clusters)
        .on::<ecs::ListClusters, _, _>(Status::Yes, list_clusters::list_clusters)
        .on::<ecs::DescribeTaskDefinition, _, _>(Status::Yes, describe_task_definition::describe_task_definition)
        .on::<ecs::RegisterTaskDefinition, _, _>(Status::Yes, register_task_definition::register_task_definition)
}
