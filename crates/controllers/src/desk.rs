//! What stands behind the node sessions: registers nodes, feeds desired sets, commits observations; plans nothing.

mod feed;
mod presence;

use futures_util::future::BoxFuture;
use model::unit::Observed;
use model::{NodeId, Timestamp, UnitUid};
use presence::Presence;
use records::{CommitError, Records};
use session::server::Desk;
use session::{Credentials, Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Desired steps that may wait for one agent; a slower one stops its feeder, not the server.
const STEPS: usize = 16;

/// Takes the log lines that nodes send.
pub trait LogSink: Send + Sync + 'static {
    fn take(&self, batch: LogBatch) -> BoxFuture<'static, Result<(), String>>;
}

/// Makes the temporary credentials of Units that run under a role.
pub trait CredentialIssuer: Send + Sync + 'static {
    fn issue(&self, role: &str, uid: &UnitUid, expires: Timestamp) -> Credentials;
}

/// The server's desk for its nodes.
pub struct NodeDesk {
    records: Records,
    logs: Arc<dyn LogSink>,
    issuer: Option<Arc<dyn CredentialIssuer>>,
    epoch: u64,
    presence: Arc<Presence>,
    /// Feeders and farewells; they end with the desk.
    tasks: Mutex<JoinSet<()>>,
}

impl NodeDesk {
    pub fn new(records: Records, logs: Arc<dyn LogSink>, epoch: u64) -> Arc<Self> {
        Arc::new(Self { records, logs, issuer: None, epoch, presence: Arc::default(), tasks: Mutex::default() })
    }

    /// The same, where Units may run under roles.
    pub fn issuing(
        records: Records,
        logs: Arc<dyn LogSink>,
        issuer: Arc<dyn CredentialIssuer>,
        epoch: u64,
    ) -> Arc<Self> {
        Arc::new(Self { records, logs, issuer: Some(issuer), epoch, presence: Arc::default(), tasks: Mutex::default() })
    }

    /// No node is connected to a server that has just started.
    pub async fn forget_connections(records: &Records) -> Result<(), CommitError> {
        let ids: Vec<NodeId> = records.current().nodes.keys().cloned().collect();
        for id in ids {
            presence::set_connected(records, &id, false).await?;
        }
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Desk for NodeDesk {
    fn join(&self, registration: NodeRegistration) -> BoxFuture<'static, Result<Welcome, String>> {
        let (records, id) = (self.records.clone(), registration.node.id.clone());
        let joined = self.presence.join(records.clone(), registration.node);
        Box::pin(async move {
            joined.await.map_err(|e| e.to_string())?;
            let networks = records.current().networks.values().map(|n| (*n.value).clone()).collect();
            Ok(Welcome { node: id, networks })
        })
    }

    fn desired(&self, node: &NodeId, keeps: Vec<UnitUid>) -> mpsc::Receiver<Desired> {
        let (steps, receiver) = mpsc::channel(STEPS);
        let whose = feed::Whose { node: node.clone(), keeps, epoch: self.epoch };
        self.spawn(feed::feed(self.records.clone(), whose, self.issuer.clone(), steps));
        receiver
    }

    fn observe(&self, node: &NodeId, update: ObservedUpdate) -> BoxFuture<'static, Result<(), String>> {
        let (records, node) = (self.records.clone(), node.clone());
        Box::pin(async move {
            let observed: Observed = serde_json::from_slice(&update.document).map_err(|e| e.to_string())?;
            let uid = UnitUid::new(update.uid);
            let known = records::units::observe(&records, &node, &uid, &observed).await.map_err(|e| e.to_string())?;
            if !known {
                tracing::debug!(%uid, %node, "an observation of a unit that is not this node's was dropped");
            }
            Ok(())
        })
    }

    fn logs(&self, _node: &NodeId, batch: LogBatch) -> BoxFuture<'static, Result<(), String>> {
        self.logs.take(batch)
    }

    fn left(&self, node: &NodeId) {
        self.spawn(self.presence.leave(self.records.clone(), node.clone()));
    }
}
