//! The settings of a cluster: which there are and what they may be.

use crate::ecs::errors;
use aws_api::ecs::ClusterSetting;
use aws_protocol::ServiceError;
use std::collections::BTreeMap;

/// The one setting that a cluster has (ECS API: ClusterSetting).
pub(crate) const CONTAINER_INSIGHTS: &str = "containerInsights";
const INSIGHTS_VALUES: [&str; 3] = ["enabled", "disabled", "enhanced"];

/// # Errors
/// InvalidParameterException for a name or value that ECS does not know, and for a name given twice.
pub(in crate::ecs) fn convert(settings: &[ClusterSetting]) -> Result<BTreeMap<String, String>, ServiceError> {
    let mut converted = BTreeMap::new();
    for setting in settings {
        let name = setting.name.as_deref().unwrap_or_default();
        let value = setting.value.as_deref().unwrap_or_default();
        if name != CONTAINER_INSIGHTS {
            return Err(errors::invalid_parameter(format!("settings.name should be one of [{CONTAINER_INSIGHTS}].")));
        }
        if !INSIGHTS_VALUES.contains(&value) {
            return Err(errors::invalid_parameter(format!(
                "Invalid value for {name}: '{value:.100}'. Use one of [{}].",
                INSIGHTS_VALUES.join(", ")
            )));
        }
        if converted.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(errors::invalid_parameter(format!("The setting {name} is given twice.")));
        }
    }
    Ok(converted)
}
