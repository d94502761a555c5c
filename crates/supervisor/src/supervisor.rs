//! The loop: waits for descriptors, signals and deadlines, and hands each to the part it belongs to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use runtime::cgroup::{CgroupError, Group, Host};
use runtime::namespaces::Others;
use runtime::protocol::{Event, Exit, Failure, Reply, State, Status, VERSION};
use runtime::status::{self, Said};
use runtime::sys::process::{self, Ended};
use runtime::sys::{self, socket};
use runtime::{launch, protocol};

use crate::connection::Connection;
use crate::container::Container;
use crate::running_exec::RunningExec;
use crate::sandbox::LiveSandbox;

/// The one buffer that everything is read through.
const BUFFER_BYTES: usize = 64 << 10;

/// How often dropped log lines are told at most, in milliseconds.
pub(crate) const DROPS_EVERY_MS: u64 = 1000;

/// Whose supervisor this is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) instance: String,
    pub(crate) unit: String,
    pub(crate) run_dir: PathBuf,
}

/// Why a supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartupError {
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("{}", crate::sandbox::with_cause(.0))]
    Cgroup(#[from] CgroupError),
}

/// All the state of one supervisor.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) identity: Identity,
    /// The Unit's parent group.
    pub(crate) group: Group,
    /// The empty folder over which roots are built, each in its own mount namespace.
    pub(crate) place: PathBuf,
    /// Our own sealed program.
    pub(crate) program: OwnedFd,
    /// This process, for children to see its end.
    pub(crate) me: OwnedFd,
    signals: OwnedFd,
    pub(crate) listener: UnixListener,
    /// The active connection and those that have not said hello.
    pub(crate) connections: Vec<Connection>,
    pub(crate) sandbox: Option<LiveSandbox>,
    pub(crate) held: BTreeMap<String, OwnedFd>,
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) execs: BTreeMap<u64, RunningExec>,
    pub(crate) exits: Vec<Exit>,
    pub(crate) last_exit_seq: u64,
    /// Groups of forgotten attempts, until the kernel lets them go.
    pub(crate) leaving: Vec<Leaving>,
    buffer: Box<[u8]>,
    boot_id: String,
    pub(crate) started_at_unix_ms: u64,
    pub(crate) drops_told_ms: u64,
    pub(crate) finished: bool,
}

/// A group to remove, and who waits for it.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) group: Group,
    pub(crate) request: Option<u64>,
    pub(crate) deadline_ms: u64,
    pub(crate) retry_ms: u64,
}

/// What a polled descriptor belongs to.
#[derive(Debug, Clone)]
enum Source {
    Signals,
    Listener,
    Connection(usize),
    ContainerStatus(String),
    ContainerOutput(String),
    ExecStatus(u64),
    ExecOutput(u64),
}

/// Names of siblings and held descriptors, for [`runtime::namespaces::choose`].
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) containers: &'a BTreeMap<String, Container>,
    pub(crate) held: &'a BTreeMap<String, OwnedFd>,
}

impl Others for Known<'_> {
    fn container(&self, name: &str) -> Option<i32> {
        self.containers.get(name)?.running_pid()
    }

    fn held(&self, name: &str) -> Option<&OwnedFd> {
        self.held.get(name)
    }
}

impl Supervisor {
    /// Listens, in a process that [`detach`] has prepared.
    ///
    /// # Errors
    /// [`StartupError`], in words for the launcher.
    pub(crate) fn start(identity: Identity) -> Result<Self, StartupError> {
        let failed = |what| move |source| StartupError::Io { what, source };
        let path = launch::socket_path(&identity.run_dir);
        // A supervisor that died left its file; a live one would answer.
        if socket::connect(&path).is_err() {
            let _ = std::fs::remove_file(&path);
        }
        let listener = socket::listen(&path).map_err(failed("the supervisor's socket cannot be made"))?;
        Self::with_listener(identity, listener)
    }

    /// Everything but the socket, which a replaced program hands down.
    ///
    /// # Errors
    /// As [`Supervisor::start`].
    pub(crate) fn with_listener(identity: Identity, listener: UnixListener) -> Result<Self, StartupError> {
        let failed = |what| move |source| StartupError::Io { what, source };
        let host = Host::probe()?;
        let group = host.unit(&identity.instance, &identity.unit)?;
        let supervisors = host.supervisors(&identity.instance)?;
        supervisors.create()?;
        supervisors.enter()?;
        let place = identity.run_dir.join("root");
        match std::fs::DirBuilder::new().mode(0o700).create(&place) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(failed("the run folder cannot be written"))?,
        }
        let signals = process::signalfd(&[libc::SIGCHLD]).map_err(failed("signals cannot be received"))?;
        listener.set_nonblocking(true).map_err(failed("the supervisor's socket cannot be set up"))?;
        Ok(Self {
            group,
            place,
            program: launch::own_program().map_err(failed("the supervisor's own program cannot be opened"))?,
            me: process::pidfd_open(std::process::id() as i32).map_err(failed("this kernel has no pidfd"))?,
            identity,
            signals,
            listener,
            connections: Vec::new(),
            sandbox: None,
            held: BTreeMap::new(),
            containers: BTreeMap::new(),
            execs: BTreeMap::new(),
            exits: Vec::new(),
            last_exit_seq: 0,
            leaving: Vec::new(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
            started_at_unix_ms: process::unix_ms(),
            drops_told_ms: 0,
            finished: false,
        })
    }

    /// Works until a `Shutdown` was answered (a short answer, which a socket always takes at once).
    pub(crate) fn run(&mut self) {
        while !self.finished {
            let (sources, mut polled) = self.poll_set();
            if process::poll(&mut polled, self.timeout_ms()).is_err() {
                return;
            }
            for (source, ready) in sources.into_iter().zip(&polled).filter(|(_, p)| p.revents != 0) {
                self.handle(source, ready.fd);
            }
            self.advance();
        }
    }

    fn poll_set(&self) -> (Vec<Source>, Vec<libc::pollfd>) {
        let mut sources = Vec::new();
        let mut polled = Vec::new();
        let mut watch = |source, fd, events| {
            sources.push(source);
            polled.push(libc::pollfd { fd, events, revents: 0 });
        };
        watch(Source::Signals, self.signals.as_raw_fd(), libc::POLLIN);
        watch(Source::Listener, self.listener.as_raw_fd(), libc::POLLIN);
        for (at, connection) in self.connections.iter().enumerate() {
            let send = if connection.wants_to_send() { libc::POLLOUT } else { 0 };
            watch(Source::Connection(at), connection.number(), libc::POLLIN | send);
        }
        for (name, container) in &self.containers {
            if let (Status::Starting, Some(child)) = (&container.status, &container.child) {
                watch(Source::ContainerStatus(name.clone()), child.status.as_raw_fd(), libc::POLLIN);
            }
            if container.may_read() {
                for output in &container.outputs {
                    watch(Source::ContainerOutput(name.clone()), output.fd.as_raw_fd(), libc::POLLIN);
                }
            }
        }
        for (id, exec) in &self.execs {
            if exec.start_request.is_some() {
                watch(Source::ExecStatus(*id), exec.child.status.as_raw_fd(), libc::POLLIN);
            }
            for captured in &exec.captured {
                watch(Source::ExecOutput(*id), captured.as_raw_fd(), libc::POLLIN);
            }
        }
        (sources, polled)
    }

    /// Until the next deadline; -1 when there is none.
    fn timeout_ms(&self) -> i32 {
        let now = process::monotonic_ms();
        let drains = self.containers.values().filter_map(|c| c.ended.map(|e| e.drain_deadline_ms));
        let execs = self.execs.values().filter_map(RunningExec::next_deadline_ms);
        let leaving = self.leaving.iter().map(|l| now + l.retry_ms);
        let untold = self.containers.values().any(|c| c.log.state().dropped_lines > c.reported_drops);
        let drops = untold.then_some(self.drops_told_ms + DROPS_EVERY_MS);
        let next = drains.chain(execs).chain(leaving).chain(drops).min();
        next.map_or(-1, |at| at.saturating_sub(now).min(60_000) as i32)
    }

    fn handle(&mut self, source: Source, fd: libc::c_int) {
        match source {
            Source::Signals => self.reap(),
            Source::Listener => self.accept(),
            Source::Connection(at) => self.serve(at),
            Source::ContainerStatus(name) => self.container_said(&name),
            Source::ContainerOutput(name) => {
                if let Some(container) = self.containers.get_mut(&name) {
                    container.pump(fd, &mut self.buffer);
                }
            }
            Source::ExecStatus(id) => self.exec_said(id),
            Source::ExecOutput(id) => {
                if let Some(exec) = self.execs.get_mut(&id) {
                    exec.pump(fd, &mut self.buffer);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.connections.push(Connection::new(stream));
            }
        }
    }

    fn serve(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at) else { return };
        let alive = connection.read(&mut self.buffer).unwrap_or(false);
        let number = connection.number();
        // Requests may close or add connections: find this one anew each time.
        while let Some(connection) = self.connections.iter_mut().find(|c| c.number() == number) {
            match connection.next_request() {
                Ok(Some(received)) => self.carry_out(number, received),
                Ok(None) => break,
                Err(_) => return self.connections.retain(|c| c.number() != number),
            }
        }
        if !alive {
            self.connections.retain(|c| c.number() != number);
        }
    }

    /// Answers a request on the connection that is active now: an agent that came back hears it too and passes it over.
    pub(crate) fn reply(&mut self, id: u64, result: Result<Reply, Failure>, fds: Vec<OwnedFd>) {
        if let Some(connection) = self.connections.iter_mut().find(|c| c.greeted) {
            connection.reply(id, result, fds);
        }
    }

    /// Tells the agent, if one is connected.
    pub(crate) fn tell(&mut self, event: &Event) {
        for connection in &mut self.connections {
            connection.event(event.clone());
        }
    }

    /// Everything that a connecting agent needs to know.
    pub(crate) fn state(&self) -> State {
        State {
            version: VERSION,
            pid: std::process::id() as i32,
            boot_id: self.boot_id.clone(),
            started_at_unix_ms: self.started_at_unix_ms,
            sandbox: self.sandbox.as_ref().map(|sandbox| sandbox.spec.clone()),
            containers: self.containers.values().map(Container::state).collect(),
            exits: self.exits.clone(),
            execs: self.execs.keys().copied().collect(),
            held: self.held.keys().cloned().collect(),
        }
    }

    /// Collects every ended child, ours or adopted.
    pub(crate) fn reap(&mut self) {
        let mut siginfo = [0; 128];
        while File::from(match self.signals.try_clone() {
            Ok(copy) => copy,
            Err(_) => return,
        })
        .read(&mut siginfo)
        .is_ok_and(|got| got > 0)
        {}
        while let Ok(Some((pid, ended))) = process::reap(-1) {
            self.process_ended(pid, ended);
        }
    }

    fn process_ended(&mut self, pid: i32, ended: Ended) {
        let container = self.containers.iter().find(|(_, c)| c.child.as_ref().is_some_and(|child| child.pid == pid));
        if let Some((name, _)) = container {
            let name = name.clone();
            // A program may have run and ended before we heard that it runs.
            self.container_said(&name);
            if let Some(container) = self.containers.get_mut(&name) {
                match container.status {
                    Status::Running { .. } => container.end(ended),
                    _ => container.child = None,
                }
            }
            return;
        }
        if let Some(sandbox) = &mut self.sandbox {
            sandbox.process_ended(pid);
        }
        let exec = self.execs.iter().find(|(_, e)| e.child.pid == pid).map(|(id, _)| *id);
        if let Some(id) = exec {
            self.exec_said(id);
            if let Some(exec) = self.execs.get_mut(&id) {
                exec.end(ended);
            }
        }
    }

    /// Follows a starting container until it runs or has failed.
    fn container_said(&mut self, name: &str) {
        while let Some(container) = self.containers.get_mut(name) {
            let (Status::Starting, Some(child)) = (&container.status, &container.child) else { return };
            let pid = child.pid;
            let failure = match status::read(&child.status) {
                Ok(Said::Nothing) => return,
                Ok(Said::Terminal(master)) => match container.take_terminal(master) {
                    Ok(()) => continue,
                    Err(e) => system("the terminal cannot be kept", &e),
                },
                Ok(Said::Failed(failure)) => failure,
                Ok(Said::Closed) => return self.started(name, pid),
                Err(e) => system("the starting process cannot be heard", &e),
            };
            let _ = container.group.kill();
            container.fail(failure.clone());
            if let Some(request) = container.start_request.take() {
                self.reply(request, Err(failure), Vec::new());
            }
        }
    }

    fn started(&mut self, name: &str, pid: i32) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let started_at_unix_ms = process::unix_ms();
        container.status = Status::Running { pid, started_at_unix_ms };
        let (request, attempt) = (container.start_request.take(), container.attempt);
        if let Some(request) = request {
            self.reply(request, Ok(Reply::Started { pid, started_at_unix_ms }), Vec::new());
        }
        self.tell(&Event::Started { container: name.to_owned(), attempt, pid, started_at_unix_ms });
    }

    /// Follows a starting exec until it runs or has failed.
    fn exec_said(&mut self, id: u64) {
        while let Some(exec) = self.execs.get_mut(&id) {
            let Some(request) = exec.start_request else { return };
            let failure = match status::read(&exec.child.status) {
                Ok(Said::Nothing) => return,
                Ok(Said::Terminal(master)) => match exec.take_terminal(master) {
                    Ok(()) => continue,
                    Err(e) => system("the terminal cannot be kept", &e),
                },
                Ok(Said::Failed(failure)) => failure,
                Ok(Said::Closed) => {
                    exec.start_request = None;
                    let fds = std::mem::take(&mut exec.returned);
                    let reply = Reply::ExecStarted { exec: id, pid: exec.child.pid };
                    return self.reply(request, Ok(reply), fds);
                }
                Err(e) => system("the starting process cannot be heard", &e),
            };
            exec.kill();
            self.execs.remove(&id);
            self.reply(request, Err(failure), Vec::new());
        }
    }
}

fn system(what: &str, error: &io::Error) -> Failure {
    Failure {
        kind: protocol::FailureKind::System,
        message: format!("{what}: {error}"),
        stage: None,
        errno: error.raw_os_error(),
    }
}

/// Own session, folder `/`, default signals, no inherited descriptors but `keep`, hidden memory, last to be killed for
/// memory.
///
/// # Errors
/// [`StartupError`].
pub(crate) fn detach(keep: &[RawFd]) -> Result<(), StartupError> {
    detach_process(keep).map_err(|source| StartupError::Io { what: "the supervisor cannot detach itself", source })
}

fn detach_process(keep: &[RawFd]) -> io::Result<()> {
    // SAFETY: this is the start of the program; nothing owns a descriptor above 2 but those to keep.
    unsafe { process::close_all_but(keep) }?;
    process::reset_signals();
    // A replaced program leads its session already.
    let _ = process::setsid();
    std::env::set_current_dir("/")?;
    process::ignore_signals(&[libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE, libc::SIGQUIT]);
    process::become_undumpable()?;
    process::become_subreaper()?;
    process::set_name(c"bayplan-super");
    // Takes CAP_SYS_RESOURCE, which a nested host may lack; then it is killed like others.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    Ok(())
}

/// The launcher has heard; from now on stdout leads nowhere.
pub(crate) fn point_stdout_at_null(launcher: File) {
    if let Ok(null) = sys::dev_null() {
        let _ = sys::replace(&launcher, &null);
    }
    // The number stays taken, so that no later descriptor becomes anybody's stdout.
    std::mem::forget(launcher);
}
