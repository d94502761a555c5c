//! UpdateClusterSettings: UpdateCluster with nothing but settings, and at least one.

use super::{errors, update_cluster};
use crate::context::Context;
use aws_api::ecs::{UpdateClusterInput, UpdateClusterSettingsInput, UpdateClusterSettingsOutput};
use aws_protocol::ServiceError;

pub(crate) async fn update_cluster_settings(
    context: Context,
    input: UpdateClusterSettingsInput,
) -> Result<UpdateClusterSettingsOutput, ServiceError> {
    if input.settings.as_ref().is_none_or(Vec::is_empty) {
        return Err(errors::invalid_parameter("Settings can not be empty."));
    }
    let input = UpdateClusterInput { cluster: input.cluster, settings: input.settings, ..Default::default() };
    let updated = update_cluster::update_cluster(context, input).await?;
    Ok(UpdateClusterSettingsOutput { cluster: updated.cluster })
}
