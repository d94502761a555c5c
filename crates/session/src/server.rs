//! The server's end: answers `Join` and `Stream`, keeps which node is connected here; decides nothing and stores nothing.

mod logs;
mod observations;
mod pump;
mod seat;
mod settled;

use crate::stream::{ExecRequest, LogsRequest, NodeStreams, OpenedStream, StreamError, StreamRequest};
use crate::wire::{self, AgentMessage, Frame, ServerMessage, frame, server_message};
use crate::{Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use model::{NodeId, UnitUid};
use seat::Entry;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

pub use settled::Settled;

/// Frames that may wait in one direction of one connection.
const QUEUE: usize = 64;
/// How long a node may take to be there and to dial the stream that it was asked for.
const DIAL: Duration = Duration::from_secs(10);

/// What stands behind the sessions: the records, through whoever may write them.
pub trait Desk: Send + Sync + 'static {
    /// A node introduces itself; an error is told to it and ends the session.
    fn join(&self, node: NodeRegistration) -> BoxFuture<'static, Result<Welcome, String>>;
    /// The node's desired state: a complete set first, which also says which of the Units that it `keeps` are gone, then every
    /// change, until the receiver is dropped.
    fn desired(&self, node: &NodeId, keeps: Vec<UnitUid>) -> mpsc::Receiver<Desired>;
    /// Commits what the node saw. Ok means stored (or no longer of interest) and may be acknowledged.
    fn observe(&self, node: &NodeId, update: ObservedUpdate) -> BoxFuture<'static, Result<(), String>>;
    fn logs(&self, node: &NodeId, batch: LogBatch) -> BoxFuture<'static, Result<(), String>>;
    /// The node's only session has ended. Called under a lock, after this session's `join` and before any later one's: note
    /// it and return, do not wait.
    fn left(&self, node: &NodeId);
}

type Opening = (NodeId, oneshot::Sender<OpenedStream>);

/// Everything connected to this server.
pub struct Sessions {
    desk: Arc<dyn Desk>,
    nodes: Mutex<HashMap<NodeId, Entry>>,
    /// Changes whenever a node is there.
    seats: watch::Sender<()>,
    opening: Mutex<HashMap<u64, Opening>>,
    next_id: AtomicU64,
}

impl Sessions {
    pub fn new(desk: Arc<dyn Desk>) -> Arc<Self> {
        Arc::new(Self {
            desk,
            nodes: Mutex::default(),
            seats: watch::Sender::default(),
            opening: Mutex::default(),
            next_id: AtomicU64::new(1),
        })
    }

    /// The gRPC service to serve over HTTP/2.
    pub fn service(self: &Arc<Self>) -> SessionService {
        SessionService { sessions: self.clone() }
    }

    fn fresh_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Opens a stream. A node that is away for a moment is waited for, and one whose session ends before it has dialled is
    /// asked again in its next: until then it has begun nothing.
    async fn open(self: Arc<Self>, node: NodeId, request: StreamRequest) -> Result<OpenedStream, StreamError> {
        let document = serde_json::to_vec(&request).expect("a stream request has only string keys");
        let opened = tokio::time::timeout(DIAL, async {
            loop {
                let to_node = self.seated(&node).await;
                if let Some(stream) = self.ask(&node, &to_node, &document).await {
                    return stream;
                }
            }
        });
        opened.await.map_err(|_| match self.seat(&node) {
            Some(_) => StreamError::Refused(format!("it did not answer within {} s", DIAL.as_secs())),
            None => StreamError::NotConnected(request.unit().clone()),
        })
    }

    fn seat(&self, node: &NodeId) -> Option<mpsc::Sender<ServerMessage>> {
        Self::locked(&self.nodes).get(node)?.to_agent.clone().filter(|to_agent| !to_agent.is_closed())
    }

    /// The way to the node, once it has one.
    async fn seated(&self, node: &NodeId) -> mpsc::Sender<ServerMessage> {
        let mut seats = self.seats.subscribe();
        loop {
            if let Some(to_node) = self.seat(node) {
                return to_node;
            }
            seats.changed().await.expect("the seats' sender lives as long as this");
        }
    }

    /// The stream that the node dials when it is asked for one; None when its session ends before.
    async fn ask(&self, node: &NodeId, to_node: &mpsc::Sender<ServerMessage>, request: &[u8]) -> Option<OpenedStream> {
        let id = self.fresh_id();
        let (opened, dialled) = oneshot::channel();
        Self::locked(&self.opening).insert(id, (node.clone(), opened));
        let _waiting = Waiting { sessions: self, id };
        let ask = server_message::Kind::OpenStream(wire::OpenStream { id, request: request.to_vec() });
        to_node.send(ServerMessage { kind: Some(ask) }).await.ok()?;
        tokio::select! {
            // First: what was dialled counts, whatever became of the session meanwhile.
            biased;
            stream = dialled => stream.ok(),
            () = to_node.closed() => None,
        }
    }
}

/// A stream that somebody waits for, until he has it or has given up.
struct Waiting<'a> {
    sessions: &'a Sessions,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        Sessions::locked(&self.sessions.opening).remove(&self.id);
    }
}

impl NodeStreams for Arc<Sessions> {
    fn exec(&self, node: &NodeId, request: ExecRequest) -> BoxFuture<'static, Result<OpenedStream, StreamError>> {
        Box::pin(self.clone().open(node.clone(), StreamRequest::Exec(request)))
    }
    fn logs(&self, node: &NodeId, request: LogsRequest) -> BoxFuture<'static, Result<OpenedStream, StreamError>> {
        Box::pin(self.clone().open(node.clone(), StreamRequest::Logs(request)))
    }
}

/// The two methods over HTTP/2; hand it to an HTTP/2 server.
#[derive(Clone)]
pub struct SessionService {
    sessions: Arc<Sessions>,
}

impl<B> tower::Service<http::Request<B>> for SessionService
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let sessions = self.sessions.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                crate::client::JOIN => {
                    Grpc::new(tonic_prost::ProstCodec::default()).streaming(Join(sessions), request).await
                }
                crate::client::STREAM => {
                    Grpc::new(tonic_prost::ProstCodec::default()).streaming(Answer(sessions), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

struct Join(Arc<Sessions>);

impl StreamingService<AgentMessage> for Join {
    type Response = ServerMessage;
    type ResponseStream = futures_util::stream::BoxStream<'static, Result<ServerMessage, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<AgentMessage>>) -> Self::Future {
        let (to_agent, outgoing) = mpsc::channel(QUEUE);
        // A task of its own, which the response owns: it reads from an agent that does not read, so that two full
        // directions cannot wait for each other, and it ends with the connection.
        let mut session = JoinSet::new();
        session.spawn(pump::run(self.0.clone(), request.into_inner(), to_agent));
        let ended = futures_util::stream::once(async move { session.join_next().await });
        let ended = ended.filter_map(async |ended| match ended {
            Some(Ok(Err(status))) => Some(Err(status)),
            Some(Err(_)) => Some(Err(Status::internal("the session failed"))),
            Some(Ok(Ok(()))) | None => None,
        });
        let messages = ReceiverStream::new(outgoing).map(Ok).chain(ended);
        Box::pin(async move { Ok(Response::new(messages.boxed())) })
    }
}

/// Hands on what the node says until it has said everything or nobody listens any more; then the node is told so.
#[allow(clippy::disallowed_methods, reason = "it ends with either end of its stream")]
fn forward(mut from_node: Streaming<Frame>, listener: mpsc::Sender<Frame>) {
    tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                frame = from_node.message() => frame,
                () = listener.closed() => return,
            };
            let Ok(Some(frame)) = frame else { return };
            if listener.send(frame).await.is_err() {
                return;
            }
        }
    });
}

struct Answer(Arc<Sessions>);

impl StreamingService<Frame> for Answer {
    type Response = Frame;
    type ResponseStream = futures_util::stream::BoxStream<'static, Result<Frame, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        let sessions = self.0.clone();
        Box::pin(async move {
            let mut from_node = request.into_inner();
            let id = match from_node.message().await? {
                Some(Frame { kind: Some(frame::Kind::Answers(id)) }) => id,
                _ => return Err(Status::invalid_argument("a stream begins with the id that it answers")),
            };
            let (_, opened) = Sessions::locked(&sessions.opening)
                .remove(&id)
                .ok_or_else(|| Status::not_found("nobody waits for this stream any more"))?;
            let (to_node, outgoing) = mpsc::channel(QUEUE);
            let (incoming_tx, incoming) = mpsc::channel(QUEUE);
            opened
                .send(OpenedStream { to_node, from_node: incoming })
                .map_err(|_| Status::cancelled("nobody waits for this stream any more"))?;
            forward(from_node, incoming_tx);
            Ok(Response::new(ReceiverStream::new(outgoing).map(Ok).boxed()))
        })
    }
}
