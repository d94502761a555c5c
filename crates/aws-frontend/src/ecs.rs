//! Amazon ECS: one operation a file; `arn` and `errors` are what they share.

pub(crate) mod account_settings;
mod arn;
mod attributes;
mod capacity;
mod capacity_provider;
pub(crate) mod cluster;
mod commit;
mod continue_service_deployment;
mod create_capacity_provider;
pub(crate) mod create_cluster;
pub(crate) mod create_service;
pub(crate) mod create_task_set;
mod default_cluster;
mod delete_account_setting;
mod delete_attributes;
mod delete_capacity_provider;
mod delete_cluster;
pub(crate) mod delete_service;
mod delete_task_definitions;
pub(crate) mod delete_task_set;
mod deregister_container_instance;
pub(crate) mod deregister_task_definition;
mod describe_capacity_providers;
mod describe_clusters;
mod describe_container_instances;
mod describe_service_deployments;
mod describe_service_revisions;
pub(crate) mod describe_services;
pub(crate) mod describe_task_definition;
mod describe_task_sets;
pub(crate) mod describe_tasks;
mod errors;
mod get_task_protection;
pub(crate) mod instance;
pub(crate) mod intake;
mod list_account_settings;
mod list_attributes;
mod list_clusters;
mod list_container_instances;
mod list_service_deployments;
mod list_services;
mod list_services_by_namespace;
mod list_tags_for_resource;
mod list_task_definition_families;
mod list_task_definitions;
mod list_tasks;
pub(crate) mod lower;
mod node;
mod put_account_setting;
mod put_account_setting_default;
mod put_attributes;
mod put_cluster_capacity_providers;
pub(crate) mod register_task_definition;
pub(crate) mod run_task;
mod service;
mod service_admission;
mod start_task;
pub(crate) mod stop_service_deployment;
pub(crate) mod stop_task;
mod tag_resource;
mod tagged;
pub(crate) mod tags;
pub(crate) mod task;
mod task_protection;
mod untag_resource;
mod update_capacity_provider;
mod update_cluster;
mod update_cluster_settings;
mod update_container_instances_state;
pub(crate) mod update_service;
pub(crate) mod update_service_primary_task_set;
mod update_task_protection;
pub(crate) mod update_task_set;

pub use arn::service_deployment as service_deployment_arn;
pub use default_cluster::ensure_default_cluster;
pub use node::node_registration_attributes;
pub use register_task_definition::node_attributes;
pub use service_admission::ServiceAdmission;

use crate::table::{Status, Table};
use aws_api::ecs;

/// What a service cannot have yet.
const SERVICES: &str = "Load balancers, service registries, Service Connect, VPC Lattice, gateways, EBS volumes, metrics, Lambda \
     hooks and the CODE_DEPLOY controller are refused. Deployment alarms are kept; there are no alarms that could go off.";

/// What a task set cannot have yet.
const TASK_SETS: &str = "Load balancers and service registries are refused.";

/// The operations of ECS that are built.
pub fn table() -> Table {
    Table::new(&ecs::API)
        .on::<ecs::DescribeClusters, _, _>(Status::Yes, describe_clusters::describe_clusters)
        .on::<ecs::ListClusters, _, _>(Status::Yes, list_clusters::list_clusters)
        .on::<ecs::CreateCluster, _, _>(Status::Yes, create_cluster::create_cluster)
        .on::<ecs::DeleteCluster, _, _>(Status::Yes, delete_cluster::delete_cluster)
        .on::<ecs::UpdateCluster, _, _>(Status::Yes, update_cluster::update_cluster)
        .on::<ecs::UpdateClusterSettings, _, _>(Status::Yes, update_cluster_settings::update_cluster_settings)
        .on::<ecs::PutClusterCapacityProviders, _, _>(
            Status::Yes,
            put_cluster_capacity_providers::put_cluster_capacity_providers,
        )
        .on::<ecs::CreateCapacityProvider, _, _>(
            Status::Partial("An Auto Scaling group's provider gives the cluster's own machines and launches none: with managed scaling a task without room waits in PROVISIONING until there is some. Managed Instances are refused."),
            create_capacity_provider::create_capacity_provider,
        )
        .on::<ecs::DescribeCapacityProviders, _, _>(
            Status::Yes,
            describe_capacity_providers::describe_capacity_providers,
        )
        .on::<ecs::UpdateCapacityProvider, _, _>(
            Status::Partial("Managed Instances are refused."),
            update_capacity_provider::update_capacity_provider,
        )
        .on::<ecs::DeleteCapacityProvider, _, _>(Status::Yes, delete_capacity_provider::delete_capacity_provider)
        .on::<ecs::PutAccountSetting, _, _>(Status::Yes, put_account_setting::put_account_setting)
        .on::<ecs::PutAccountSettingDefault, _, _>(
            Status::Yes,
            put_account_setting_default::put_account_setting_default,
        )
        .on::<ecs::DeleteAccountSetting, _, _>(Status::Yes, delete_account_setting::delete_account_setting)
        .on::<ecs::ListAccountSettings, _, _>(Status::Yes, list_account_settings::list_account_settings)
        .on::<ecs::TagResource, _, _>(Status::Yes, tag_resource::tag_resource)
        .on::<ecs::UntagResource, _, _>(Status::Yes, untag_resource::untag_resource)
        .on::<ecs::ListTagsForResource, _, _>(Status::Yes, list_tags_for_resource::list_tags_for_resource)
        .on::<ecs::ListContainerInstances, _, _>(Status::Yes, list_container_instances::list_container_instances)
        .on::<ecs::DescribeContainerInstances, _, _>(
            Status::Yes,
            describe_container_instances::describe_container_instances,
        )
        .on::<ecs::UpdateContainerInstancesState, _, _>(
            Status::Yes,
            update_container_instances_state::update_container_instances_state,
        )
        .on::<ecs::DeregisterContainerInstance, _, _>(
            Status::Yes,
            deregister_container_instance::deregister_container_instance,
        )
        .on::<ecs::PutAttributes, _, _>(Status::Yes, put_attributes::put_attributes)
        .on::<ecs::DeleteAttributes, _, _>(Status::Yes, delete_attributes::delete_attributes)
        .on::<ecs::ListAttributes, _, _>(Status::Yes, list_attributes::list_attributes)
        .on::<ecs::DeleteTaskDefinitions, _, _>(Status::Yes, delete_task_definitions::delete_task_definitions)
        .on::<ecs::DeregisterTaskDefinition, _, _>(Status::Yes, deregister_task_definition::deregister_task_definition)
        .on::<ecs::DescribeTaskDefinition, _, _>(Status::Yes, describe_task_definition::describe_task_definition)
        .on::<ecs::ListTaskDefinitionFamilies, _, _>(
            Status::Yes,
            list_task_definition_families::list_task_definition_families,
        )
        .on::<ecs::ListTaskDefinitions, _, _>(Status::Yes, list_task_definitions::list_task_definitions)
        .on::<ecs::RegisterTaskDefinition, _, _>(Status::Yes, register_task_definition::register_task_definition)
        .on::<ecs::CreateService, _, _>(Status::Partial(SERVICES), create_service::create_service)
        .on::<ecs::UpdateService, _, _>(Status::Partial(SERVICES), update_service::update_service)
        .on::<ecs::DeleteService, _, _>(Status::Yes, delete_service::delete_service)
        .on::<ecs::DescribeServices, _, _>(Status::Yes, describe_services::describe_services)
        .on::<ecs::ListServiceDeployments, _, _>(
            Status::Yes,
            list_service_deployments::list_service_deployments,
        )
        .on::<ecs::DescribeServiceDeployments, _, _>(
            Status::Yes,
            describe_service_deployments::describe_service_deployments,
        )
        .on::<ecs::DescribeServiceRevisions, _, _>(
            Status::Yes,
            describe_service_revisions::describe_service_revisions,
        )
        .on::<ecs::StopServiceDeployment, _, _>(Status::Yes, stop_service_deployment::stop_service_deployment)
        .on::<ecs::ContinueServiceDeployment, _, _>(
            Status::Yes,
            continue_service_deployment::continue_service_deployment,
        )
        .on::<ecs::CreateTaskSet, _, _>(Status::Partial(TASK_SETS), create_task_set::create_task_set)
        .on::<ecs::UpdateTaskSet, _, _>(Status::Yes, update_task_set::update_task_set)
        .on::<ecs::DeleteTaskSet, _, _>(Status::Yes, delete_task_set::delete_task_set)
        .on::<ecs::DescribeTaskSets, _, _>(Status::Yes, describe_task_sets::describe_task_sets)
        .on::<ecs::UpdateServicePrimaryTaskSet, _, _>(
            Status::Yes,
            update_service_primary_task_set::update_service_primary_task_set,
        )
        .on::<ecs::ListServices, _, _>(Status::Yes, list_services::list_services)
        .on::<ecs::ListServicesByNamespace, _, _>(
            Status::Partial("There are no namespaces, so none is found."),
            list_services_by_namespace::list_services_by_namespace,
        )
        .on::<ecs::DescribeTasks, _, _>(Status::Yes, describe_tasks::describe_tasks)
        .on::<ecs::RunTask, _, _>(Status::Yes, run_task::run_task)
        .on::<ecs::ListTasks, _, _>(Status::Yes, list_tasks::list_tasks)
        .on::<ecs::StartTask, _, _>(Status::Yes, start_task::start_task)
        .on::<ecs::StopTask, _, _>(Status::Yes, stop_task::stop_task)
        .on::<ecs::UpdateTaskProtection, _, _>(Status::Yes, update_task_protection::update_task_protection)
        .on::<ecs::GetTaskProtection, _, _>(Status::Yes, get_task_protection::get_task_protection)
}
