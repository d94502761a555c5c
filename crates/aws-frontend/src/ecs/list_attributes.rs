//! ListAttributes: what the container instances of a cluster have, built in and custom, by instance and name, in pages.

use super::describe_container_instances::seen_attributes;
use super::task::reference;
use super::{arn, attributes, errors, instance};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{Attribute, ListAttributesInput, ListAttributesOutput, values::target_type};
use aws_protocol::ServiceError;
use model::ecs::MembershipStatus;
use model::node::Node;
use model::{ClusterId, Snapshot};

/// ECS API: at most 100 a page, which is also the default.
const PAGE_MAX: i32 = 100;

pub(crate) async fn list_attributes(
    context: Context,
    input: ListAttributesInput,
) -> Result<ListAttributesOutput, ServiceError> {
    if input.target_type.as_deref() != Some(target_type::CONTAINER_INSTANCE) {
        return Err(attributes::unknown_type());
    }
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let (name, value) = (input.attribute_name.as_deref(), input.attribute_value.as_deref());
    if value.is_some() && name.is_none() {
        return Err(errors::invalid_parameter("A filter by attributeValue needs an attributeName too."));
    }
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let nodes = snapshot.nodes.values();
    let mut listed: Vec<Attribute> = nodes.flat_map(|node| of_node(&snapshot, cluster, node)).collect();
    listed.retain(|found| name.is_none_or(|name| found.name.as_deref() == Some(name)));
    listed.retain(|found| value.is_none_or(|value| found.value.as_deref() == Some(value)));
    listed.sort_by_cached_key(key);
    let token_scope =
        format!("ListAttributes {} {} {}", cluster.name, name.unwrap_or_default(), value.unwrap_or_default());
    let page = page::cut(&token_scope, listed, key, input.next_token.as_deref(), limit.unsigned_abs() as usize)
        .map_err(|_| errors::bad_token())?;
    Ok(ListAttributesOutput { attributes: Some(page.items), next_token: page.next_token })
}

fn key(attribute: &Attribute) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{} {}", text(&attribute.target_id), text(&attribute.name))
}

/// All that a cluster sees of a node; nothing of a deregistered one.
fn of_node(snapshot: &Snapshot, cluster: &ClusterId, node: &Node) -> Vec<Attribute> {
    let membership = snapshot.membership(cluster, &node.id);
    if membership.status == MembershipStatus::Inactive {
        return Vec::new();
    }
    let target = arn::container_instance(cluster, &instance::instance_id(cluster, &node.id));
    let attribute = |(name, value): (&str, Option<&str>)| Attribute {
        name: Some(name.to_owned()),
        value: value.map(str::to_owned),
        target_type: Some(target_type::CONTAINER_INSTANCE.to_owned()),
        target_id: Some(target.clone()),
    };
    seen_attributes(node, &membership).into_iter().map(attribute).collect()
}
