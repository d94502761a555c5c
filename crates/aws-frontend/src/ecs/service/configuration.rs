//! deploymentConfiguration: what of it can be, its defaults, and how it is shown.

mod hooks;
mod traffic;

use super::word;
use crate::ecs::errors;
use aws_api::ecs::{self, DeploymentAlarms, DeploymentCircuitBreaker, DeploymentEarlySuccessCriteria};
use aws_protocol::ServiceError;
use model::ecs::deployment::{
    Alarms, Breaker, DeploymentConfiguration, DeploymentStrategy, EarlySuccess, Threshold, ThresholdKind,
};
use model::ecs::service::{Controller, SchedulingStrategy};

/// ECS API, DeploymentConfiguration: minutes.
const BAKE_MAX: i32 = 1440;

/// What holds while nothing is said.
pub(in crate::ecs) fn default(scheduling: SchedulingStrategy) -> DeploymentConfiguration {
    let (maximum_percent, minimum_healthy_percent) = match scheduling {
        SchedulingStrategy::Replica => (200, 100),
        SchedulingStrategy::Daemon => (100, 0),
    };
    DeploymentConfiguration {
        strategy: DeploymentStrategy::Rolling,
        maximum_percent,
        minimum_healthy_percent,
        breaker: None,
        alarms: None,
        bake_minutes: None,
        hooks: Vec::new(),
        early_success: None,
    }
}

/// A configuration with what is given of another in it; what is not given stays.
///
/// # Errors
/// InvalidParameterException for values out of bounds, parts that do not go together or not with the service, and
/// ClientException for hooks that cannot be called.
pub(in crate::ecs) fn merge(
    base: &DeploymentConfiguration,
    given: &ecs::DeploymentConfiguration,
    controller: Controller,
    scheduling: SchedulingStrategy,
) -> Result<DeploymentConfiguration, ServiceError> {
    let strategy = traffic::strategy(base.strategy, given)?;
    let merged = DeploymentConfiguration {
        strategy,
        maximum_percent: number("maximumPercent", given.maximum_percent, i32::MAX)?.unwrap_or(base.maximum_percent),
        minimum_healthy_percent: number("minimumHealthyPercent", given.minimum_healthy_percent, 100)?
            .unwrap_or(base.minimum_healthy_percent),
        breaker: given.deployment_circuit_breaker.as_ref().map(breaker).transpose()?.or_else(|| base.breaker.clone()),
        alarms: given.alarms.as_ref().map(alarms).transpose()?.or_else(|| base.alarms.clone()),
        bake_minutes: number("bakeTimeInMinutes", given.bake_time_in_minutes, BAKE_MAX)?.or(base.bake_minutes),
        hooks: given.lifecycle_hooks.as_deref().map_or_else(|| Ok(base.hooks.clone()), hooks::read)?,
        early_success: given
            .early_success_criteria
            .as_ref()
            .map(early_success)
            .transpose()?
            .or_else(|| base.early_success.clone()),
    };
    fits(&merged, controller, scheduling)?;
    Ok(merged)
}

/// Whether the parts go together.
fn fits(
    merged: &DeploymentConfiguration,
    controller: Controller,
    scheduling: SchedulingStrategy,
) -> Result<(), ServiceError> {
    let is_rolling = merged.strategy == DeploymentStrategy::Rolling;
    if scheduling == SchedulingStrategy::Daemon {
        ensure(merged.maximum_percent <= 100, || {
            "The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment \
             configuration. Change the maximumPercent value to 100, and try again"
                .to_owned()
        })?;
        ensure(is_rolling, || {
            "The daemon scheduling strategy supports only the deployment strategy ROLLING.".to_owned()
        })?;
    }
    ensure(merged.maximum_percent != 100 || merged.minimum_healthy_percent != 100, || {
        "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.".to_owned()
    })?;
    ensure(merged.maximum_percent >= merged.minimum_healthy_percent, || {
        format!(
            "maximumPercent, {}, cannot be below minimumHealthyPercent, {}.",
            merged.maximum_percent, merged.minimum_healthy_percent
        )
    })?;
    if controller != Controller::Ecs {
        let beyond = merged.breaker.is_some() || merged.alarms.is_some() || !merged.hooks.is_empty() || !is_rolling;
        ensure(!beyond && merged.early_success.is_none(), || {
            "deploymentConfiguration can have only maximumPercent and minimumHealthyPercent where the deployment controller \
             is not ECS."
                .to_owned()
        })?;
    }
    let Some(early) = merged.early_success.as_ref().filter(|early| early.enable) else { return Ok(()) };
    ensure(is_rolling, || "earlySuccessCriteria can be used only with the deployment strategy ROLLING.".to_owned())?;
    let share = early.healthy_percent.unwrap_or(merged.minimum_healthy_percent);
    ensure(share >= merged.minimum_healthy_percent, || {
        format!(
            "earlySuccessCriteria.healthyPercent must be at least minimumHealthyPercent, {}, not {share}.",
            merged.minimum_healthy_percent
        )
    })
}

fn breaker(given: &DeploymentCircuitBreaker) -> Result<Breaker, ServiceError> {
    let threshold = given.threshold_configuration.as_ref().map(|threshold| {
        let kind = threshold.r#type.as_deref().and_then(super::value).unwrap_or(ThresholdKind::BoundedPercent);
        let max = if kind == ThresholdKind::Count { i32::MAX } else { 100 };
        let value = threshold.value.unwrap_or(0);
        ensure((1..=max).contains(&value), || {
            format!("deploymentCircuitBreaker.thresholdConfiguration.value must be between 1 and {max}, not {value}.")
        })?;
        Ok(Threshold { kind, value: value.unsigned_abs() })
    });
    Ok(Breaker {
        enable: given.enable.unwrap_or(false),
        rollback: given.rollback.unwrap_or(false),
        reset_on_healthy_task: given.reset_on_healthy_task.unwrap_or(true),
        threshold: threshold.transpose()?,
        reset_given: given.reset_on_healthy_task.is_some(),
    })
}

fn alarms(given: &DeploymentAlarms) -> Result<Alarms, ServiceError> {
    let names = given.alarm_names.clone().unwrap_or_default();
    let enable = given.enable.unwrap_or(false);
    ensure(!enable || !names.is_empty(), || "alarms.alarmNames can not be empty where alarms are enabled.".to_owned())?;
    ensure(names.iter().all(|name| !name.is_empty()), || "An alarm's name can not be blank.".to_owned())?;
    Ok(Alarms { enable, rollback: given.rollback.unwrap_or(false), names })
}

fn early_success(given: &DeploymentEarlySuccessCriteria) -> Result<EarlySuccess, ServiceError> {
    let enable = given.enable.unwrap_or(false);
    let is_whole = given.healthy_percent.is_some() && given.source_service_revision_cleanup.is_some();
    ensure(!enable || is_whole, || {
        "earlySuccessCriteria needs healthyPercent and sourceServiceRevisionCleanup where it is enabled.".to_owned()
    })?;
    Ok(EarlySuccess {
        enable,
        healthy_percent: number("earlySuccessCriteria.healthyPercent", given.healthy_percent, 100)?,
        clean_up: given.source_service_revision_cleanup.as_deref().and_then(super::value),
    })
}

/// As ECS shows it: what only its own controller uses is hidden with another.
pub(super) fn show(stored: &DeploymentConfiguration, controller: Controller) -> ecs::DeploymentConfiguration {
    let percent = |value: u32| i32::try_from(value).ok();
    let bounds = ecs::DeploymentConfiguration {
        maximum_percent: percent(stored.maximum_percent),
        minimum_healthy_percent: percent(stored.minimum_healthy_percent),
        ..Default::default()
    };
    if controller != Controller::Ecs {
        return bounds;
    }
    ecs::DeploymentConfiguration {
        deployment_circuit_breaker: Some(show_breaker(stored.breaker.as_ref())),
        alarms: stored.alarms.as_ref().map(|alarms| DeploymentAlarms {
            alarm_names: Some(alarms.names.clone()),
            rollback: Some(alarms.rollback),
            enable: Some(alarms.enable),
        }),
        bake_time_in_minutes: percent(stored.bake_minutes.unwrap_or(0)),
        lifecycle_hooks: (!stored.hooks.is_empty()).then(|| stored.hooks.iter().filter_map(hooks::show).collect()),
        early_success_criteria: stored.early_success.as_ref().map(|early| DeploymentEarlySuccessCriteria {
            enable: Some(early.enable),
            healthy_percent: early.healthy_percent.and_then(percent),
            source_service_revision_cleanup: early.clean_up.and_then(word),
        }),
        ..traffic::show(stored.strategy, bounds)
    }
}

fn show_breaker(stored: Option<&Breaker>) -> DeploymentCircuitBreaker {
    DeploymentCircuitBreaker {
        enable: Some(stored.is_some_and(|breaker| breaker.enable)),
        rollback: Some(stored.is_some_and(|breaker| breaker.rollback)),
        reset_on_healthy_task: stored.filter(|b| b.reset_given).map(|breaker| breaker.reset_on_healthy_task),
        threshold_configuration: stored.and_then(|breaker| breaker.threshold).map(|threshold| {
            ecs::ThresholdConfiguration { r#type: word(threshold.kind), value: i32::try_from(threshold.value).ok() }
        }),
    }
}

/// A number from 0 to `max`.
fn number(field: &str, given: Option<i32>, max: i32) -> Result<Option<u32>, ServiceError> {
    let fits = given.is_none_or(|value| (0..=max).contains(&value));
    ensure(fits, || {
        format!("deploymentConfiguration.{field} must be between 0 and {max}, not {}.", given.unwrap_or_default())
    })?;
    Ok(given.map(i32::unsigned_abs))
}

fn ensure(fine: bool, message: impl FnOnce() -> String) -> Result<(), ServiceError> {
    if fine { Ok(()) } else { Err(errors::invalid_parameter(message())) }
}
