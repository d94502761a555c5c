//! The cluster `default`, which exists whenever an installation has started; it is made here and nowhere else.

use model::ecs::{Cluster, ClusterStatus};
use model::{ClusterId, Scope};
use records::{CommitError, Draft, Records};

/// Makes the cluster `default` unless there is an active one. A deleted one comes back empty, as CreateCluster makes it.
pub async fn ensure_default_cluster(records: &Records, scope: &Scope) -> Result<(), CommitError> {
    let id = ClusterId { scope: scope.clone(), name: "default".into() };
    loop {
        let snapshot = records.current();
        let seen = snapshot.clusters.get(&id);
        if seen.is_some_and(|cluster| cluster.status == ClusterStatus::Active) {
            return Ok(());
        }
        let mut draft = Draft::new();
        draft.upsert(&id, seen, &empty(&id, records.now()));
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            answer => return answer.map(drop),
        }
    }
}

/// A new active cluster with nothing set.
pub(super) fn empty(id: &ClusterId, created_at: model::Timestamp) -> Cluster {
    Cluster {
        id: id.clone(),
        created_at,
        status: ClusterStatus::Active,
        tags: Default::default(),
        settings: Default::default(),
        configuration: None,
        service_connect_defaults: None,
        capacity_providers: Vec::new(),
        default_strategy: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn it_is_made_once_and_left_alone_then() {
        let context = testing::context().await;
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        let first = context.records().current();
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        assert_eq!(first.clusters.len(), 1);
        assert_eq!(context.records().current().revision, first.revision);
    }
}
