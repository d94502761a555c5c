//! CreateCluster: a new cluster, an existing one again when nothing contradicts it, or a deleted one made anew.

use super::cluster::{self, configuration, settings};
use super::describe_clusters::{Parts, convert};
use super::{capacity, commit, errors, tags};
use crate::context::Context;
use aws_api::ecs::{CreateClusterInput, CreateClusterOutput};
use aws_protocol::ServiceError;
use model::ClusterId;
use model::ecs::{Cluster, ClusterStatus, StrategyItem, Tags};
use serde_json::Value;
use std::collections::BTreeMap;

/// ECS API: a name has up to 255 of these characters.
const NAME_MAX: usize = 255;

pub(crate) async fn create_cluster(
    context: Context,
    input: CreateClusterInput,
) -> Result<CreateClusterOutput, ServiceError> {
    let name = name(input.cluster_name.as_deref())?;
    let id = ClusterId { scope: context.scope().clone(), name: name.into() };
    let wish = Wish::of(&input)?;
    cluster::forget_memberships(context.records(), &id).await.map_err(errors::store)?;
    let (created, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let seen = snapshot.clusters.get(&id);
        if let Some(existing) = seen.filter(|cluster| cluster.status == ClusterStatus::Active) {
            wish.agrees(existing)?;
            return Ok((*existing.value).clone());
        }
        let providers = wish.capacity_providers.as_deref().unwrap_or_default();
        capacity::keep(snapshot, draft, context.scope(), providers)?;
        let created = wish.apply(cluster::empty(snapshot, &id, &context.caller.arn, context.now()));
        draft.upsert(&id, seen, &created);
        Ok(created)
    })
    .await?;
    Ok(CreateClusterOutput { cluster: Some(convert(&snapshot, &created, Parts::WRITTEN)) })
}

fn name(given: Option<&str>) -> Result<&str, ServiceError> {
    let name = given.unwrap_or("default");
    let fits = (1..=NAME_MAX).contains(&name.len());
    if fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(name);
    }
    Err(errors::invalid_parameter(format!("Cluster must match ^[a-zA-Z0-9\\-_]{{1,255}}$, but was {name:.300}")))
}

/// What a request says of a cluster, checked; None where it says nothing.
struct Wish {
    tags: Option<Tags>,
    settings: Option<BTreeMap<String, String>>,
    configuration: Option<Value>,
    service_connect_defaults: Option<Option<Value>>,
    capacity_providers: Option<Vec<String>>,
    default_strategy: Option<Vec<StrategyItem>>,
}

impl Wish {
    fn of(input: &CreateClusterInput) -> Result<Self, ServiceError> {
        let capacity_providers = input.capacity_providers.as_deref().map(capacity::providers).transpose()?;
        let of_strategy = capacity_providers.as_deref().unwrap_or_default();
        let strategy = input.default_capacity_provider_strategy.as_deref();
        Ok(Self {
            tags: input.tags.as_deref().map(tags::convert).transpose()?,
            settings: input.settings.as_deref().map(settings::convert).transpose()?,
            configuration: input.configuration.as_ref().map(configuration::convert).transpose()?,
            service_connect_defaults: input
                .service_connect_defaults
                .as_ref()
                .map(configuration::service_connect)
                .transpose()?,
            default_strategy: strategy.map(|items| capacity::strategy(items, of_strategy)).transpose()?,
            capacity_providers,
        })
    }

    /// # Errors
    /// InvalidParameterException if the cluster that is there is another one than the wish.
    fn agrees(&self, existing: &Cluster) -> Result<(), ServiceError> {
        fn same<T: PartialEq>(wish: &Option<T>, found: &T) -> bool {
            wish.as_ref().is_none_or(|wish| wish == found)
        }
        let settings = self.settings.iter().flatten().all(|(name, value)| existing.settings.get(name) == Some(value));
        let agrees = settings
            && same(&self.tags, &existing.tags)
            && self.configuration.as_ref().is_none_or(|wish| existing.configuration.as_ref() == Some(wish))
            && same(&self.service_connect_defaults, &existing.service_connect_defaults)
            && same(&self.capacity_providers, &existing.capacity_providers)
            && same(&self.default_strategy, &existing.default_strategy);
        if agrees {
            return Ok(());
        }
        Err(errors::invalid_parameter(
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        ))
    }

    fn apply(&self, mut cluster: Cluster) -> Cluster {
        cluster.settings.extend(self.settings.clone().unwrap_or_default());
        Cluster {
            tags: self.tags.clone().unwrap_or_default(),
            configuration: self.configuration.clone(),
            service_connect_defaults: self.service_connect_defaults.clone().flatten(),
            capacity_providers: self.capacity_providers.clone().unwrap_or_default(),
            default_strategy: self.default_strategy.clone().unwrap_or_default(),
            ..cluster
        }
    }
}
