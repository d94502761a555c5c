//! What stands behind the node sessions: registers nodes, feeds desired sets, commits observations; plans nothing.

use futures_util::future::BoxFuture;
use model::snapshot::Versioned;
use model::unit::{Observed, Unit};
use model::{NodeId, Snapshot, Timestamp, UnitUid};
use records::{CommitError, Draft, Records, Wake};
use session::server::Desk;
use session::{Assignment, Credentials, Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use std::sync::{Arc, Mutex};
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

/// How long a Unit's credentials are good: ECS's own are good for six hours and replaced before; these are not replaced yet.
const CREDENTIALS_MS: u64 = 7 * 24 * 3600 * 1000;

/// The server's desk for its nodes.
pub struct NodeDesk {
    records: Records,
    logs: Arc<dyn LogSink>,
    issuer: Option<Arc<dyn CredentialIssuer>>,
    epoch: u64,
    /// Feeders and farewells; they end with the desk.
    tasks: Mutex<JoinSet<()>>,
}

impl NodeDesk {
    pub fn new(records: Records, logs: Arc<dyn LogSink>, epoch: u64) -> Arc<Self> {
        Arc::new(Self { records, logs, issuer: None, epoch, tasks: Mutex::default() })
    }

    /// The same, where Units may run under roles.
    pub fn issuing(
        records: Records,
        logs: Arc<dyn LogSink>,
        issuer: Arc<dyn CredentialIssuer>,
        epoch: u64,
    ) -> Arc<Self> {
        Arc::new(Self { records, logs, issuer: Some(issuer), epoch, tasks: Mutex::default() })
    }

    /// No node is connected to a server that has just started.
    pub async fn forget_connections(records: &Records) -> Result<(), CommitError> {
        let ids: Vec<NodeId> = records.current().nodes.keys().cloned().collect();
        for id in ids {
            set_connected(records, &id, false).await?;
        }
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Desk for NodeDesk {
    fn join(&self, registration: NodeRegistration) -> BoxFuture<'static, Result<Welcome, String>> {
        let records = self.records.clone();
        Box::pin(async move {
            let id = registration.node.id.clone();
            register(&records, registration).await.map_err(|e| e.to_string())?;
            let networks = records.current().networks.values().map(|n| (*n.value).clone()).collect();
            Ok(Welcome { node: id, networks })
        })
    }

    fn desired(&self, node: &NodeId) -> mpsc::Receiver<Desired> {
        let (steps, receiver) = mpsc::channel(STEPS);
        self.spawn(feed(self.records.clone(), node.clone(), self.epoch, self.issuer.clone(), steps));
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
        let (records, node) = (self.records.clone(), node.clone());
        self.spawn(async move {
            if let Err(error) = set_connected(&records, &node, false).await {
                tracing::warn!(%node, %error, "could not record that a node has disconnected");
            }
        });
    }
}

async fn register(records: &Records, registration: NodeRegistration) -> Result<(), CommitError> {
    loop {
        let snapshot = records.current();
        let id = registration.node.id.clone();
        let seen = snapshot.nodes.get(&id);
        let mut node = registration.node.clone();
        node.connected = true;
        node.registered_at = seen.map_or_else(|| records.now(), |n| n.registered_at);
        let mut draft = Draft::new();
        if seen.is_none_or(|n| *n.value != node) {
            draft.upsert(&id, seen, &node);
        }
        if !snapshot.ledgers.contains_key(&id) {
            draft.create(&id, &model::node::Ledger::default());
        }
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            other => return other.map(drop),
        }
    }
}

async fn set_connected(records: &Records, id: &NodeId, connected: bool) -> Result<(), CommitError> {
    loop {
        let snapshot = records.current();
        let Some(seen) = snapshot.nodes.get(id).filter(|n| n.connected != connected) else { return Ok(()) };
        let mut draft = Draft::new();
        draft.update(id, seen, &model::Node { connected, ..(*seen.value).clone() });
        match records.commit(draft).await {
            Err(CommitError::Conflict) => continue,
            other => return other.map(drop),
        }
    }
}

/// Sends the complete set, then every change that the node has not made itself, until the session ends.
async fn feed(
    records: Records,
    node: NodeId,
    epoch: u64,
    issuer: Option<Arc<dyn CredentialIssuer>>,
    steps: mpsc::Sender<Desired>,
) {
    let mut touched = records.touched();
    let mut next = Some(complete(&records.current(), &node, epoch));
    loop {
        if let Some(mut step) = next.take() {
            if let Some(issuer) = &issuer {
                give_credentials(&mut step, &**issuer, records.now());
            }
            if steps.send(step).await.is_err() {
                return;
            }
        }
        let wake = tokio::select! {
            wake = touched.next() => wake,
            () = steps.closed() => return,
        };
        next = match wake {
            None => return,
            Some(Wake::Everything) => Some(complete(&records.current(), &node, epoch)),
            Some(Wake::Touched(t)) => changes(&records.current(), &t, &node, epoch),
        };
    }
}

fn complete(snapshot: &Snapshot, node: &NodeId, epoch: u64) -> Desired {
    let assignments = snapshot.units_of_node(node).filter_map(|unit| assignment(snapshot, unit)).collect();
    Desired { epoch, revision: snapshot.revision, complete: true, assignments, gone: Vec::new() }
}

fn changes(snapshot: &Snapshot, touched: &records::Touched, node: &NodeId, epoch: u64) -> Option<Desired> {
    let mut step =
        Desired { epoch, revision: touched.revision, complete: false, assignments: Vec::new(), gone: Vec::new() };
    let here = |unit: &Arc<Unit>| unit.placement.node() == Some(node);
    for (before, after) in &touched.units {
        match (before, after) {
            (Some(unit), None) if here(unit) => step.gone.push(unit.uid.clone()),
            (before, Some(after)) if here(after) => {
                let told = before.as_ref().is_some_and(|b| b.placement == after.placement && b.intent == after.intent);
                let current = snapshot.units.get(&after.name);
                if let (false, Some(unit)) = (told, current) {
                    step.assignments.extend(assignment(snapshot, unit));
                }
            }
            _ => {}
        }
    }
    (!step.assignments.is_empty() || !step.gone.is_empty()).then_some(step)
}

fn assignment(snapshot: &Snapshot, unit: &Versioned<Unit>) -> Option<Assignment> {
    let spec = snapshot.specs.get(&unit.spec)?.value.clone();
    Some(Assignment { unit: unit.value.clone(), spec, revision: unit.revision, credentials: None })
}

fn give_credentials(step: &mut Desired, issuer: &dyn CredentialIssuer, now: Timestamp) {
    for assignment in &mut step.assignments {
        if let Some(role) = &assignment.spec.role {
            let expires = now.saturating_add_ms(CREDENTIALS_MS);
            assignment.credentials = Some(issuer.issue(role, &assignment.unit.uid, expires));
        }
    }
}
