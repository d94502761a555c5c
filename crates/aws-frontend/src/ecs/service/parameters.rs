//! Parameters that CreateService and UpdateService have in common: what they may be, and what cannot be asked yet.

use crate::ecs::errors;
use aws_api::ecs::{MonitoringConfiguration, NetworkConfiguration, ServiceConnectConfiguration};
use aws_protocol::ServiceError;
use model::ecs::LaunchType;
use model::ecs::deployment::DeploymentConfiguration;
use model::ecs::service::{Controller, SchedulingStrategy, Service};
use model::unit::{Constraint, Strategy};
use serde_json::Value;

/// ECS API, CreateService: characters of a name.
const NAME_MAX: usize = 255;
/// Developer Guide, "Amazon ECS service quotas": tasks of a service.
const DESIRED_MAX: i32 = 5000;
const ZONE: &str = "ecs.availability-zone";

/// Whether a parameter that needs something which is not there was given, with what to say then.
pub(in crate::ecs) type Unbuilt = (bool, &'static str);

pub(in crate::ecs) const LOAD_BALANCERS: &str =
    "loadBalancers is not supported: Bayplan has no load balancers for services yet. Leave it out.";
pub(in crate::ecs) const SERVICE_REGISTRIES: &str =
    "serviceRegistries is not supported: Bayplan has no service discovery yet. Leave it out.";
pub(in crate::ecs) const SERVICE_CONNECT: &str =
    "serviceConnectConfiguration is not supported: Bayplan has no Service Connect yet. Leave it out or disable it.";
pub(in crate::ecs) const VOLUMES: &str = "volumeConfigurations is not supported: Bayplan has no EBS volumes. Use a host or \
     docker volume in the task definition.";
pub(in crate::ecs) const LATTICE: &str =
    "vpcLatticeConfigurations is not supported: Bayplan has no VPC Lattice. Leave it out.";
pub(in crate::ecs) const GATEWAYS: &str =
    "gatewayConnectors is not supported: Bayplan has no gateways yet. Leave it out.";
pub(in crate::ecs) const MONITORING: &str =
    "monitoring is not supported: Bayplan keeps no metrics of services yet. Leave it out.";

/// # Errors
/// ClientException for the first that was given.
pub(in crate::ecs) fn refuse_unbuilt(parameters: &[Unbuilt]) -> Result<(), ServiceError> {
    match parameters.iter().find(|(given, _)| *given) {
        Some((_, message)) => Err(errors::client(*message)),
        None => Ok(()),
    }
}

pub(in crate::ecs) fn some_of<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

pub(in crate::ecs) fn connects(given: &Option<ServiceConnectConfiguration>) -> bool {
    given.as_ref().is_some_and(|connect| connect.enabled == Some(true))
}

pub(in crate::ecs) fn monitors(given: &Option<MonitoringConfiguration>) -> bool {
    given.as_ref().is_some_and(|monitoring| some_of(&monitoring.metric_configurations))
}

pub(in crate::ecs) fn name(given: Option<&str>) -> Result<&str, ServiceError> {
    let name = given.unwrap_or_default();
    let is_fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    ensure((1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_fine), || {
        format!(
            "serviceName must have from 1 to {NAME_MAX} letters, digits, hyphens and underscores, not '{name:.300}'."
        )
    })?;
    Ok(name)
}

pub(in crate::ecs) fn desired_count(
    given: Option<i32>,
    scheduling: SchedulingStrategy,
) -> Result<Option<u32>, ServiceError> {
    let Some(count) = given else { return Ok(None) };
    ensure(scheduling == SchedulingStrategy::Replica, || {
        "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and \
         try again"
            .to_owned()
    })?;
    ensure((0..=DESIRED_MAX).contains(&count), || {
        format!("desiredCount must be between 0 and {DESIRED_MAX}, not {count}.")
    })?;
    Ok(Some(count.unsigned_abs()))
}

pub(in crate::ecs) fn grace_s(given: Option<i32>) -> Result<Option<u32>, ServiceError> {
    ensure(given.is_none_or(|seconds| seconds >= 0), || {
        "healthCheckGracePeriodSeconds must not be negative.".to_owned()
    })?;
    Ok(given.map(i32::unsigned_abs))
}

/// Constraints and strategies that go with how the tasks are scheduled.
pub(in crate::ecs) fn placement(
    scheduling: SchedulingStrategy,
    launch_type: Option<LaunchType>,
    constraints: &[Constraint],
    strategy: &[Strategy],
) -> Result<(), ServiceError> {
    ensure(launch_type != Some(LaunchType::Fargate) || constraints.is_empty(), || {
        "Placement constraints are not supported with FARGATE launch type.".to_owned()
    })?;
    ensure(launch_type != Some(LaunchType::Fargate) || strategy.is_empty(), || {
        "Placement strategies are not supported with FARGATE launch type.".to_owned()
    })?;
    ensure(scheduling == SchedulingStrategy::Replica || strategy.is_empty(), || {
        "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again"
            .to_owned()
    })?;
    ensure(launch_type != Some(LaunchType::External) || strategy.is_empty(), || {
        "Placement strategies are not supported with EXTERNAL launch type.".to_owned()
    })
}

/// Whether tasks may run so: on each instance only where there are instances that the cluster shows.
pub(in crate::ecs) fn scheduling(
    scheduling: SchedulingStrategy,
    launch_type: LaunchType,
    by_strategy: bool,
) -> Result<(), ServiceError> {
    if scheduling == SchedulingStrategy::Replica {
        return Ok(());
    }
    ensure(!by_strategy, || {
        "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling \
         strategy."
            .to_owned()
    })?;
    ensure(launch_type == LaunchType::Ec2, || {
        "The daemon scheduling strategy is supported only with the EC2 launch type.".to_owned()
    })
}

/// Why a service cannot be kept even over zones (Developer Guide, "Balancing an Amazon ECS service across Availability Zones").
pub(in crate::ecs) fn no_rebalancing(
    controller: Controller,
    scheduling: SchedulingStrategy,
    launch_type: Option<LaunchType>,
    configuration: &DeploymentConfiguration,
    constraints: &[Constraint],
    strategy: &[Strategy],
) -> Option<&'static str> {
    let spreads = match strategy.first() {
        None => true,
        Some(Strategy::Spread { field }) => field.strip_prefix("attribute:") == Some(ZONE),
        Some(_) => false,
    };
    let names_zone = |constraint: &Constraint| match constraint {
        Constraint::MemberOf { expression } => expression.contains(ZONE),
        Constraint::DistinctInstance => false,
    };
    [
        (controller != Controller::Ecs, "the deployment controller is not ECS"),
        (scheduling == SchedulingStrategy::Daemon, "it uses the daemon scheduling strategy"),
        (launch_type == Some(LaunchType::External), "it uses the EXTERNAL launch type"),
        (configuration.maximum_percent <= 100, "maximumPercent is not above 100"),
        (!spreads, "its first placement strategy is not spread over attribute:ecs.availability-zone"),
        (constraints.iter().any(names_zone), "a placement constraint names ecs.availability-zone"),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

/// # Errors
/// InvalidParameterException if the service is to be kept even over zones and cannot be.
pub(in crate::ecs) fn check_rebalancing(
    service: &Service,
    launch_type: Option<LaunchType>,
) -> Result<(), ServiceError> {
    let why = no_rebalancing(
        service.controller,
        service.scheduling,
        launch_type,
        &service.configuration,
        &service.constraints,
        &service.strategy,
    );
    match why.filter(|_| service.zone_rebalancing) {
        Some(why) => Err(errors::invalid_parameter(format!(
            "The service cannot use availabilityZoneRebalancing because {why}. Set availabilityZoneRebalancing to DISABLED \
             or change that."
        ))),
        None => Ok(()),
    }
}

/// As it is stored, with what ECS adds. Whether it fits is found out with the task definition.
pub(in crate::ecs) fn network(given: Option<&NetworkConfiguration>) -> Option<Value> {
    let mut network = given.filter(|given| given.awsvpc_configuration.is_some())?.clone();
    if let Some(vpc) = &mut network.awsvpc_configuration {
        vpc.security_groups.get_or_insert_default();
        vpc.assign_public_ip.get_or_insert_with(|| "DISABLED".to_owned());
    }
    Some(serde_json::to_value(network).expect("a shape of text and lists is always JSON"))
}

fn ensure(fine: bool, message: impl FnOnce() -> String) -> Result<(), ServiceError> {
    if fine { Ok(()) } else { Err(errors::invalid_parameter(message())) }
}
