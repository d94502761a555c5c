//! The agent's end of the line: frames in, frames out, bounded, never waiting.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use runtime::protocol::{self, Body, Event, Failure, Reply, ToAgent, ToSupervisor};
use runtime::sys::socket;

/// Most bytes kept for an agent that does not read; above, it must reconnect and ask for the state.
const MAX_OUTGOING_BYTES: usize = 8 << 20;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    /// Set by its `Hello`.
    pub(crate) greeted: bool,
    incoming: Vec<u8>,
    received_fds: VecDeque<OwnedFd>,
    outgoing: VecDeque<Frame>,
    outgoing_bytes: usize,
}

#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<OwnedFd>,
}

/// A request with the descriptors that came along.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: ToSupervisor,
    pub(crate) fds: Vec<OwnedFd>,
}

impl Connection {
    /// Takes over an accepted, non-blocking stream.
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            greeted: false,
            incoming: Vec::new(),
            received_fds: VecDeque::new(),
            outgoing: VecDeque::new(),
            outgoing_bytes: 0,
        }
    }

    /// For polling.
    pub(crate) fn number(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether something waits to be sent.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Reads what is there; `false` when the peer has gone.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut fds = Vec::new();
        let got = match socket::receive(&self.stream, buffer, &mut fds) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            other => other?,
        };
        self.received_fds.extend(fds);
        self.incoming.extend_from_slice(&buffer[..got]);
        Ok(got > 0)
    }

    /// The next whole request.
    ///
    /// # Errors
    /// The peer speaks another language; close.
    pub(crate) fn next_request(&mut self) -> Result<Option<Received>, protocol::FrameError> {
        let Some(message) = protocol::decode::<ToSupervisor>(&mut self.incoming)? else {
            if self.incoming.is_empty() {
                // An idle supervisor keeps no buffer.
                self.incoming = Vec::new();
            }
            return Ok(None);
        };
        let count = usize::from(message.fds).min(self.received_fds.len());
        Ok(Some(Received { message, fds: self.received_fds.drain(..count).collect() }))
    }

    /// Queues an answer.
    pub(crate) fn reply(&mut self, id: u64, result: Result<Reply, Failure>, fds: Vec<OwnedFd>) {
        self.queue(Body::Reply { id, result }, fds);
    }

    /// Queues news.
    pub(crate) fn event(&mut self, event: Event) {
        if self.greeted {
            self.queue(Body::Event(event), Vec::new());
        }
    }

    fn queue(&mut self, body: Body, fds: Vec<OwnedFd>) {
        match protocol::encode(&ToAgent { body, fds: fds.len() as u8 }) {
            Ok(bytes) => {
                self.outgoing_bytes += bytes.len();
                self.outgoing.push_back(Frame { bytes, sent: 0, fds });
            }
            // Nothing that is said here comes near the limit; a peer that asks again finds the state.
            Err(_) => self.outgoing_bytes = usize::MAX,
        }
    }

    /// Sends what fits; `false` when the peer has gone or lags too far behind.
    pub(crate) fn send(&mut self) -> bool {
        while let Some(frame) = self.outgoing.front_mut() {
            let fds: Vec<RawFd> =
                if frame.sent == 0 { frame.fds.iter().map(AsRawFd::as_raw_fd).collect() } else { Vec::new() };
            match socket::send(&self.stream, &frame.bytes[frame.sent..], &fds) {
                Ok(sent) => frame.sent += sent,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return self.outgoing_bytes < MAX_OUTGOING_BYTES,
                Err(_) => return false,
            }
            if frame.sent == frame.bytes.len() {
                self.outgoing_bytes -= frame.bytes.len();
                self.outgoing.pop_front();
            }
        }
        self.outgoing = VecDeque::new();
        true
    }
}
