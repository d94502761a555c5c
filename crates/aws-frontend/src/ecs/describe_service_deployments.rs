//! DescribeServiceDeployments: up to 20 deployments by ARN, each found or reported MISSING; all from one snapshot.

use super::errors;
use super::service::rollout;
use crate::context::Context;
use aws_api::ecs::{DescribeServiceDeploymentsInput, DescribeServiceDeploymentsOutput, Failure};
use aws_protocol::ServiceError;

/// ECS API.
const ARNS_MAX: usize = 20;

pub(crate) async fn describe_service_deployments(
    context: Context,
    input: DescribeServiceDeploymentsInput,
) -> Result<DescribeServiceDeploymentsOutput, ServiceError> {
    let arns = input.service_deployment_arns.unwrap_or_default();
    if arns.is_empty() || arns.len() > ARNS_MAX {
        return Err(errors::invalid_parameter(format!(
            "serviceDeploymentArns must have from 1 to {ARNS_MAX} items, not {}.",
            arns.len()
        )));
    }
    let snapshot = context.records().current();
    let (mut found, mut failures) = (Vec::with_capacity(arns.len()), Vec::new());
    for arn in arns {
        match rollout::find(&snapshot, context.scope(), &arn) {
            Some(deployment) => found.push(rollout::whole(&snapshot, deployment)),
            None => failures.push(Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }),
        }
    }
    Ok(DescribeServiceDeploymentsOutput { service_deployments: Some(found), failures: Some(failures) })
}

#[cfg(test)]
mod tests;
