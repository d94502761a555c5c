//! Which nodes hold a session, and their records of it: a farewell that is stored late never undoes a newer join.

use model::{Node, NodeId};
use records::{CommitError, Draft, Records};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;

/// The wait before a farewell that could not be stored is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Presence {
    here: Mutex<BTreeSet<NodeId>>,
    /// Held while a join or a farewell is decided and stored.
    writing: AsyncMutex<()>,
}

impl Presence {
    fn here(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a node at once and stores what it says of itself when awaited.
    pub(super) fn join(
        self: &Arc<Self>,
        records: Records,
        node: Node,
    ) -> impl Future<Output = Result<(), CommitError>> + use<> {
        self.here().insert(node.id.clone());
        let presence = self.clone();
        async move {
            let _writing = presence.writing.lock().await;
            register(&records, node).await
        }
    }

    /// Notes at once that a node has left and stores it when awaited, unless the node is back by then.
    pub(super) fn leave(self: &Arc<Self>, records: Records, node: NodeId) -> impl Future<Output = ()> + use<> {
        self.here().remove(&node);
        farewell(self.clone(), records, node)
    }
}

async fn farewell(presence: Arc<Presence>, records: Records, node: NodeId) {
    loop {
        let writing = presence.writing.lock().await;
        if presence.here().contains(&node) {
            return;
        }
        let Err(error) = set_connected(&records, &node, false).await else { return };
        drop(writing);
        tracing::warn!(%node, %error, "could not record that a node has disconnected; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

async fn register(records: &Records, said: Node) -> Result<(), CommitError> {
    loop {
        let snapshot = records.current();
        let seen = snapshot.nodes.get(&said.id);
        let mut node = said.clone();
        node.disconnected_at = None;
        node.connected = true;
        node.registered_at = seen.map_or_else(|| records.now(), |n| n.registered_at);
        let mut draft = Draft::new();
        if seen.is_none_or(|n| *n.value != node) {
            draft.upsert(&node.id, seen, &node);
        }
        if !snapshot.ledgers.contains_key(&node.id) {
            draft.create(&node.id, &model::node::Ledger::default());
        }
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            other => return other.map(drop),
        }
    }
}

pub(super) async fn set_connected(records: &Records, id: &NodeId, connected: bool) -> Result<(), CommitError> {
    loop {
        let snapshot = records.current();
        let Some(seen) = snapshot.nodes.get(id).filter(|n| n.connected != connected) else { return Ok(()) };
        let mut draft = Draft::new();
        let disconnected_at = (!connected).then(|| records.now());
        draft.update(id, seen, &model::Node { connected, disconnected_at, ..(*seen.value).clone() });
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            other => return other.map(drop),
        }
    }
}
