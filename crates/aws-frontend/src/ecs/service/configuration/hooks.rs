//! lifecycleHooks: pauses, at stages that can pause. Hooks that call a function need Lambda, which is not there yet.

use super::ensure;
use crate::ecs::errors;
use aws_api::ecs::DeploymentLifecycleHook;
use aws_api::ecs::values::{deployment_lifecycle_hook_stage as stage, deployment_lifecycle_hook_target_type};
use aws_protocol::ServiceError;
use model::ecs::deployment::{Hook, HookAction, Stage};
use serde::Deserialize;

/// ECS API, DeploymentLifecycleHookTimeoutConfiguration: a day.
const TIMEOUT_MINUTES: i32 = 1440;
/// ECS API, DeploymentLifecycleHook: stages that only a function may hold up.
const NO_PAUSE: [&str; 2] = [stage::TEST_TRAFFIC_SHIFT, stage::PRODUCTION_TRAFFIC_SHIFT];

pub(super) fn read(given: &[DeploymentLifecycleHook]) -> Result<Vec<Hook>, ServiceError> {
    given.iter().map(hook).collect()
}

fn hook(given: &DeploymentLifecycleHook) -> Result<Hook, ServiceError> {
    if given.target_type.as_deref() != Some(deployment_lifecycle_hook_target_type::PAUSE) {
        return Err(errors::client(
            "Lifecycle hooks of the target type AWS_LAMBDA are not supported: Bayplan has no Lambda yet. Use PAUSE hooks.",
        ));
    }
    ensure(given.hook_target_arn.is_none() && given.role_arn.is_none(), || {
        "A PAUSE lifecycle hook has neither hookTargetArn nor roleArn.".to_owned()
    })?;
    let names = given.lifecycle_stages.as_deref().unwrap_or_default();
    ensure(!names.is_empty(), || "lifecycleStages of a lifecycle hook can not be empty.".to_owned())?;
    if let Some(name) = names.iter().find(|name| NO_PAUSE.contains(&name.as_str())) {
        return Err(errors::invalid_parameter(format!("A PAUSE lifecycle hook cannot be at the stage {name}.")));
    }
    let stages: Vec<Stage> = names.iter().filter_map(|name| super::super::value(name)).collect();
    let timeout = given.timeout_configuration.as_ref();
    let minutes = timeout.and_then(|timeout| timeout.timeout_in_minutes).unwrap_or(TIMEOUT_MINUTES);
    let action = timeout.and_then(|timeout| timeout.action.as_deref()).and_then(super::super::value);
    Ok(Hook {
        stages,
        timeout_minutes: minutes.unsigned_abs(),
        on_timeout: action.unwrap_or(HookAction::Rollback),
        document: serde_json::to_value(given).expect("a shape of text, numbers and lists is always JSON"),
    })
}

pub(super) fn show(hook: &Hook) -> Option<DeploymentLifecycleHook> {
    DeploymentLifecycleHook::deserialize(&hook.document)
        .inspect_err(|error| tracing::error!(%error, "a stored lifecycle hook is unreadable"))
        .ok()
}
