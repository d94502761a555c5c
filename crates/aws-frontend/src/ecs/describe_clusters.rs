//! DescribeClusters: up to 100 clusters, each found or reported MISSING; and how every operation shows a cluster.

use super::{arn, capacity, errors, service};
use crate::context::Context;
use aws_api::ecs::{self, DescribeClustersInput, DescribeClustersOutput, KeyValuePair, values};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::{Cluster, ClusterStatus, LaunchType, MembershipStatus};
use model::unit::{Capacity, Lifecycle, Placement};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use super::tags::show as tags;

/// ECS API.
const REFERENCES_MAX: usize = 100;

pub(crate) async fn describe_clusters(
    context: Context,
    input: DescribeClustersInput,
) -> Result<DescribeClustersOutput, ServiceError> {
    let references = match input.clusters {
        Some(references) if !references.is_empty() => references,
        _ => vec!["default".to_owned()],
    };
    if references.len() > REFERENCES_MAX {
        return Err(errors::invalid_parameter(format!("clusters can have at most {REFERENCES_MAX} items.")));
    }
    let parts = Parts::asked(&input.include.unwrap_or_default())?;
    let snapshot = context.records().current();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let id = arn::cluster_reference(context.scope(), Some(&reference)).ok();
        match id.as_ref().and_then(|id| snapshot.clusters.get(id)) {
            Some(cluster) => clusters.push(convert(&snapshot, cluster, parts)),
            None => failures.push(ecs::Failure {
                arn: Some(id.map_or(reference, |id| arn::cluster(&id))),
                reason: Some("MISSING".to_owned()),
                ..Default::default()
            }),
        }
    }
    Ok(DescribeClustersOutput { clusters: Some(clusters), failures: Some(failures) })
}

/// The parts of a cluster that are shown only on request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts {
    attachments: bool,
    configurations: bool,
    settings: bool,
    statistics: bool,
    tags: bool,
}

impl Parts {
    /// What the operations that write a cluster show of it: all that can be written.
    pub(crate) const WRITTEN: Parts =
        Parts { attachments: false, configurations: true, settings: true, statistics: false, tags: true };

    /// # Errors
    /// InvalidParameterException for a name that is no part.
    fn asked(include: &[String]) -> Result<Self, ServiceError> {
        let mut parts = Parts::default();
        for name in include {
            match name.as_str() {
                values::cluster_field::ATTACHMENTS => parts.attachments = true,
                values::cluster_field::CONFIGURATIONS => parts.configurations = true,
                values::cluster_field::SETTINGS => parts.settings = true,
                values::cluster_field::STATISTICS => parts.statistics = true,
                values::cluster_field::TAGS => parts.tags = true,
                _ => {
                    let known = values::cluster_field::VALUES.join(",");
                    return Err(errors::invalid_parameter(format!("include should be one of [{known}]")));
                }
            }
        }
        Ok(parts)
    }
}

/// A cluster as ECS shows it.
pub(crate) fn convert(snapshot: &Snapshot, cluster: &Cluster, parts: Parts) -> ecs::Cluster {
    let active = cluster.status == ClusterStatus::Active;
    let members = snapshot.nodes.keys().filter(|_| active);
    let instances =
        members.filter(|n| snapshot.membership(&cluster.id, n).status != MembershipStatus::Inactive).count();
    let counts = Counts::of(snapshot, cluster);
    ecs::Cluster {
        cluster_arn: Some(arn::cluster(&cluster.id)),
        cluster_name: Some(cluster.id.name.to_string()),
        status: Some(if active { "ACTIVE" } else { "INACTIVE" }.to_owned()),
        registered_container_instances_count: Some(saturated(instances)),
        running_tasks_count: Some(saturated(counts.running.iter().sum())),
        pending_tasks_count: Some(saturated(counts.pending.iter().sum())),
        active_services_count: Some(saturated(counts.active_services.iter().sum())),
        statistics: Some(if parts.statistics { counts.statistics() } else { Vec::new() }),
        tags: Some(if parts.tags { tags(&cluster.tags) } else { Vec::new() }),
        settings: Some(if parts.settings { settings(cluster) } else { Vec::new() }),
        configuration: cluster.configuration.as_ref().filter(|_| parts.configurations).and_then(echo),
        service_connect_defaults: cluster.service_connect_defaults.as_ref().and_then(echo),
        attachments: parts.attachments.then(Vec::new),
        attachments_status: None,
        capacity_providers: Some(cluster.capacity_providers.clone()),
        default_capacity_provider_strategy: Some(capacity::show(&cluster.default_strategy)),
    }
}

/// Tasks and services by the kind of capacity that they use: EC2, then Fargate.
#[derive(Default)]
struct Counts {
    running: [usize; 2],
    pending: [usize; 2],
    active_services: [usize; 2],
    draining_services: [usize; 2],
}

impl Counts {
    fn of(snapshot: &Snapshot, cluster: &Cluster) -> Self {
        let mut counts = Self::default();
        for (_, unit) in snapshot.units_of_cluster(&cluster.id) {
            let kind = usize::from(unit.scheduling.capacity != Capacity::Instances);
            match (&unit.placement, unit.observed.lifecycle) {
                (Placement::Bound { .. }, Lifecycle::Running) => counts.running[kind] += 1,
                (Placement::Bound { .. }, Lifecycle::Accepted | Lifecycle::Preparing) => counts.pending[kind] += 1,
                _ => {}
            }
        }
        for service in service::of_cluster(snapshot, &cluster.id) {
            let revision = service::revision(snapshot, service);
            let kind = usize::from(revision.is_some_and(|revision| revision.launch_type == LaunchType::Fargate));
            match service::status(snapshot, service) {
                service::Status::Active => counts.active_services[kind] += 1,
                service::Status::Draining => counts.draining_services[kind] += 1,
                service::Status::Inactive => {}
            }
        }
        counts
    }

    /// ECS API, Cluster.statistics.
    fn statistics(&self) -> Vec<KeyValuePair> {
        let pair =
            |(name, count): (&str, usize)| KeyValuePair { name: Some(name.to_owned()), value: Some(count.to_string()) };
        [
            ("runningEC2TasksCount", self.running[0]),
            ("runningFargateTasksCount", self.running[1]),
            ("pendingEC2TasksCount", self.pending[0]),
            ("pendingFargateTasksCount", self.pending[1]),
            ("activeEC2ServiceCount", self.active_services[0]),
            ("activeFargateServiceCount", self.active_services[1]),
            ("drainingEC2ServiceCount", self.draining_services[0]),
            ("drainingFargateServiceCount", self.draining_services[1]),
        ]
        .map(pair)
        .to_vec()
    }
}

fn saturated(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A stored document in ECS's words; it was written from the same shape.
fn echo<T: DeserializeOwned>(document: &Value) -> Option<T> {
    serde_json::from_value(document.clone())
        .inspect_err(|error| tracing::error!(%error, "a part of a stored cluster is unreadable"))
        .ok()
}

fn settings(cluster: &Cluster) -> Vec<ecs::ClusterSetting> {
    let setting = |(name, value): (&String, &String)| ecs::ClusterSetting {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    cluster.settings.iter().map(setting).collect()
}
