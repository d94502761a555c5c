//! The server's end: answers `Join` and `Stream`, keeps which node is connected here; decides nothing and stores nothing.

use crate::stream::{ExecRequest, LogsRequest, NodeStreams, OpenedStream, StreamError, StreamRequest};
use crate::wire::{self, AgentMessage, Frame, ServerMessage, agent_message, frame, server_message};
use crate::{Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use model::NodeId;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

/// Frames that may wait in one direction of one connection.
const QUEUE: usize = 64;
/// How long a node may take to dial the stream that it was asked for.
const DIAL: Duration = Duration::from_secs(10);

/// What stands behind the sessions: the records, through whoever may write them.
pub trait Desk: Send + Sync + 'static {
    /// A node introduces itself; an error is told to it and ends the session.
    fn join(&self, node: NodeRegistration) -> BoxFuture<'static, Result<Welcome, String>>;
    /// The node's desired state: a complete set first, then every change, until the receiver is dropped.
    fn desired(&self, node: &NodeId) -> mpsc::Receiver<Desired>;
    /// Commits what the node saw. Ok means stored (or no longer of interest) and may be acknowledged.
    fn observe(&self, node: &NodeId, update: ObservedUpdate) -> BoxFuture<'static, Result<(), String>>;
    fn logs(&self, node: &NodeId, batch: LogBatch) -> BoxFuture<'static, Result<(), String>>;
    /// The session has ended.
    fn left(&self, node: &NodeId);
}

type Opening = (NodeId, oneshot::Sender<OpenedStream>);

/// Everything connected to this server.
pub struct Sessions {
    desk: Arc<dyn Desk>,
    nodes: Mutex<HashMap<NodeId, (u64, mpsc::Sender<ServerMessage>)>>,
    opening: Mutex<HashMap<u64, Opening>>,
    next_id: AtomicU64,
}

impl Sessions {
    pub fn new(desk: Arc<dyn Desk>) -> Arc<Self> {
        Arc::new(Self { desk, nodes: Mutex::default(), opening: Mutex::default(), next_id: AtomicU64::new(1) })
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

    async fn open(self: Arc<Self>, node: NodeId, request: StreamRequest) -> Result<OpenedStream, StreamError> {
        let unit = request.unit().clone();
        let to_node = Self::locked(&self.nodes).get(&node).map(|(_, tx)| tx.clone());
        let Some(to_node) = to_node else { return Err(StreamError::NotConnected(unit)) };
        let id = self.fresh_id();
        let (opened, wait) = oneshot::channel();
        Self::locked(&self.opening).insert(id, (node, opened));
        let request = serde_json::to_vec(&request).expect("a stream request has only string keys");
        let ask = server_message::Kind::OpenStream(wire::OpenStream { id, request });
        let sent = to_node.send(ServerMessage { kind: Some(ask) }).await;
        let result = match sent {
            Err(_) => Err(StreamError::NotConnected(unit)),
            Ok(()) => match tokio::time::timeout(DIAL, wait).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(_)) => Err(StreamError::NotConnected(unit)),
                Err(_) => Err(StreamError::Refused(format!("it did not answer within {} s", DIAL.as_secs()))),
            },
        };
        Self::locked(&self.opening).remove(&id);
        result
    }

    /// One agent's session, from hello to the end of its stream.
    async fn run(
        self: Arc<Self>,
        mut from_agent: Streaming<AgentMessage>,
        to_agent: mpsc::Sender<ServerMessage>,
    ) -> Result<(), Status> {
        let hello = match from_agent.message().await? {
            Some(AgentMessage { kind: Some(agent_message::Kind::Hello(hello)) }) => hello,
            _ => return Err(Status::invalid_argument("a session begins with hello")),
        };
        if hello.protocol != wire::PROTOCOL {
            let words = format!("this server speaks session protocol {}, the agent {}", wire::PROTOCOL, hello.protocol);
            return Err(Status::failed_precondition(words));
        }
        let registration: NodeRegistration =
            serde_json::from_slice(&hello.node).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let node = registration.node.id.clone();
        let welcome = self.desk.join(registration).await.map_err(Status::failed_precondition)?;
        let document = serde_json::to_vec(&welcome).expect("a welcome has only string keys");
        send(&to_agent, server_message::Kind::Welcome(wire::WelcomeFrame { document })).await?;

        let term = self.fresh_id();
        Self::locked(&self.nodes).insert(node.clone(), (term, to_agent.clone()));
        let ended = self.pump(&node, &mut from_agent, &to_agent).await;
        let was_newest = {
            let mut nodes = Self::locked(&self.nodes);
            let newest = nodes.get(&node).is_some_and(|(t, _)| *t == term);
            if newest {
                nodes.remove(&node);
            }
            newest
        };
        if was_newest {
            self.desk.left(&node);
        }
        ended
    }

    async fn pump(
        &self,
        node: &NodeId,
        from_agent: &mut Streaming<AgentMessage>,
        to_agent: &mpsc::Sender<ServerMessage>,
    ) -> Result<(), Status> {
        let mut desired = self.desk.desired(node);
        loop {
            tokio::select! {
                step = desired.recv() => match step {
                    Some(step) => send(to_agent, server_message::Kind::Desired(encode(step))).await?,
                    None => return Err(Status::unavailable("the server is shutting down")),
                },
                message = from_agent.message() => match message? {
                    None => return Ok(()),
                    Some(AgentMessage { kind: Some(kind) }) => self.take(node, kind, to_agent).await?,
                    Some(AgentMessage { kind: None }) => {}
                },
            }
        }
    }

    async fn take(
        &self,
        node: &NodeId,
        kind: agent_message::Kind,
        to_agent: &mpsc::Sender<ServerMessage>,
    ) -> Result<(), Status> {
        match kind {
            agent_message::Kind::Hello(_) => Err(Status::invalid_argument("hello was said already")),
            agent_message::Kind::Observed(update) => {
                let ack = wire::ObservedAck { uid: update.uid.clone(), sequence: update.sequence };
                let stored = self.desk.observe(node, update);
                let to_agent = to_agent.clone();
                answer_when_done(async move {
                    match stored.await {
                        Ok(()) => drop(send(&to_agent, server_message::Kind::ObservedAck(ack)).await),
                        Err(error) => {
                            tracing::warn!(uid = %ack.uid, error, "an observation was not stored; the agent will send it again")
                        }
                    }
                });
                Ok(())
            }
            agent_message::Kind::Logs(batch) => {
                let (producer, sequence) = (batch.producer.clone(), batch.sequence);
                let refused = self.desk.logs(node, batch).await.err().unwrap_or_default();
                send(to_agent, server_message::Kind::LogAck(wire::LogAck { producer, sequence, refused })).await
            }
        }
    }
}

/// Runs one answer beside the session's pump; it ends by itself with its commit.
#[allow(clippy::disallowed_methods, reason = "a bounded answer, not a long-lived task: it ends with its one commit")]
fn answer_when_done(answer: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(answer);
}

async fn send(to_agent: &mpsc::Sender<ServerMessage>, kind: server_message::Kind) -> Result<(), Status> {
    let sent = to_agent.send(ServerMessage { kind: Some(kind) }).await;
    sent.map_err(|_| Status::cancelled("the agent hung up"))
}

fn encode(step: Desired) -> wire::DesiredFrame {
    let document = |a| serde_json::to_vec(a).expect("an assignment has only string keys");
    wire::DesiredFrame {
        epoch: step.epoch,
        revision: step.revision,
        complete: step.complete,
        assignments: step.assignments.iter().map(document).collect(),
        gone: step.gone.iter().map(ToString::to_string).collect(),
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
        let session = self.0.clone().run(request.into_inner(), to_agent);
        // The session runs inside its own response stream: when the connection goes, so does the session.
        let mut session = Box::pin(session);
        let mut outgoing = ReceiverStream::new(outgoing);
        let mut over = false;
        let stream = futures_util::stream::poll_fn(move |cx| {
            if over {
                return Poll::Ready(None);
            }
            let ended = session.as_mut().poll(cx);
            match outgoing.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => {
                    if ended.is_ready() {
                        over = true;
                    }
                    return Poll::Ready(Some(Ok(message)));
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
            match ended {
                Poll::Ready(Err(status)) => {
                    over = true;
                    Poll::Ready(Some(Err(status)))
                }
                Poll::Ready(Ok(())) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        Box::pin(async move { Ok(Response::new(stream.boxed())) })
    }
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
            answer_when_done(async move {
                while let Ok(Some(frame)) = from_node.message().await {
                    if incoming_tx.send(frame).await.is_err() {
                        return;
                    }
                }
            });
            Ok(Response::new(ReceiverStream::new(outgoing).map(Ok).boxed()))
        })
    }
}
