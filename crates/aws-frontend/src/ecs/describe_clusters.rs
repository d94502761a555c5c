//! DescribeClusters: up to 100 clusters, each found or reported MISSING.

use super::{arn, errors};
use crate::context::Context;
use aws_api::ecs::{self, DescribeClustersInput, DescribeClustersOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::{Cluster, ClusterStatus, MembershipStatus};
use model::unit::{Lifecycle, Placement};

pub(crate) async fn describe_clusters(
    context: Context,
    input: DescribeClustersInput,
) -> Result<DescribeClustersOutput, ServiceError> {
    let references = match input.clusters {
        Some(references) if !references.is_empty() => references,
        _ => vec!["default".to_owned()],
    };
    if references.len() > 100 {
        return Err(errors::invalid_parameter("clusters can have at most 100 items."));
    }
    let include = input.include.unwrap_or_default();
    let snapshot = context.records().current();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let id = arn::cluster_reference(context.scope(), Some(&reference)).ok();
        match id.as_ref().and_then(|id| snapshot.clusters.get(id)) {
            Some(cluster) => clusters.push(convert(&snapshot, cluster, &include)),
            None => failures.push(ecs::Failure {
                arn: Some(id.map_or(reference, |id| arn::cluster(&id))),
                reason: Some("MISSING".to_owned()),
                ..Default::default()
            }),
        }
    }
    Ok(DescribeClustersOutput { clusters: Some(clusters), failures: Some(failures) })
}

/// A cluster as ECS shows it; `include` names the parts that are shown only on request.
pub(crate) fn convert(snapshot: &Snapshot, cluster: &Cluster, include: &[String]) -> ecs::Cluster {
    let asked = |part: &str| include.iter().any(|i| i == part);
    let (mut running, mut pending) = (0, 0);
    for (_, unit) in snapshot.units_of_cluster(&cluster.id) {
        match (&unit.placement, unit.observed.lifecycle) {
            (Placement::Bound { .. }, Lifecycle::Running) => running += 1,
            (Placement::Bound { .. }, Lifecycle::Accepted | Lifecycle::Preparing) => pending += 1,
            _ => {}
        }
    }
    let members = snapshot.nodes.keys();
    let instances =
        members.filter(|n| snapshot.membership(&cluster.id, n).status != MembershipStatus::Inactive).count();
    ecs::Cluster {
        cluster_arn: Some(arn::cluster(&cluster.id)),
        cluster_name: Some(cluster.id.name.to_string()),
        status: Some(match cluster.status {
            ClusterStatus::Active => "ACTIVE".to_owned(),
            ClusterStatus::Inactive => "INACTIVE".to_owned(),
        }),
        registered_container_instances_count: Some(instances as i32),
        running_tasks_count: Some(running),
        pending_tasks_count: Some(pending),
        active_services_count: Some(0),
        statistics: Some(Vec::new()),
        tags: Some(if asked("TAGS") { tags(&cluster.tags) } else { Vec::new() }),
        settings: Some(if asked("SETTINGS") { settings(cluster) } else { Vec::new() }),
        capacity_providers: Some(cluster.capacity_providers.clone()),
        default_capacity_provider_strategy: Some(
            cluster
                .default_strategy
                .iter()
                .map(|item| ecs::CapacityProviderStrategyItem {
                    capacity_provider: Some(item.provider.clone()),
                    weight: Some(item.weight as i32),
                    base: Some(item.base as i32),
                })
                .collect(),
        ),
        ..Default::default()
    }
}

fn settings(cluster: &Cluster) -> Vec<ecs::ClusterSetting> {
    let setting = |(name, value): (&String, &String)| ecs::ClusterSetting {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    cluster.settings.iter().map(setting).collect()
}

/// Tags as ECS shows them, by key.
pub(crate) fn tags(tags: &model::ecs::Tags) -> Vec<ecs::Tag> {
    tags.iter().map(|(key, value)| ecs::Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}
