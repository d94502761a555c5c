//! Amazon ECS: one operation a file; `arn` and `errors` are what they share.

mod arn;
mod default_cluster;
mod delete_task_definitions;
pub(crate) mod deregister_task_definition;
mod describe_clusters;
pub(crate) mod describe_task_definition;
mod describe_tasks;
mod errors;
pub(crate) mod instance;
pub(crate) mod intake;
mod list_clusters;
mod list_task_definition_families;
mod list_task_definitions;
pub(crate) mod lower;
mod node;
pub(crate) mod register_task_definition;
pub(crate) mod run_task;
pub(crate) mod stop_task;
pub(crate) mod task;

pub use default_cluster::ensure_default_cluster;
pub use node::node_registration_attributes;
pub use register_task_definition::node_attributes;

use crate::table::{Status, Table};
use aws_api::ecs;

/// The operations of ECS that are built.
pub fn table() -> Table {
    Table::new(&ecs::API)
        .on::<ecs::DescribeClusters, _, _>(Status::Yes, describe_clusters::describe_clusters)
        .on::<ecs::ListClusters, _, _>(Status::Yes, list_clusters::list_clusters)
        .on::<ecs::DeleteTaskDefinitions, _, _>(Status::Yes, delete_task_definitions::delete_task_definitions)
        .on::<ecs::DeregisterTaskDefinition, _, _>(Status::Yes, deregister_task_definition::deregister_task_definition)
        .on::<ecs::DescribeTaskDefinition, _, _>(Status::Yes, describe_task_definition::describe_task_definition)
        .on::<ecs::ListTaskDefinitionFamilies, _, _>(
            Status::Yes,
            list_task_definition_families::list_task_definition_families,
        )
        .on::<ecs::ListTaskDefinitions, _, _>(Status::Yes, list_task_definitions::list_task_definitions)
        .on::<ecs::RegisterTaskDefinition, _, _>(Status::Yes, register_task_definition::register_task_definition)
        .on::<ecs::DescribeTasks, _, _>(Status::Yes, describe_tasks::describe_tasks)
        .on::<ecs::RunTask, _, _>(Status::Yes, run_task::run_task)
        .on::<ecs::StopTask, _, _>(Status::Yes, stop_task::stop_task)
}
