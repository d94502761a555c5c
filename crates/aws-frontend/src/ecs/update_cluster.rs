//! UpdateCluster: replaces the settings, configuration and Service Connect defaults that the request names.

use super::cluster::{configuration, settings};
use super::describe_clusters::{Parts, convert};
use super::task::reference as named;
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{UpdateClusterInput, UpdateClusterOutput};
use aws_protocol::ServiceError;
use model::ecs::Cluster;

pub(crate) async fn update_cluster(
    context: Context,
    input: UpdateClusterInput,
) -> Result<UpdateClusterOutput, ServiceError> {
    let reference = input.cluster.as_deref().filter(|reference| !reference.is_empty());
    let reference = reference.ok_or_else(|| errors::invalid_parameter("Cluster can not be blank."))?;
    let settings = input.settings.as_deref().map(settings::convert).transpose()?.unwrap_or_default();
    let configuration = input.configuration.as_ref().map(configuration::convert).transpose()?;
    let defaults = input.service_connect_defaults.as_ref().map(configuration::service_connect).transpose()?;
    let (updated, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let seen = named::cluster(snapshot, context.scope(), Some(reference))?;
        let mut updated: Cluster = (*seen.value).clone();
        updated.settings.extend(settings.clone());
        if let Some(configuration) = &configuration {
            updated.configuration = Some(configuration.clone());
        }
        if let Some(defaults) = &defaults {
            updated.service_connect_defaults = defaults.clone();
        }
        if updated != *seen.value {
            draft.update(&seen.id, seen, &updated);
        }
        Ok(updated)
    })
    .await?;
    Ok(UpdateClusterOutput { cluster: Some(convert(&snapshot, &updated, Parts::WRITTEN)) })
}
