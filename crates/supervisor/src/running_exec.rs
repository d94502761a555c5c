//! One program run inside a container besides its own: its process, captured output and time limit.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use runtime::protocol::{ExecExit, ExecIo, ExecSpec};
use runtime::start::{Child, Streams};
use runtime::sys::process::{self, Ended};
use runtime::sys::{self, set_nonblocking};

use crate::container::read;

/// How long captured pipes may stay open after the program's end, in milliseconds.
const DRAIN_GRACE_MS: u64 = 100;

/// One exec.
#[derive(Debug)]
pub(crate) struct RunningExec {
    pub(crate) spec: ExecSpec,
    pub(crate) child: Child,
    /// Set while the start is under way: who asked.
    pub(crate) start_request: Option<u64>,
    /// Our ends of captured streams.
    pub(crate) captured: Vec<OwnedFd>,
    /// Ends to hand over with the reply.
    pub(crate) returned: Vec<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
    output: Vec<u8>,
    truncated: bool,
    pub(crate) deadline_ms: Option<u64>,
    timed_out: bool,
    ended: Option<(Ended, u64)>,
}

/// The ends of an exec's streams: the child's, those we read, those we hand over.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) streams: Streams,
    pub(crate) captured: Vec<OwnedFd>,
    pub(crate) returned: Vec<OwnedFd>,
}

/// Makes the streams that `spec` asks for.
///
/// # Errors
/// `EINVAL` when three descriptors should have come along and did not; no descriptor is left.
pub(crate) fn open_streams(spec: &ExecSpec, passed: Vec<OwnedFd>) -> io::Result<Ends> {
    let only = |streams| Ends { streams, captured: Vec::new(), returned: Vec::new() };
    match spec.io {
        _ if spec.tty => Ok(only(Streams::Terminal)),
        ExecIo::Passed => {
            let three: [OwnedFd; 3] = passed.try_into().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
            Ok(only(Streams::Pipes(three)))
        }
        ExecIo::Capture { .. } => {
            let (read, write) = sys::pipe()?;
            set_nonblocking(&read)?;
            let streams = Streams::Pipes([sys::dev_null()?, sys::duplicate(&write)?, write]);
            Ok(Ends { streams, captured: vec![read], returned: Vec::new() })
        }
        ExecIo::Returned => {
            let ((stdin, feed), (stdout, out), (stderr, err)) = (sys::pipe()?, sys::pipe()?, sys::pipe()?);
            Ok(Ends {
                streams: Streams::Pipes([stdin, out, err]),
                captured: Vec::new(),
                returned: vec![feed, stdout, stderr],
            })
        }
    }
}

impl RunningExec {
    /// An exec whose process was just cloned.
    pub(crate) fn new(spec: ExecSpec, child: Child, request: u64, ends: Ends) -> Self {
        let deadline_ms = (spec.timeout_ms > 0).then(|| process::monotonic_ms() + spec.timeout_ms);
        Self {
            spec,
            child,
            start_request: Some(request),
            captured: ends.captured,
            returned: ends.returned,
            terminal: None,
            output: Vec::new(),
            truncated: false,
            deadline_ms,
            timed_out: false,
            ended: None,
        }
    }

    /// Takes the master of its terminal: to hand over, or to capture from.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn take_terminal(&mut self, master: OwnedFd) -> io::Result<()> {
        let copy = sys::duplicate(&master)?;
        match self.spec.io {
            ExecIo::Capture { .. } => self.captured.push(copy),
            _ => self.returned.push(copy),
        }
        self.terminal = Some(master);
        Ok(())
    }

    /// Keeps what it wrote, up to its bound.
    pub(crate) fn pump(&mut self, fd: libc::c_int, buffer: &mut [u8]) {
        let Some(at) = self.captured.iter().position(|c| c.as_raw_fd() == fd) else { return };
        let ExecIo::Capture { max_bytes } = self.spec.io else { return };
        match read(&self.captured[at], buffer) {
            Ok(got) if got > 0 => {
                let room = (max_bytes as usize).saturating_sub(self.output.len());
                self.truncated |= got > room;
                self.output.extend_from_slice(&buffer[..got.min(room)]);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            _ => drop(self.captured.swap_remove(at)),
        }
    }

    /// SIGKILL to its process and the group that it leads.
    pub(crate) fn kill(&self) {
        let _ = process::pidfd_signal(&self.child.pidfd, libc::SIGKILL);
        if self.ended.is_none() {
            // Not reaped yet, so the number is still its own.
            let _ = process::kill(-self.child.pid, libc::SIGKILL);
        }
    }

    /// Kills it when its time is over.
    pub(crate) fn enforce_deadline(&mut self, now_ms: u64) {
        if self.ended.is_none() && self.deadline_ms.is_some_and(|deadline| now_ms >= deadline) {
            self.timed_out = true;
            self.deadline_ms = None;
            self.kill();
        }
    }

    /// Its process was reaped.
    pub(crate) fn end(&mut self, how: Ended) {
        self.ended = Some((how, process::monotonic_ms() + DRAIN_GRACE_MS));
        self.deadline_ms = None;
    }

    /// When something is due without any descriptor becoming ready.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.ended.map(|(_, drained)| drained).or(self.deadline_ms)
    }

    /// Its end, once its output is complete or the grace is over.
    pub(crate) fn exit(&self, now_ms: u64) -> Option<ExecExit> {
        let (how, drained) = self.ended?;
        if self.start_request.is_some() || (!self.captured.is_empty() && now_ms < drained) {
            return None;
        }
        let (code, signal) = match how {
            Ended::Code(code) => (Some(code), None),
            Ended::Signal(signal) => (None, Some(signal)),
        };
        Some(ExecExit {
            exec: self.spec.exec,
            container: self.spec.container.clone(),
            code,
            signal,
            timed_out: self.timed_out,
            output: String::from_utf8_lossy(&self.output).into_owned(),
            truncated: self.truncated,
        })
    }
}
