//! A cluster's configuration and Service Connect defaults: checked here, kept as ECS's own documents and echoed.

use crate::ecs::errors;
use aws_api::ecs::{ClusterConfiguration, ClusterServiceConnectDefaultsRequest, values};
use aws_protocol::ServiceError;
use serde_json::Value;

/// # Errors
/// InvalidParameterException where logging and its configuration do not fit each other.
pub(in crate::ecs) fn convert(configuration: &ClusterConfiguration) -> Result<Value, ServiceError> {
    let refuse = |message: &str| Err(errors::invalid_parameter(message));
    if let Some(exec) = &configuration.execute_command_configuration {
        let logging = exec.logging.as_deref().unwrap_or(values::execute_command_logging::DEFAULT);
        if !values::execute_command_logging::VALUES.contains(&logging) {
            let known = values::execute_command_logging::VALUES.join(", ");
            return Err(errors::invalid_parameter(format!(
                "executeCommandConfiguration.logging should be one of [{known}]."
            )));
        }
        // ECS API, ExecuteCommandConfiguration: OVERRIDE comes with a logConfiguration, and the other two without.
        let is_override = logging == values::execute_command_logging::OVERRIDE;
        match &exec.log_configuration {
            None if is_override => {
                return refuse("executeCommandConfiguration.logging OVERRIDE needs a logConfiguration.");
            }
            Some(_) if !is_override => {
                return refuse("executeCommandConfiguration.logConfiguration needs logging to be OVERRIDE.");
            }
            Some(log) if log.cloud_watch_log_group_name.is_none() && log.s3_bucket_name.is_none() => {
                return refuse("executeCommandConfiguration.logConfiguration needs a log group or a bucket.");
            }
            _ => {}
        }
    }
    Ok(serde_json::to_value(configuration).expect("a shape of text and truth values is always JSON"))
}

/// What is stored of the defaults; the inner None takes them away (ECS API: an empty namespace does).
///
/// # Errors
/// InvalidParameterException for a namespace of more than 1024 characters, or none.
pub(in crate::ecs) fn service_connect(
    defaults: &ClusterServiceConnectDefaultsRequest,
) -> Result<Option<Value>, ServiceError> {
    match defaults.namespace.as_deref() {
        None => Err(errors::invalid_parameter("serviceConnectDefaults.namespace is required.")),
        Some("") => Ok(None),
        Some(namespace) if namespace.chars().count() > 1024 => {
            Err(errors::invalid_parameter("serviceConnectDefaults.namespace can have at most 1024 characters."))
        }
        Some(namespace) => Ok(Some(serde_json::json!({ "namespace": namespace }))),
    }
}
