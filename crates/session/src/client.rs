//! The agent's end: dials a server, holds the session, dials interactive streams.

use crate::stream::StreamRequest;
use crate::wire::{self, AgentMessage, Frame, ServerMessage, agent_message, server_message};
use crate::{Assignment, Desired, LogBatch, NodeRegistration, ObservedUpdate, Welcome};
use hyper_util::rt::TokioIo;
use model::UnitUid;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

pub(crate) const JOIN: &str = "/bayplan.session.v1.Node/Join";
pub(crate) const STREAM: &str = "/bayplan.session.v1.Node/Stream";
const QUEUE: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("the server cannot be reached")]
    Unreachable(#[source] tonic::transport::Error),
    #[error("the session ended: {}", .0.message())]
    Ended(Box<tonic::Status>),
    #[error("the server hung up")]
    Closed,
    #[error("the server sent something this agent does not understand: {0}")]
    Unreadable(String),
}

impl From<tonic::Status> for SessionError {
    fn from(status: tonic::Status) -> Self {
        SessionError::Ended(Box::new(status))
    }
}

/// What the server tells an agent.
#[derive(Debug)]
pub enum FromServer {
    Desired(Desired),
    ObservedAck { uid: UnitUid, sequence: u64 },
    LogAck { producer: String, sequence: u64, refused: Option<String> },
    OpenStream { id: u64, request: StreamRequest },
}

/// A joined session. Dropping both halves ends it.
#[derive(Debug)]
pub struct Session {
    pub welcome: Welcome,
    pub sender: SessionSender,
    pub receiver: SessionReceiver,
}

#[derive(Clone, Debug)]
pub struct SessionSender {
    out: mpsc::Sender<AgentMessage>,
    channel: Channel,
}

#[derive(Debug)]
pub struct SessionReceiver {
    incoming: Streaming<ServerMessage>,
}

/// Joins through a server's Unix socket.
pub async fn join(socket: PathBuf, node: NodeRegistration) -> Result<Session, SessionError> {
    let channel = dial(socket).await?;
    let (out, outgoing) = mpsc::channel(QUEUE);
    let document = serde_json::to_vec(&node).expect("a registration has only string keys");
    let hello = agent_message::Kind::Hello(wire::Hello { protocol: wire::PROTOCOL, node: document });
    out.try_send(AgentMessage { kind: Some(hello) }).expect("the queue is new and empty");
    let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(64 << 20);
    grpc.ready().await.map_err(SessionError::Unreachable)?;
    let request = Request::new(ReceiverStream::new(outgoing));
    let path = http::uri::PathAndQuery::from_static(JOIN);
    let response = grpc.streaming(request, path, tonic_prost::ProstCodec::default()).await?;
    let mut incoming: Streaming<ServerMessage> = response.into_inner();
    let welcome = match incoming.message().await?.and_then(|m| m.kind) {
        Some(server_message::Kind::Welcome(frame)) => parse(&frame.document)?,
        Some(_) => return Err(SessionError::Unreadable("something came before welcome".into())),
        None => return Err(SessionError::Closed),
    };
    Ok(Session { welcome, sender: SessionSender { out, channel }, receiver: SessionReceiver { incoming } })
}

async fn dial(socket: PathBuf) -> Result<Channel, SessionError> {
    let connector = tower::service_fn(move |_: http::Uri| {
        let socket = socket.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
    });
    let endpoint = Endpoint::from_static("http://bayplan.server");
    endpoint.connect_with_connector(connector).await.map_err(SessionError::Unreachable)
}

fn parse<T: serde::de::DeserializeOwned>(document: &[u8]) -> Result<T, SessionError> {
    serde_json::from_slice(document).map_err(|e| SessionError::Unreadable(e.to_string()))
}

impl SessionSender {
    pub async fn observed(&self, update: ObservedUpdate) -> Result<(), SessionError> {
        self.send(agent_message::Kind::Observed(update)).await
    }

    pub async fn logs(&self, batch: LogBatch) -> Result<(), SessionError> {
        self.send(agent_message::Kind::Logs(batch)).await
    }

    async fn send(&self, kind: agent_message::Kind) -> Result<(), SessionError> {
        self.out.send(AgentMessage { kind: Some(kind) }).await.map_err(|_| SessionError::Closed)
    }

    /// Dials the stream that the server asked for. Frames sent go to the server; the stream ends when the sender is dropped.
    pub async fn open_stream(&self, id: u64) -> Result<(mpsc::Sender<Frame>, Streaming<Frame>), SessionError> {
        let (out, outgoing) = mpsc::channel(QUEUE);
        out.try_send(wire::frame::Kind::Answers(id).into()).expect("the queue is new and empty");
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(SessionError::Unreachable)?;
        let request = Request::new(ReceiverStream::new(outgoing));
        let path = http::uri::PathAndQuery::from_static(STREAM);
        let response = grpc.streaming(request, path, tonic_prost::ProstCodec::default()).await?;
        Ok((out, response.into_inner()))
    }
}

impl SessionReceiver {
    pub async fn next(&mut self) -> Result<FromServer, SessionError> {
        loop {
            let message = self.incoming.message().await?.ok_or(SessionError::Closed)?;
            return Ok(match message.kind {
                None => continue,
                Some(server_message::Kind::Welcome(_)) => continue,
                Some(server_message::Kind::Desired(frame)) => FromServer::Desired(decode(frame)?),
                Some(server_message::Kind::ObservedAck(ack)) => {
                    FromServer::ObservedAck { uid: UnitUid::new(ack.uid), sequence: ack.sequence }
                }
                Some(server_message::Kind::LogAck(ack)) => FromServer::LogAck {
                    producer: ack.producer,
                    sequence: ack.sequence,
                    refused: Some(ack.refused).filter(|words| !words.is_empty()),
                },
                Some(server_message::Kind::OpenStream(ask)) => {
                    FromServer::OpenStream { id: ask.id, request: parse(&ask.request)? }
                }
            });
        }
    }
}

fn decode(frame: wire::DesiredFrame) -> Result<Desired, SessionError> {
    let assignments: Result<Vec<Assignment>, _> = frame.assignments.iter().map(|d| parse(d)).collect();
    Ok(Desired {
        epoch: frame.epoch,
        revision: frame.revision,
        complete: frame.complete,
        assignments: assignments?,
        gone: frame.gone.into_iter().map(UnitUid::new).collect(),
    })
}
