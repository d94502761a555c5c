//! Exec and logs: the connection is upgraded and carries the node's frames, each behind its length.

use super::{Admin, Body, Refusal, find, full, why};
use bytes::{Buf, BytesMut};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use model::unit::{ContainerState, Lifecycle, Unit};
use model::{Snapshot, UnitName};
use prost::Message;
use session::stream::NodeStreams;
use session::wire::{End, Frame, frame};
use session::{StreamRequest, stream::OpenedStream};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The protocol that the connection changes to.
pub(crate) const PROTOCOL: &str = "bayplan-frames";
/// What is said of a program whose node broke off. A log that breaks off is gone on with by whoever reads it.
const LOST_PROGRAM: &str = "the node's agent ended while the program ran, and the program was ended with it; the task was not touched: run it again";
/// Longest frame, in bytes.
const FRAME_MAX: usize = 1 << 20;

impl Admin {
    /// Opens the stream on the task's node, then hands the connection over.
    pub(super) async fn stream(self: &Arc<Self>, mut request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let upgrade = hyper::upgrade::on(&mut request);
        let question = super::body(request).await?;
        let is_exec = question["kind"] == "exec";
        let opened = self.open(question).await?;
        #[allow(
            clippy::disallowed_methods,
            reason = "it lives as long as its one connection, which ends with the server"
        )]
        tokio::spawn(async move {
            match upgrade.await {
                Ok(connection) => relay(TokioIo::new(connection), opened, is_exec.then_some(LOST_PROGRAM)).await,
                Err(error) => tracing::debug!(%error, "a stream's connection was not handed over"),
            }
        });
        let mut response = Response::new(full(String::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("upgrade", http::HeaderValue::from_static(PROTOCOL));
        response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
        Ok(response)
    }

    async fn open(&self, mut question: serde_json::Value) -> Result<OpenedStream, Refusal> {
        let snapshot = self.records.current();
        let reference = question["unit"].as_str().unwrap_or_default().to_owned();
        let unit = find::unit(&snapshot, &reference)?;
        question["unit"] = serde_json::Value::from(unit.uid.as_str());
        let node = unit.placement.node().cloned();
        let node = node.ok_or_else(|| Refusal::not_found("the task is on no node yet; `bayplan why` says why"))?;
        let request: StreamRequest =
            serde_json::from_value(question).map_err(|e| Refusal(StatusCode::BAD_REQUEST, e.to_string()))?;
        let opened = match request {
            StreamRequest::Exec(exec) => {
                if let Some(words) = why::not_running(unit) {
                    return Err(Refusal(StatusCode::CONFLICT, words));
                }
                self.sessions.exec(&node, exec).await
            }
            StreamRequest::Logs(logs) => {
                if logs.follow {
                    self.begun(&unit.name).await;
                }
                self.sessions.logs(&node, logs).await
            }
        };
        opened.map_err(Refusal::internal)
    }

    /// Waits until a task has a container that was started, or ends without one: before that there is nothing to follow.
    async fn begun(&self, name: &UnitName) {
        let begun = |unit: &Unit| {
            let started = unit.observed.containers.iter().any(|c| c.state >= ContainerState::Running);
            started || unit.observed.lifecycle >= Lifecycle::Stopping
        };
        let done = |snapshot: &Snapshot| snapshot.units.get(name).is_none_or(|unit| begun(unit)).then_some(());
        // A server that is shutting down serves no stream either, and says so next.
        let _ = self.records.wait_for(done).await;
    }
}

/// Carries frames both ways until either end is done. A node that breaks off before its last frame is spoken for, where there
/// are words for it.
async fn relay(connection: impl AsyncRead + AsyncWrite + Unpin, opened: OpenedStream, broken_off: Option<&str>) {
    let (mut from_user, mut to_user) = tokio::io::split(connection);
    let OpenedStream { to_node, mut from_node } = opened;
    let down = async {
        let mut ended = false;
        while let Some(frame) = from_node.recv().await {
            ended |= matches!(frame.kind, Some(frame::Kind::End(_)));
            if write_frame(&mut to_user, &frame).await.is_err() {
                return;
            }
        }
        if let Some(words) = broken_off.filter(|_| !ended) {
            let end = frame::Kind::End(End { exit_code: 1, error: words.to_owned() });
            let _ = write_frame(&mut to_user, &end.into()).await;
        }
        // The last frame is through: nothing more comes.
        let _ = to_user.shutdown().await;
    };
    let up = async {
        let mut buffer = BytesMut::new();
        while let Ok(Some(frame)) = read_frame(&mut from_user, &mut buffer).await {
            if to_node.send(frame).await.is_err() {
                break;
            }
        }
        drop(to_node);
    };
    tokio::pin!(up);
    tokio::select! {
        () = down => {}
        // A user who has gone ends the stream; one who has only nothing to say has not closed the connection.
        () = &mut up => {}
    }
}

/// Writes a frame behind its length, four bytes, big end first.
pub(crate) async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let bytes = frame.encode_to_vec();
    to.write_all(&(bytes.len() as u32).to_be_bytes()).await?;
    to.write_all(&bytes).await?;
    to.flush().await
}

/// The next whole frame; None at the end.
pub(crate) async fn read_frame(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Option<Frame>> {
    loop {
        if let Some(head) = buffer.first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > FRAME_MAX {
                return Err(io::Error::other("a frame is too long"));
            }
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                let bytes = buffer.split_to(length);
                return Frame::decode(bytes.freeze()).map(Some).map_err(io::Error::other);
            }
        }
        if from.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
