//! Amazon ECS: one operation a file; `arn` and `errors` are what they share.

mod arn;
mod describe_clusters;
mod errors;
mod list_clusters;
pub(crate) mod lower;

use crate::table::{Status, Table};
use aws_api::ecs;

/// The operations of ECS that are built.
pub fn table() -> Table {
    Table::new(&ecs::API)
        .on::<ecs::DescribeClusters, _, _>(Status::Yes, describe_clusters::describe_clusters)
        .on::<ecs::ListClusters, _, _>(Status::Yes, list_clusters::list_clusters)
}
