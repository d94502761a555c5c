//! Which session of a node counts: the one that began last. A newer one ends the older before it begins.

use super::Sessions;
use crate::wire::ServerMessage;
use model::NodeId;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The session of one node that counts.
pub(super) struct Entry {
    term: u64,
    /// None until the node was welcomed, which comes first.
    pub(super) to_agent: Option<mpsc::Sender<ServerMessage>>,
    /// Dropped to end the session.
    _lease: oneshot::Sender<Infallible>,
    /// Ends when the session has.
    gone: oneshot::Receiver<Infallible>,
}

/// A session's hold on its node. Dropped with the session, however that ends: nothing else says that a node has left.
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    node: NodeId,
    term: u64,
    _gone: oneshot::Sender<Infallible>,
}

impl Seat {
    /// Takes the node over and waits until an older session has ended, so that nothing of it is stored after what comes now.
    /// What is answered with it ends when a newer session takes over in turn.
    pub(super) async fn take(sessions: Arc<Sessions>, node: NodeId) -> (Self, oneshot::Receiver<Infallible>) {
        let term = sessions.fresh_id();
        let (lease, replaced) = oneshot::channel();
        let (going, gone) = oneshot::channel();
        let entry = Entry { term, to_agent: None, _lease: lease, gone };
        let older = Sessions::locked(&sessions.nodes).insert(node.clone(), entry);
        let seat = Self { sessions, node, term, _gone: going };
        if let Some(Entry { _lease, gone, .. }) = older {
            drop(_lease);
            let _ended = gone.await;
        }
        (seat, replaced)
    }

    /// From now on the server may begin conversations with the node.
    pub(super) fn open(&self, to_agent: mpsc::Sender<ServerMessage>) {
        if let Some(entry) = Sessions::locked(&self.sessions.nodes).get_mut(&self.node).filter(|e| e.term == self.term)
        {
            entry.to_agent = Some(to_agent);
        }
        self.sessions.seats.send_replace(());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut nodes = Sessions::locked(&self.sessions.nodes);
        if nodes.get(&self.node).is_some_and(|entry| entry.term == self.term) {
            nodes.remove(&self.node);
            // Under the lock: a newer session's join comes after it.
            self.sessions.desk.left(&self.node);
        }
    }
}
