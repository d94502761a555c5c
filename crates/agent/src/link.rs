//! One connection to a Unit's supervisor: calls with descriptors, and its events; decides nothing.

use crate::directory::random_u32;
use runtime::protocol::{self, Body, Event, Failure, FrameError, Reply, Request, State, ToAgent, ToSupervisor};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Calls that may wait to be written, and events that may wait to be read.
const QUEUE: usize = 64;
const READ_BYTES: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// No supervisor listens: it died, or was never there.
    #[error("the supervisor is gone")]
    Gone,
    #[error("the supervisor cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the supervisor sent something that is not its protocol")]
    Unreadable(#[source] FrameError),
    #[error(transparent)]
    Failed(#[from] Failure),
}

type Answer = Result<(Reply, Vec<OwnedFd>), LinkError>;

struct Call {
    request: Request,
    fds: Vec<OwnedFd>,
    answer: oneshot::Sender<Answer>,
}

/// The calling half. The connection ends with it.
#[derive(Debug)]
pub(crate) struct Link {
    calls: mpsc::Sender<Call>,
    pump: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Link {
    /// Connects, says hello and becomes the supervisor's only agent. The events end when the supervisor does.
    pub(crate) async fn connect(run_dir: &Path) -> Result<(Self, State, mpsc::Receiver<Event>), LinkError> {
        let stream = connect(run_dir).await?;
        let (calls, incoming) = mpsc::channel(QUEUE);
        let (events, receiver) = mpsc::channel(QUEUE);
        #[allow(clippy::disallowed_methods, reason = "the handle is kept and aborted when the link is dropped")]
        let pump = tokio::spawn(Pump::new(stream, events).run(incoming));
        let link = Self { calls, pump };
        match link.call(Request::Hello { version: protocol::VERSION }, Vec::new()).await? {
            (Reply::State(state), _) => Ok((link, *state, receiver)),
            _ => Err(LinkError::Gone),
        }
    }

    pub(crate) async fn call(&self, request: Request, fds: Vec<OwnedFd>) -> Answer {
        let (answer, wait) = oneshot::channel();
        self.calls.send(Call { request, fds, answer }).await.map_err(|_| LinkError::Gone)?;
        wait.await.map_err(|_| LinkError::Gone)?
    }

    /// A call whose answer carries nothing.
    pub(crate) async fn tell(&self, request: Request) -> Result<(), LinkError> {
        self.call(request, Vec::new()).await.map(drop)
    }
}

/// Long run folders do not fit into a socket address, so the address goes through a descriptor of the folder.
async fn connect(run_dir: &Path) -> Result<UnixStream, LinkError> {
    let dir = std::fs::File::open(run_dir).map_err(|_| LinkError::Gone)?;
    let address = format!("/proc/self/fd/{}/{}", dir.as_raw_fd(), runtime::launch::SOCKET_NAME);
    UnixStream::connect(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => LinkError::Gone,
        _ => LinkError::Unreachable(error),
    })
}

struct Pump {
    stream: UnixStream,
    events: mpsc::Sender<Event>,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    next_id: u64,
    buffer: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Pump {
    fn new(stream: UnixStream, events: mpsc::Sender<Event>) -> Self {
        // What a former agent asked may still be answered, here: it must not be taken for an answer to this one.
        let next_id = u64::from(random_u32()) << 24;
        Self { stream, events, waiting: HashMap::new(), next_id, buffer: Vec::new(), descriptors: VecDeque::new() }
    }

    async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        loop {
            let going_on = tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => self.write(call).await,
                    None => return,
                },
                ready = self.stream.ready(Interest::READABLE) => match ready {
                    Ok(_) => self.read().await,
                    Err(error) => Err(LinkError::Unreachable(error)),
                },
            };
            if let Err(error) = going_on {
                if !matches!(error, LinkError::Gone) {
                    tracing::warn!(%error, "a connection to a supervisor broke");
                }
                return;
            }
        }
    }

    async fn write(&mut self, call: Call) -> Result<(), LinkError> {
        let id = self.next_id;
        self.next_id += 1;
        let message = ToSupervisor { id, request: call.request, fds: call.fds.len() as u8 };
        let frame = protocol::encode(&message).map_err(LinkError::Unreadable)?;
        self.waiting.insert(id, call.answer);
        let mut sent = 0;
        while sent < frame.len() {
            let rest = &frame[sent..];
            // Descriptors ride with the first byte only.
            let fds: Vec<BorrowedFd<'_>> =
                if sent == 0 { call.fds.iter().map(AsFd::as_fd).collect() } else { Vec::new() };
            let stream = &self.stream;
            let wrote = stream.async_io(Interest::WRITABLE, || send(stream.as_fd(), rest, &fds)).await;
            sent += wrote.map_err(gone)?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), LinkError> {
        let mut bytes = vec![0u8; READ_BYTES];
        let received = self.stream.try_io(Interest::READABLE, || receive(self.stream.as_fd(), &mut bytes));
        let (length, mut descriptors) = match received {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(gone(error)),
        };
        if length == 0 {
            return Err(LinkError::Gone);
        }
        self.descriptors.append(&mut descriptors);
        self.buffer.extend_from_slice(&bytes[..length]);
        while let Some(message) = protocol::decode::<ToAgent>(&mut self.buffer).map_err(LinkError::Unreadable)? {
            let count = usize::from(message.fds).min(self.descriptors.len());
            let fds: Vec<OwnedFd> = self.descriptors.drain(..count).collect();
            match message.body {
                Body::Reply { id, result } => {
                    if let Some(answer) = self.waiting.remove(&id) {
                        // Nobody waits when the caller was dropped: then nobody misses the answer.
                        let _ = answer.send(result.map(|reply| (reply, fds)).map_err(LinkError::Failed));
                    }
                }
                Body::Event(event) => self.events.send(event).await.map_err(|_| LinkError::Gone)?,
            }
        }
        Ok(())
    }
}

fn gone(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LinkError::Gone,
        _ => LinkError::Unreachable(error),
    }
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(protocol::MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("more descriptors than a frame may carry"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, VecDeque<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(protocol::MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = VecDeque::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
        }
    }
    Ok((message.bytes, descriptors))
}
