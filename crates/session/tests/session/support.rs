//! A server's end on a real socket with a desk that keeps what it is told; the agent's end is the real one.

use futures_util::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::unit::{Lifecycle, Observed};
use model::{Cpu, Memory, Node, NodeId, Timestamp, UnitUid};
use session::client::{FromServer, Session, SessionError, join};
use session::server::{Desk, Sessions};
use session::{Assignment, Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// How long a test waits for what must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, happens).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen within {DEADLINE:?}"),
    }
}

/// A desk that keeps what happened, in order, as words.
pub(crate) struct NotingDesk {
    events: watch::Sender<Vec<String>>,
    steps: Mutex<HashMap<NodeId, mpsc::Sender<Desired>>>,
    /// What a node is told instead of welcome.
    pub(crate) refusal: Mutex<Option<String>>,
    /// While it is set nothing can be stored.
    pub(crate) broken: AtomicBool,
    /// Each observation and each log batch takes one to be stored.
    pub(crate) permits: Semaphore,
}

impl NotingDesk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            events: watch::Sender::default(),
            steps: Mutex::default(),
            refusal: Mutex::default(),
            broken: AtomicBool::new(false),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// From now on nothing is stored before the test adds permits.
    pub(crate) fn hold(&self) {
        self.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn note(&self, event: String) {
        self.events.send_modify(|events| events.push(event));
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.events.borrow().clone()
    }

    pub(crate) async fn until(&self, event: &str) {
        let mut events = self.events.subscribe();
        soon(event, events.wait_for(|events| events.iter().any(|e| e == event))).await.unwrap();
    }

    pub(crate) fn steps(&self, node: &str) -> mpsc::Sender<Desired> {
        self.steps.lock().unwrap()[&NodeId::new(node)].clone()
    }

    /// Ends the feed of a node, as a server does that shuts down.
    pub(crate) fn end_feed(&self, node: &str) {
        self.steps.lock().unwrap().remove(&NodeId::new(node));
    }
}

/// The desk as the server holds it.
struct Handle(Arc<NotingDesk>);

impl Desk for Handle {
    fn join(&self, registration: NodeRegistration) -> BoxFuture<'static, Result<Welcome, String>> {
        let desk = self.0.clone();
        Box::pin(async move {
            if let Some(words) = desk.refusal.lock().unwrap().clone() {
                return Err(words);
            }
            desk.note(format!("join {}", registration.node.id));
            Ok(Welcome { node: registration.node.id, networks: Vec::new() })
        })
    }

    fn desired(&self, node: &NodeId, _keeps: Vec<UnitUid>) -> mpsc::Receiver<Desired> {
        let (steps, receiver) = mpsc::channel(16);
        self.0.steps.lock().unwrap().insert(node.clone(), steps);
        self.0.note(format!("feed {node}"));
        receiver
    }

    fn observe(&self, _: &NodeId, update: ObservedUpdate) -> BoxFuture<'static, Result<(), String>> {
        let desk = self.0.clone();
        Box::pin(async move {
            desk.permits.acquire().await.unwrap().forget();
            if desk.broken.load(Ordering::SeqCst) {
                desk.note(format!("could not store {} {}", update.uid, update.sequence));
                return Err("the disk is full".into());
            }
            desk.note(format!("stored {} {}", update.uid, update.sequence));
            Ok(())
        })
    }

    fn logs(&self, _: &NodeId, batch: LogBatch) -> BoxFuture<'static, Result<(), String>> {
        let desk = self.0.clone();
        Box::pin(async move {
            desk.permits.acquire().await.unwrap().forget();
            desk.note(format!("logged {} {}", batch.producer, batch.sequence));
            if batch.group.is_empty() { Err("there is no such group".into()) } else { Ok(()) }
        })
    }

    fn left(&self, node: &NodeId) {
        self.0.note(format!("left {node}"));
    }
}

/// A server on a socket; it hangs up on everybody when it is dropped.
pub(crate) struct Server {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) desk: Arc<NotingDesk>,
    socket: PathBuf,
    _folder: Arc<tempfile::TempDir>,
    _accepting: JoinSet<()>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()))
    }

    fn start_in(folder: Arc<tempfile::TempDir>) -> Self {
        let desk = NotingDesk::new();
        let sessions = Sessions::new(Arc::new(Handle(desk.clone())));
        let socket = folder.path().join("server.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, sessions.clone()));
        Self { sessions, desk, socket, _folder: folder, _accepting: accepting }
    }

    /// Ends this server at once and starts another one at its address.
    pub(crate) fn restart(self) -> Self {
        let (folder, socket) = (self._folder.clone(), self.socket.clone());
        drop(self);
        std::fs::remove_file(socket).unwrap();
        Self::start_in(folder)
    }

    pub(crate) async fn try_join(&self, node: &str) -> Result<Session, SessionError> {
        soon("the answer to a join", join(self.socket.clone(), registration(node))).await
    }

    /// A node that has joined and is being fed.
    pub(crate) async fn join(&self, node: &str) -> Session {
        let session = self.try_join(node).await.unwrap();
        self.desk.until(&format!("feed {node}")).await;
        session
    }
}

async fn accept(listener: tokio::net::UnixListener, sessions: Arc<Sessions>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = sessions.service();
        connections.spawn(async move {
            let service =
                hyper::service::service_fn(move |request| tower::Service::call(&mut service.clone(), request));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // However it ends, the agent's end is what a test looks at.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

pub(crate) fn registration(node: &str) -> NodeRegistration {
    NodeRegistration {
        node: Node {
            id: NodeId::new(node),
            hostname: node.into(),
            cpu: Cpu::from_cores(1),
            memory: Memory::from_mib(1024),
            attributes: Default::default(),
            boot_id: "boot".into(),
            agent_version: "1".into(),
            registered_at: Timestamp::default(),
            connected: true,
            disconnected_at: None,
            reserved_ports: Vec::new(),
        },
        keeps: Vec::new(),
    }
}

pub(crate) fn observation(uid: &str, sequence: u64) -> ObservedUpdate {
    let observed = Observed { lifecycle: Lifecycle::Running, ..Observed::default() };
    ObservedUpdate::new(&UnitUid::new(uid), sequence, &observed)
}

pub(crate) fn last_observation(uid: &UnitUid, sequence: u64) -> ObservedUpdate {
    ObservedUpdate::new(uid, sequence, &Observed { lifecycle: Lifecycle::Stopped, ..Observed::default() })
}

/// A Unit that nobody has begun yet, as a node is told to run it.
pub(crate) fn assignment(id: &str) -> Assignment {
    let wish = test_support::Wish::default();
    let unit = wish.unit(id, Timestamp::default());
    // Read as sent, so that a part with a default needs no line here.
    serde_json::from_value(serde_json::json!({"unit": unit, "spec": wish.spec(), "revision": 1})).unwrap()
}

pub(crate) fn step(revision: u64) -> Desired {
    Desired { epoch: 1, revision, complete: revision == 1, assignments: Vec::new(), gone: vec![UnitUid::new("gone")] }
}

/// The next thing that the server says, as words.
pub(crate) async fn heard(session: &mut Session) -> String {
    match soon("a message from the server", session.receiver.next()).await {
        Ok(FromServer::Desired(step)) => format!("step {} complete {}", step.revision, step.complete),
        Ok(FromServer::ObservedAck { uid, sequence }) => format!("stored {uid} {sequence}"),
        Ok(FromServer::LogAck { producer, sequence, refused }) => match refused {
            None => format!("logged {producer} {sequence}"),
            Some(words) => format!("refused {producer} {sequence}: {words}"),
        },
        Ok(FromServer::OpenStream { id, .. }) => format!("open {id}"),
        Err(error) => format!("error: {error}"),
    }
}
