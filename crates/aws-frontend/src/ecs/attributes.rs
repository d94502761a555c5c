//! Attributes that users give to container instances: how requests name their targets and what they may be; no operation.

#[cfg(test)]
mod tests;

use super::{arn, errors, instance};
use aws_api::ecs::{Attribute, errors as shapes, values::target_type};
use aws_protocol::ServiceError;
use model::ecs::{Membership, MembershipStatus};
use model::{ClusterId, NodeId, Snapshot};
use std::collections::BTreeMap;

/// ECS API: attributes in one call, and custom ones of one resource.
pub(super) const ATTRIBUTES_MAX: usize = 10;
/// ECS API, Attribute: characters of a name and of a value.
const TEXT_MAX: usize = 128;
/// Names under these are the node's own: what it offers and what it is.
const RESERVED: [&str; 4] = ["ecs.", "com.amazonaws.", "aws:", "bayplan."];

/// One attribute of a request with the node that it is for.
pub(super) struct Target {
    pub node: NodeId,
    pub name: String,
    pub value: Option<String>,
}

/// The attributes of a request, each with its node.
///
/// # Errors
/// InvalidParameterException for no or too many attributes and for names, values and target types that ECS does not take;
/// TargetNotFoundException for a target that is no instance of the cluster.
pub(super) fn targets(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    attributes: &[Attribute],
) -> Result<Vec<Target>, ServiceError> {
    if attributes.is_empty() || attributes.len() > ATTRIBUTES_MAX {
        return Err(errors::invalid_parameter(format!(
            "attributes must have from 1 to {ATTRIBUTES_MAX} items, not {}.",
            attributes.len()
        )));
    }
    attributes.iter().map(|attribute| target(snapshot, cluster, attribute)).collect()
}

fn target(snapshot: &Snapshot, cluster: &ClusterId, attribute: &Attribute) -> Result<Target, ServiceError> {
    let name = attribute.name.as_deref().unwrap_or_default();
    check_name(name)?;
    if let Some(value) = &attribute.value {
        check_value(name, value)?;
    }
    let id = attribute.target_id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(errors::invalid_parameter(format!("The attribute {name} needs a targetId.")));
    }
    match attribute.target_type.as_deref() {
        Some(target_type::CONTAINER_INSTANCE) => {}
        None if id.starts_with("arn:") => {}
        None => return Err(errors::invalid_parameter("A targetId that is no ARN needs a targetType.")),
        Some(_) => return Err(unknown_type()),
    }
    let node = instance::find(snapshot, cluster, id).map(|node| node.id.clone());
    let active = |node: &NodeId| snapshot.membership(cluster, node).status != MembershipStatus::Inactive;
    let node = node.filter(active).ok_or_else(|| {
        let message =
            format!("The target {id:.200} was not found. List the cluster's instances with ListContainerInstances.");
        ServiceError::of(&shapes::TARGET_NOT_FOUND, message)
    })?;
    Ok(Target { node, name: name.to_owned(), value: attribute.value.clone() })
}

pub(super) fn unknown_type() -> ServiceError {
    errors::invalid_parameter(format!("targetType should be one of [{}]", target_type::CONTAINER_INSTANCE))
}

/// ECS API, Attribute.name; and what is the node's own cannot be written.
fn check_name(name: &str) -> Result<(), ServiceError> {
    let taken = |c: char| c.is_ascii_alphanumeric() || "-_./\\".contains(c);
    if !(1..=TEXT_MAX).contains(&name.chars().count()) || !name.chars().all(taken) {
        return Err(errors::invalid_parameter(format!(
            "Invalid attribute name '{name:.200}'. It has from 1 to {TEXT_MAX} letters, digits, and characters of - _ . / \\."
        )));
    }
    if let Some(prefix) = RESERVED.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(errors::invalid_parameter(format!(
            "The attribute {name} cannot be changed: names that begin with '{prefix}' belong to the instance itself."
        )));
    }
    Ok(())
}

/// ECS API, Attribute.value.
fn check_value(name: &str, value: &str) -> Result<(), ServiceError> {
    let taken = |c: char| c.is_ascii_alphanumeric() || "-_./\\@: ".contains(c);
    let fits = (1..=TEXT_MAX).contains(&value.chars().count()) && value.trim() == value;
    if fits && value.chars().all(taken) {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!(
        "Invalid value of the attribute {name}. It has from 1 to {TEXT_MAX} letters, digits, spaces inside, and characters of \
         - _ . @ : / \\."
    )))
}

/// The memberships that a request is about, to be changed and written.
pub(super) fn memberships(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    targets: &[Target],
) -> BTreeMap<NodeId, Membership> {
    targets.iter().map(|t| (t.node.clone(), (*snapshot.membership(cluster, &t.node)).clone())).collect()
}

/// Attributes as the writing operations show them: with the ARN of their target.
pub(super) fn show(cluster: &ClusterId, targets: Vec<Target>) -> Vec<Attribute> {
    let attribute = |target: Target| Attribute {
        name: Some(target.name),
        value: target.value,
        target_type: None,
        target_id: Some(arn::container_instance(cluster, &instance::instance_id(cluster, &target.node))),
    };
    targets.into_iter().map(attribute).collect()
}
