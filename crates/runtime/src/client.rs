//! A small blocking client of one supervisor, for tests and the command line; the agent has its own, asynchronous one.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::protocol::{self, Body, Event, Failure, FrameError, Reply, Request, State, ToAgent, ToSupervisor};
use crate::sys::{process, socket};

/// One connection. Events that arrive while a reply is awaited are kept for [`Client::next_event`].
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    last_id: u64,
    incoming: Vec<u8>,
    fds: VecDeque<OwnedFd>,
    events: VecDeque<Event>,
}

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the supervisor's socket cannot be used; is the supervisor alive?")]
    Io(#[from] io::Error),
    #[error("the supervisor sent something else than a message")]
    Frame(#[from] FrameError),
    #[error("the supervisor closed the connection")]
    Closed,
    #[error("the supervisor did not answer in time")]
    TimedOut,
    #[error("the supervisor refused")]
    Refused(#[from] Failure),
    #[error("the supervisor answered another question")]
    Unexpected(Box<Reply>),
}

impl Client {
    /// Connects and says hello; this becomes the supervisor's active connection.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(path: &Path) -> Result<(Self, State), ClientError> {
        let stream = socket::connect(path)?;
        let mut client =
            Self { stream, last_id: 0, incoming: Vec::new(), fds: VecDeque::new(), events: VecDeque::new() };
        match client.call(Request::Hello { version: protocol::VERSION })? {
            Reply::State(state) => Ok((client, *state)),
            other => Err(ClientError::Unexpected(Box::new(other))),
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        self.call_with(request, &[]).map(|(reply, _)| reply)
    }

    /// Asks with descriptors attached; returns those that came with the answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call_with(&mut self, request: Request, fds: &[RawFd]) -> Result<(Reply, Vec<OwnedFd>), ClientError> {
        let id = self.send(request, fds)?;
        loop {
            let message = self.receive(None)?;
            let attached = self.fds.drain(..usize::from(message.fds).min(self.fds.len())).collect();
            match message.body {
                Body::Reply { id: answered, result } if answered == id => return Ok((result?, attached)),
                Body::Reply { .. } => {}
                Body::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// Sends without waiting; the answer is passed over by later calls.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send(&mut self, request: Request, fds: &[RawFd]) -> Result<u64, ClientError> {
        self.last_id += 1;
        let message = ToSupervisor { id: self.last_id, request, fds: fds.len() as u8 };
        let frame = protocol::encode(&message)?;
        let mut sent = socket::send(&self.stream, &frame, fds)?;
        while sent < frame.len() {
            sent += socket::send(&self.stream, &frame[sent..], &[])?;
        }
        Ok(self.last_id)
    }

    /// The next event, waiting at most this long.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] and the others.
    pub fn next_event(&mut self, within: Duration) -> Result<Event, ClientError> {
        let deadline = process::monotonic_ms() + within.as_millis() as u64;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Body::Event(event) = self.receive(Some(deadline))?.body {
                return Ok(event);
            }
        }
    }

    fn receive(&mut self, deadline_ms: Option<u64>) -> Result<ToAgent, ClientError> {
        loop {
            if let Some(message) = protocol::decode(&mut self.incoming)? {
                return Ok(message);
            }
            if let Some(deadline) = deadline_ms {
                let left = deadline.saturating_sub(process::monotonic_ms());
                let mut wait = [libc::pollfd { fd: self.stream.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
                if left == 0 || process::poll(&mut wait, left as i32)? == 0 {
                    return Err(ClientError::TimedOut);
                }
            }
            let (mut chunk, mut fds) = ([0; 4096], Vec::new());
            match socket::receive(&self.stream, &mut chunk, &mut fds)? {
                0 => return Err(ClientError::Closed),
                got => self.incoming.extend_from_slice(&chunk[..got]),
            }
            self.fds.extend(fds);
        }
    }
}
