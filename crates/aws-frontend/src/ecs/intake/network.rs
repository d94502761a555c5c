//! The networkConfiguration of a task: whether it belongs there, and whether what it names exists.

use crate::ecs::errors;
use aws_api::ecs::NetworkConfiguration;
use aws_protocol::ServiceError;
use model::ecs::LaunchType;
use model::{Scope, Snapshot};
use std::sync::Arc;

/// ECS API, AwsVpcConfiguration.
const SUBNETS_MAX: usize = 16;
const SECURITY_GROUPS_MAX: usize = 5;

/// What a task may take its address from.
#[derive(Default, PartialEq, Debug)]
pub(super) struct Wanted {
    pub(super) subnets: Vec<Arc<str>>,
    pub(super) security_groups: Vec<Arc<str>>,
    pub(super) assign_public_ip: bool,
}

/// Checks a configuration against the network mode (`own_address` is awsvpc) and the scope's Network.
pub(super) fn check(
    snapshot: &Snapshot,
    scope: &Scope,
    own_address: bool,
    launch_type: LaunchType,
    given: Option<&NetworkConfiguration>,
) -> Result<Wanted, ServiceError> {
    let refuse = |message: String| Err(errors::invalid_parameter(message));
    let given = given.and_then(|given| given.awsvpc_configuration.as_ref());
    let given = match (own_address, given) {
        (false, None) => return Ok(Wanted::default()),
        (false, Some(_)) => {
            return refuse(
                "Network Configuration is not valid for the given networkMode of this task definition.".into(),
            );
        }
        (true, None) => {
            return refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.".into());
        }
        (true, Some(given)) => given,
    };
    let subnets = given.subnets.as_deref().unwrap_or_default();
    let groups = given.security_groups.as_deref().unwrap_or_default();
    if subnets.is_empty() {
        return refuse("subnets can not be empty.".into());
    }
    if subnets.len() > SUBNETS_MAX {
        return refuse(format!("subnets can have at most {SUBNETS_MAX} items."));
    }
    if groups.len() > SECURITY_GROUPS_MAX {
        return refuse(format!("securityGroups can have at most {SECURITY_GROUPS_MAX} items."));
    }
    let network = snapshot.networks.get(scope);
    if let Some(id) = subnets.iter().find(|id| network.is_none_or(|network| network.subnet(id).is_none())) {
        return refuse(format!(
            "Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
        ));
    }
    if let Some(id) = groups.iter().find(|id| network.is_none_or(|n| *n.default_security_group != ***id)) {
        return refuse(format!(
            "Error retrieving security group information for [{id}]: The security group '{id}' does not exist (ErrorCode: InvalidGroup.NotFound)"
        ));
    }
    let assign_public_ip = given.assign_public_ip.as_deref() == Some("ENABLED");
    if assign_public_ip && launch_type != LaunchType::Fargate {
        return refuse("Assign public IP is not supported for this launch type.".into());
    }
    let default_group = || network.map(|network| network.default_security_group.clone()).into_iter().collect();
    Ok(Wanted {
        subnets: subnets.iter().map(|id| id.as_str().into()).collect(),
        security_groups: match groups {
            [] => default_group(),
            groups => groups.iter().map(|id| id.as_str().into()).collect(),
        },
        assign_public_ip,
    })
}
