//! One attempt of one container: its process, streams, log and status; and how it advances.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use runtime::cgroup::{Group, observe};
use runtime::dev;
use runtime::failure::StartError;
use runtime::protocol::{ContainerState, Exit, Failure, Status};
use runtime::spec::ContainerSpec;
use runtime::start::{Child, Streams};
use runtime::sys::process::{self, Ended};
use runtime::sys::{self, set_nonblocking};

use crate::lines::{Splitter, Stream};
use crate::log::Log;

/// How long a pipe may stay open after the program's end (held by somebody outside its group), in milliseconds.
pub(crate) const DRAIN_GRACE_MS: u64 = 1000;

/// One attempt.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) attempt: u32,
    pub(crate) spec: ContainerSpec,
    pub(crate) status: Status,
    pub(crate) group: Group,
    pub(crate) devices: Vec<dev::Found>,
    pub(crate) log: Log,
    /// v1's out-of-memory event.
    pub(crate) oom: Option<OwnedFd>,
    pub(crate) child: Option<Child>,
    /// Set while the start is under way: who asked.
    pub(crate) start_request: Option<u64>,
    pub(crate) outputs: Vec<Output>,
    /// Feeds stdin.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
    /// Gets a copy of all output.
    pub(crate) tee: Option<OwnedFd>,
    /// The program's end, while its last output is still read.
    pub(crate) ended: Option<Finished>,
    /// Dropped lines that the agent has heard of.
    pub(crate) reported_drops: u64,
}

/// The end of a program, before it is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    pub(crate) how: Ended,
    pub(crate) oom_killed: bool,
    pub(crate) at_unix_ms: u64,
    /// When waiting for its pipes ends.
    pub(crate) drain_deadline_ms: u64,
}

/// A pipe or terminal that is read.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) fd: OwnedFd,
    pub(crate) stream: Stream,
    pub(crate) splitter: Splitter,
}

impl Output {
    /// Reads `fd` as one of the streams.
    pub(crate) fn new(fd: OwnedFd, stream: Stream) -> Self {
        Self { fd, stream, splitter: Splitter::default() }
    }
}

impl Container {
    /// Records an attempt.
    pub(crate) fn new(attempt: u32, spec: ContainerSpec, group: Group, devices: Vec<dev::Found>, log: Log) -> Self {
        Self {
            attempt,
            spec,
            status: Status::Created,
            group,
            devices,
            log,
            oom: None,
            child: None,
            start_request: None,
            outputs: Vec::new(),
            stdin: None,
            terminal: None,
            tee: None,
            ended: None,
            reported_drops: 0,
        }
    }

    /// What the agent is told.
    pub(crate) fn state(&self) -> ContainerState {
        ContainerState {
            container: self.spec.name.clone(),
            attempt: self.attempt,
            status: self.status.clone(),
            spec: self.spec.clone(),
            log: self.log.state(),
        }
    }

    /// Whether it has, or may soon have, a process.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.status, Status::Starting | Status::Running { .. })
    }

    /// The process id while the program runs; not reaped yet, so the number is still its own.
    pub(crate) fn running_pid(&self) -> Option<i32> {
        let runs = matches!(self.status, Status::Running { .. }) && self.ended.is_none();
        self.child.as_ref().filter(|_| runs).map(|child| child.pid)
    }

    /// Makes the streams for its process; keeps our ends.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn open_streams(&mut self) -> io::Result<Streams> {
        if self.spec.tty {
            return Ok(Streams::Terminal);
        }
        let stdin = if self.spec.stdin_open {
            let (read, write) = sys::pipe()?;
            self.stdin = Some(write);
            read
        } else {
            sys::dev_null()?
        };
        let (stdout, stdout_in) = sys::pipe()?;
        let (stderr, stderr_in) = sys::pipe()?;
        for (fd, stream) in [(stdout, Stream::Stdout), (stderr, Stream::Stderr)] {
            set_nonblocking(&fd)?;
            self.outputs.push(Output::new(fd, stream));
        }
        Ok(Streams::Pipes([stdin, stdout_in, stderr_in]))
    }

    /// Takes the master of the terminal that its process made.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn take_terminal(&mut self, master: OwnedFd) -> io::Result<()> {
        set_nonblocking(&master)?;
        self.outputs.push(Output::new(sys::duplicate(&master)?, Stream::Stdout));
        self.terminal = Some(master);
        Ok(())
    }

    /// Whether its output may be read now. After its end the rest is taken whatever the spool says: it is one pipe full.
    pub(crate) fn may_read(&self) -> bool {
        self.ended.is_some() || !self.log.is_full()
    }

    /// Reads one of its outputs into the log; forgets it at its end.
    pub(crate) fn pump(&mut self, output: libc::c_int, buffer: &mut [u8]) {
        let Some(at) = self.outputs.iter().position(|o| o.fd.as_raw_fd() == output) else { return };
        let source = &mut self.outputs[at];
        match read(&source.fd, buffer) {
            Ok(0) => self.finish_output(at),
            Ok(got) => {
                let (log, stream) = (&mut self.log, source.stream);
                source.splitter.feed(&buffer[..got], |line| log.push(stream, line, process::wall_clock()));
                log.flush();
                self.copy_out(&buffer[..got]);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // A terminal whose last user has gone reads as EIO.
            Err(_) => self.finish_output(at),
        }
    }

    fn finish_output(&mut self, at: usize) {
        let mut source = self.outputs.swap_remove(at);
        let log = &mut self.log;
        source.splitter.finish(|line| log.push(source.stream, line, process::wall_clock()));
        log.flush();
        if self.outputs.is_empty() {
            self.tee = None;
        }
    }

    fn copy_out(&mut self, bytes: &[u8]) {
        let Some(tee) = &self.tee else { return };
        match write(tee, bytes) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => self.tee = None,
            _ => {}
        }
    }

    /// The start has failed: there was no program.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.status = Status::StartFailed(failure);
        self.close_streams();
    }

    fn close_streams(&mut self) {
        self.outputs.clear();
        (self.stdin, self.terminal, self.tee) = (None, None, None);
    }

    /// Its first process was reaped: nothing of it shall live on.
    pub(crate) fn end(&mut self, how: Ended) {
        // What is left in the group goes with its first process, in every kind of PID namespace.
        let _ = self.group.kill();
        self.ended = Some(Finished {
            how,
            oom_killed: observe::was_oom_killed(&self.group, self.oom.as_ref()),
            at_unix_ms: process::unix_ms(),
            drain_deadline_ms: process::monotonic_ms() + DRAIN_GRACE_MS,
        });
        self.stdin = None;
    }

    /// Its exit, once all it wrote is in the log or the grace is over.
    pub(crate) fn take_exit(&mut self, seq: u64) -> Option<Exit> {
        let finished = self.ended?;
        if !self.outputs.is_empty() && process::monotonic_ms() < finished.drain_deadline_ms {
            return None;
        }
        while !self.outputs.is_empty() {
            self.finish_output(0);
        }
        self.ended = None;
        self.child = None;
        self.close_streams();
        let (code, signal) = match finished.how {
            Ended::Code(code) => (Some(code), None),
            Ended::Signal(signal) => (None, Some(signal)),
        };
        let exit = Exit {
            seq,
            container: self.spec.name.clone(),
            attempt: self.attempt,
            code,
            signal,
            oom_killed: finished.oom_killed,
            finished_at_unix_ms: finished.at_unix_ms,
        };
        self.status = Status::Exited(exit.clone());
        Some(exit)
    }
}

/// Checks what can be checked before anything is made.
///
/// # Errors
/// [`StartError`] of kind `Invalid`.
pub(crate) fn check(spec: &ContainerSpec) -> Result<(), StartError> {
    if spec.argv.first().is_none_or(String::is_empty) {
        return Err(StartError::invalid("exec", "there is no command: neither the image nor the spec names one"));
    }
    if spec.rootfs.lower.is_empty() {
        return Err(StartError::invalid("rootfs", "the container has no layer"));
    }
    runtime::caps::wanted(&spec.security, u64::MAX).map(drop)
}

pub(crate) fn read(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live buffer.
    let got = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

fn write(fd: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live buffer.
    let put = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(put).map_err(|_| io::Error::last_os_error())
}
