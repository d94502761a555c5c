//! The deployment strategy and how it shifts traffic.

use super::ensure;
use crate::ecs::errors;
use aws_api::ecs::values::deployment_strategy;
use aws_api::ecs::{CanaryConfiguration, DeploymentConfiguration, LinearConfiguration};
use aws_protocol::ServiceError;
use model::ecs::deployment::DeploymentStrategy;

/// ECS API, LinearConfiguration and CanaryConfiguration.
const LINEAR_STEP: Bounds = Bounds { min: 30, max: 1000, default: 100 };
const CANARY: Bounds = Bounds { min: 1, max: 1000, default: 50 };
const LINEAR_BAKE_MINUTES: i32 = 6;
const CANARY_BAKE_MINUTES: i32 = 10;
const BAKE_MAX: i32 = 1440;

/// In thousandths.
struct Bounds {
    min: u32,
    max: u32,
    default: u32,
}

/// The strategy that holds from now on, given the one that has held.
pub(super) fn strategy(
    base: DeploymentStrategy,
    given: &DeploymentConfiguration,
) -> Result<DeploymentStrategy, ServiceError> {
    let name = given.strategy.as_deref().unwrap_or(name(base));
    let (linear, canary) = (given.linear_configuration.as_ref(), given.canary_configuration.as_ref());
    ensure(linear.is_none() || name == deployment_strategy::LINEAR, || {
        "linearConfiguration can be used only with the deployment strategy LINEAR.".to_owned()
    })?;
    ensure(canary.is_none() || name == deployment_strategy::CANARY, || {
        "canaryConfiguration can be used only with the deployment strategy CANARY.".to_owned()
    })?;
    Ok(match (name, base) {
        (deployment_strategy::ROLLING, _) => DeploymentStrategy::Rolling,
        (deployment_strategy::BLUE_GREEN, _) => DeploymentStrategy::BlueGreen,
        (deployment_strategy::LINEAR, DeploymentStrategy::Linear { .. }) if linear.is_none() => base,
        (deployment_strategy::LINEAR, _) => DeploymentStrategy::Linear {
            step_permille: permille("stepPercent", linear.and_then(|l| l.step_percent), LINEAR_STEP)?,
            step_bake_minutes: minutes(
                "stepBakeTimeInMinutes",
                linear.and_then(|l| l.step_bake_time_in_minutes),
                LINEAR_BAKE_MINUTES,
            )?,
        },
        (deployment_strategy::CANARY, DeploymentStrategy::Canary { .. }) if canary.is_none() => base,
        (deployment_strategy::CANARY, _) => DeploymentStrategy::Canary {
            permille: permille("canaryPercent", canary.and_then(|c| c.canary_percent), CANARY)?,
            bake_minutes: minutes(
                "canaryBakeTimeInMinutes",
                canary.and_then(|c| c.canary_bake_time_in_minutes),
                CANARY_BAKE_MINUTES,
            )?,
        },
        (other, _) => return Err(errors::invalid_parameter(format!("Unknown deployment strategy '{other:.100}'."))),
    })
}

fn name(strategy: DeploymentStrategy) -> &'static str {
    match strategy {
        DeploymentStrategy::Rolling => deployment_strategy::ROLLING,
        DeploymentStrategy::BlueGreen => deployment_strategy::BLUE_GREEN,
        DeploymentStrategy::Linear { .. } => deployment_strategy::LINEAR,
        DeploymentStrategy::Canary { .. } => deployment_strategy::CANARY,
    }
}

/// A percentage in steps of a tenth, in thousandths.
fn permille(field: &str, given: Option<f64>, bounds: Bounds) -> Result<u32, ServiceError> {
    let Some(percent) = given else { return Ok(bounds.default) };
    let tenths = percent * 10.0;
    let is_whole = (tenths - tenths.round()).abs() < 1e-6;
    let fits = tenths.round() >= f64::from(bounds.min) && tenths.round() <= f64::from(bounds.max);
    ensure(is_whole && fits, || {
        format!(
            "{field} must be a multiple of 0.1 between {:.1} and {:.1}, not {percent}.",
            f64::from(bounds.min) / 10.0,
            f64::from(bounds.max) / 10.0
        )
    })?;
    // Within the bounds and whole, so nothing is cut off.
    Ok(tenths.round() as u32)
}

fn minutes(field: &str, given: Option<i32>, default: i32) -> Result<u32, ServiceError> {
    let minutes = given.unwrap_or(default);
    ensure((0..=BAKE_MAX).contains(&minutes), || format!("{field} must be between 0 and {BAKE_MAX}, not {minutes}."))?;
    Ok(minutes.unsigned_abs())
}

/// Adds the strategy to what is shown.
pub(super) fn show(strategy: DeploymentStrategy, shown: DeploymentConfiguration) -> DeploymentConfiguration {
    let percent = |permille: u32| Some(f64::from(permille) / 10.0);
    let shown = DeploymentConfiguration { strategy: Some(name(strategy).to_owned()), ..shown };
    match strategy {
        DeploymentStrategy::Rolling | DeploymentStrategy::BlueGreen => shown,
        DeploymentStrategy::Linear { step_permille, step_bake_minutes } => DeploymentConfiguration {
            linear_configuration: Some(LinearConfiguration {
                step_percent: percent(step_permille),
                step_bake_time_in_minutes: i32::try_from(step_bake_minutes).ok(),
            }),
            ..shown
        },
        DeploymentStrategy::Canary { permille, bake_minutes } => DeploymentConfiguration {
            canary_configuration: Some(CanaryConfiguration {
                canary_percent: percent(permille),
                canary_bake_time_in_minutes: i32::try_from(bake_minutes).ok(),
            }),
            ..shown
        },
    }
}
