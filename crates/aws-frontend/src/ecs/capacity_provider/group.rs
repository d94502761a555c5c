//! What a capacity provider says of its Auto Scaling group: ECS's defaults, and what has to fit together.

use crate::ecs::errors;
use aws_api::ecs::{AutoScalingGroupProvider, AutoScalingGroupProviderUpdate, ManagedScaling, values};
use aws_protocol::ServiceError;
use values::{managed_draining, managed_scaling_status as scaling, managed_termination_protection as protection};

/// ECS API, ManagedScaling: what holds where nothing is said.
const TARGET_CAPACITY: i32 = 100;
const STEP_MIN: i32 = 1;
const STEP_MAX: i32 = 10_000;
const WARMUP_S: i32 = 300;

/// A new provider's document with ECS's defaults filled in. Scaling that is not spoken of is off.
///
/// # Errors
/// InvalidParameterException where its parts contradict each other; the bounds of each are the model's.
pub(in crate::ecs) fn complete(given: &AutoScalingGroupProvider) -> Result<AutoScalingGroupProvider, ServiceError> {
    if given.auto_scaling_group_arn.as_deref().unwrap_or_default().is_empty() {
        return Err(errors::invalid_parameter("autoScalingGroupArn can not be blank."));
    }
    let off = ManagedScaling { status: Some(scaling::DISABLED.to_owned()), ..Default::default() };
    let asked = given.managed_scaling.clone().unwrap_or(off);
    let provider = AutoScalingGroupProvider {
        auto_scaling_group_arn: given.auto_scaling_group_arn.clone(),
        managed_scaling: Some(fill(asked)),
        managed_termination_protection: or(&given.managed_termination_protection, protection::DISABLED),
        managed_draining: or(&given.managed_draining, managed_draining::ENABLED),
    };
    check(&provider)?;
    Ok(provider)
}

/// A provider's document after a change: what the change does not speak of stays.
pub(in crate::ecs) fn merge(
    old: AutoScalingGroupProvider,
    change: &AutoScalingGroupProviderUpdate,
) -> Result<AutoScalingGroupProvider, ServiceError> {
    let before = old.managed_scaling.unwrap_or_default();
    let asked = change.managed_scaling.clone().unwrap_or_default();
    let managed_scaling = ManagedScaling {
        status: asked.status.or(before.status),
        target_capacity: asked.target_capacity.or(before.target_capacity),
        minimum_scaling_step_size: asked.minimum_scaling_step_size.or(before.minimum_scaling_step_size),
        maximum_scaling_step_size: asked.maximum_scaling_step_size.or(before.maximum_scaling_step_size),
        instance_warmup_period: asked.instance_warmup_period.or(before.instance_warmup_period),
    };
    let protection = change.managed_termination_protection.clone();
    let provider = AutoScalingGroupProvider {
        managed_scaling: Some(fill(managed_scaling)),
        managed_termination_protection: protection.or(old.managed_termination_protection),
        managed_draining: change.managed_draining.clone().or(old.managed_draining),
        auto_scaling_group_arn: old.auto_scaling_group_arn,
    };
    check(&provider)?;
    Ok(provider)
}

fn fill(asked: ManagedScaling) -> ManagedScaling {
    ManagedScaling {
        status: or(&asked.status, scaling::ENABLED),
        target_capacity: asked.target_capacity.or(Some(TARGET_CAPACITY)),
        minimum_scaling_step_size: asked.minimum_scaling_step_size.or(Some(STEP_MIN)),
        maximum_scaling_step_size: asked.maximum_scaling_step_size.or(Some(STEP_MAX)),
        instance_warmup_period: asked.instance_warmup_period.or(Some(WARMUP_S)),
    }
}

fn or(given: &Option<String>, default: &str) -> Option<String> {
    Some(given.as_deref().unwrap_or(default).to_owned())
}

fn check(provider: &AutoScalingGroupProvider) -> Result<(), ServiceError> {
    let managed = provider.managed_scaling.clone().unwrap_or_default();
    let protected = provider.managed_termination_protection.as_deref() == Some(protection::ENABLED);
    // ECS API, AutoScalingGroupProvider: the one does not work without the other.
    if protected && managed.status.as_deref() != Some(scaling::ENABLED) {
        return Err(errors::invalid_parameter(
            "managedTerminationProtection can be ENABLED only where managedScaling is ENABLED.",
        ));
    }
    if managed.minimum_scaling_step_size > managed.maximum_scaling_step_size {
        return Err(errors::invalid_parameter("minimumScalingStepSize cannot be above maximumScalingStepSize."));
    }
    Ok(())
}
