//! What the operations on clusters share: a new one, what holds one, and the rules for its parts; no operation.

pub(super) mod configuration;
pub(super) mod settings;
#[cfg(test)]
mod tests;

use super::{account_settings, task};
use model::ecs::{Cluster, ClusterStatus};
use model::unit::Unit;
use model::{ClusterId, Snapshot, Timestamp};
use records::{CommitError, Draft, Records};

/// A new active cluster with nothing set but what the account says of all.
pub(super) fn empty(snapshot: &Snapshot, id: &ClusterId, principal: &str, created_at: Timestamp) -> Cluster {
    let insights = account_settings::setting(snapshot, &id.scope, principal, settings::CONTAINER_INSIGHTS);
    Cluster {
        id: id.clone(),
        created_at,
        status: ClusterStatus::Active,
        inactive_since: None,
        tags: Default::default(),
        settings: [(settings::CONTAINER_INSIGHTS.to_owned(), insights.to_owned())].into(),
        configuration: None,
        service_connect_defaults: None,
        capacity_providers: Vec::new(),
        default_strategy: Vec::new(),
    }
}

/// A task that holds its cluster: it runs, is to run, or is being stopped.
pub(super) fn is_live(unit: &Unit) -> bool {
    task::reference::is_task(unit) && !task::is_over(unit)
}

/// Deletes what a deleted cluster kept of its nodes, so that one made anew under its name starts without it.
/// Does nothing for an active cluster.
pub(super) async fn forget_memberships(records: &Records, id: &ClusterId) -> Result<(), CommitError> {
    while let Some(draft) = some_memberships(&records.current(), id) {
        match records.commit(draft).await {
            Ok(_) | Err(CommitError::Conflict) => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The deletion of as many memberships of a deleted cluster as fit into a commit; None if there is nothing to delete.
fn some_memberships(snapshot: &Snapshot, id: &ClusterId) -> Option<Draft> {
    let cluster = snapshot.clusters.get(id).filter(|cluster| cluster.status == ClusterStatus::Inactive)?;
    let mut left = snapshot.memberships.iter().filter(|((of, _), _)| of == id).peekable();
    left.peek()?;
    let mut draft = Draft::new();
    draft.expect(id, cluster);
    for (key, membership) in left.take(draft.room()) {
        draft.delete(key, membership);
    }
    Some(draft)
}
