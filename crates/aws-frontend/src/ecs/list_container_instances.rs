//! ListContainerInstances: the ARNs of a cluster's nodes by state and by an expression of the cluster query language.

use super::task::reference;
use super::{arn, errors, instance};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{
    ListContainerInstancesInput, ListContainerInstancesOutput, values::container_instance_status as status,
};
use aws_protocol::ServiceError;
use model::ecs::MembershipStatus;
use model::query::{Member, Query};

/// ECS API: at most 100 a page, which is also the default.
const PAGE_MAX: i32 = 100;

/// Without a status everything but the deregistered ones is listed, which no status asks for.
pub(crate) async fn list_container_instances(
    context: Context,
    input: ListContainerInstancesInput,
) -> Result<ListContainerInstancesOutput, ServiceError> {
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let asked = input.status.as_deref().map(known_status).transpose()?;
    let filter = input.filter.as_deref().filter(|filter| !filter.is_empty());
    let query = filter.map(Query::parse).transpose().map_err(|problem| {
        errors::invalid_parameter(format!("Invalid filter: {problem}. See the cluster query language."))
    })?;
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let listed = snapshot.nodes.keys().filter(|node| match snapshot.membership(cluster, node).status {
        MembershipStatus::Active => asked.is_none_or(|asked| asked == status::ACTIVE),
        MembershipStatus::Draining => asked.is_none_or(|asked| asked == status::DRAINING),
        MembershipStatus::Inactive => false,
    });
    let listed = listed.filter(|node| {
        let member = || Member::of(&snapshot, cluster, node);
        query.as_ref().is_none_or(|query| member().is_some_and(|member| query.matches(&member)))
    });
    let mut arns: Vec<String> =
        listed.map(|node| arn::container_instance(cluster, &instance::instance_id(cluster, node))).collect();
    arns.sort_unstable();
    let token_scope =
        format!("ListContainerInstances {} {} {}", cluster.name, asked.unwrap_or_default(), filter.unwrap_or_default());
    let page = page::cut(&token_scope, arns, Clone::clone, input.next_token.as_deref(), limit.unsigned_abs() as usize)
        .map_err(|_| errors::bad_token())?;
    Ok(ListContainerInstancesOutput { container_instance_arns: Some(page.items), next_token: page.next_token })
}

fn known_status(asked: &str) -> Result<&str, ServiceError> {
    if status::VALUES.contains(&asked) {
        return Ok(asked);
    }
    Err(errors::invalid_parameter(format!("status should be one of [{}]", status::VALUES.join(","))))
}
