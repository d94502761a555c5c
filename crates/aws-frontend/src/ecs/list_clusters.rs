//! ListClusters: the ARNs of the active clusters, in pages.

use super::{arn, errors};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{ListClustersInput, ListClustersOutput};
use aws_protocol::ServiceError;
use model::ecs::ClusterStatus;

/// ECS API: at most 100 a page, which is also the default.
const PAGE_MAX: i32 = 100;

pub(crate) async fn list_clusters(
    context: Context,
    input: ListClustersInput,
) -> Result<ListClustersOutput, ServiceError> {
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let snapshot = context.records().current();
    let clusters =
        snapshot.clusters.values().filter(|c| c.status == ClusterStatus::Active).map(|c| arn::cluster(&c.id));
    let page = page::cut("ListClusters", clusters, Clone::clone, input.next_token.as_deref(), limit as usize)
        .map_err(|_| errors::bad_token())?;
    Ok(ListClustersOutput { cluster_arns: Some(page.items), next_token: page.next_token })
}
