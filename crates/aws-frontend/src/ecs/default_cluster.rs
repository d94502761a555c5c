//! The cluster `default`, which exists whenever an installation has started.

use super::{account_settings, cluster};
use model::ecs::ClusterStatus;
use model::{ClusterId, Scope};
use records::{CommitError, Draft, Records};

/// Makes the cluster `default` unless there is an active one. A deleted one comes back empty, as CreateCluster makes it.
pub async fn ensure_default_cluster(records: &Records, scope: &Scope) -> Result<(), CommitError> {
    let id = ClusterId { scope: scope.clone(), name: "default".into() };
    loop {
        cluster::forget_memberships(records, &id).await?;
        let snapshot = records.current();
        let seen = snapshot.clusters.get(&id);
        if seen.is_some_and(|cluster| cluster.status == ClusterStatus::Active) {
            return Ok(());
        }
        let made = cluster::empty(&snapshot, &id, account_settings::EVERYBODY, records.now());
        let mut draft = Draft::new();
        draft.upsert(&id, seen, &made);
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            answer => return answer.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::delete_cluster::delete_cluster;
    use crate::testing;
    use aws_api::ecs::DeleteClusterInput;

    #[tokio::test]
    async fn it_is_made_once_and_left_alone_then() {
        let context = testing::context().await;
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        let first = context.records().current();
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        assert_eq!(first.clusters.len(), 1);
        assert_eq!(context.records().current().revision, first.revision);
    }

    #[tokio::test]
    async fn a_deleted_one_is_made_again_at_the_next_start() {
        let context = testing::context().await;
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        delete_cluster(context.clone(), DeleteClusterInput { cluster: Some("default".to_owned()) }).await.unwrap();
        ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        let snapshot = context.records().current();
        let made = snapshot.clusters.values().next().unwrap();
        assert_eq!((made.status, made.inactive_since), (ClusterStatus::Active, None));
    }
}
