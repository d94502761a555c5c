//! Replaces the supervisor's program by a newer one: the state goes along as text, descriptors by number, children stay.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use runtime::namespaces::Sandbox;
use runtime::protocol::{Exit, LogState, Status};
use runtime::spec::{ContainerSpec, SandboxSpec};
use runtime::start::Child;
use runtime::sys::process::Ended;
use runtime::{dev, program, sys};
use serde::{Deserialize, Serialize};

use crate::container::{Container, Finished, Output};
use crate::lines::{Splitter, Stream};
use crate::log::Log;
use crate::sandbox::LiveSandbox;
use crate::supervisor::{Identity, Supervisor};

/// Begins the argument that tells a new program where its state is.
const RESUME: &str = "resume:";

/// All that survives; grows by fields with defaults only, as an older program writes it and a newer one reads it.
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    listener: RawFd,
    started_at_unix_ms: u64,
    last_exit_seq: u64,
    exits: Vec<Exit>,
    held: BTreeMap<String, RawFd>,
    sandbox: Option<CarriedSandbox>,
    containers: Vec<CarriedContainer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CarriedSandbox {
    spec: SandboxSpec,
    /// In the order pid, net, ipc, uts, shm.
    namespaces: [Option<RawFd>; 5],
    holder: Option<CarriedChild>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct CarriedChild {
    pid: i32,
    pidfd: RawFd,
    status: RawFd,
}

#[derive(Debug, Serialize, Deserialize)]
struct CarriedContainer {
    attempt: u32,
    spec: ContainerSpec,
    status: Status,
    log: LogState,
    child: Option<CarriedChild>,
    /// Descriptor, whether stderr, and the begun line.
    outputs: Vec<(RawFd, bool, Vec<u8>)>,
    stdin: Option<RawFd>,
    terminal: Option<RawFd>,
    tee: Option<RawFd>,
    oom: Option<RawFd>,
    /// Signal or code, out of memory, when, drained when.
    ended: Option<(bool, i32, bool, u64, u64)>,
}

/// Why the state cannot be taken over.
#[derive(Debug, thiserror::Error)]
#[error("the state of the replaced supervisor cannot be read: {0}")]
pub(crate) struct ResumeError(#[from] io::Error);

impl Supervisor {
    /// Runs `program` in this process's place; returns only when that fails, with everything as before.
    pub(crate) fn replace_program(&mut self, program: &OwnedFd) -> io::Error {
        let carried = self.carried();
        let fds = carried.descriptors();
        let result = write_state(&carried).and_then(|state| {
            let mut args = vec!["bayplan".to_owned(), "supervisor".to_owned()];
            args.push(format!("{}/{}", self.identity.instance, self.identity.unit));
            args.push(self.identity.run_dir.display().to_string());
            args.push(format!("{RESUME}{}", state.as_raw_fd()));
            fds.iter().chain([&state.as_raw_fd()]).try_for_each(|fd| sys::set_cloexec(*fd, false))?;
            program::exec_open(program, &args, &[])
        });
        // Still here: nobody else may inherit them.
        let _ = fds.iter().try_for_each(|fd| sys::set_cloexec(*fd, true));
        result.err().unwrap_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
    }

    fn carried(&self) -> Carried {
        Carried {
            listener: self.listener.as_raw_fd(),
            started_at_unix_ms: self.started_at_unix_ms,
            last_exit_seq: self.last_exit_seq,
            exits: self.exits.clone(),
            held: self.held.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect(),
            sandbox: self.sandbox.as_ref().map(|live| {
                let n = &live.namespaces;
                let namespaces = [&n.pid, &n.net, &n.ipc, &n.uts, &n.shm].map(number);
                CarriedSandbox { spec: live.spec.clone(), namespaces, holder: live.holder.as_ref().map(carry_child) }
            }),
            containers: self.containers.values().map(carry_container).collect(),
        }
    }

    /// Takes the carried state into a supervisor that has just started.
    ///
    /// # Errors
    /// A log or device is gone.
    fn take_over(&mut self, carried: Carried) -> io::Result<()> {
        self.started_at_unix_ms = carried.started_at_unix_ms;
        self.last_exit_seq = carried.last_exit_seq;
        self.exits = carried.exits;
        self.held = carried.held.into_iter().map(|(name, fd)| (name, own(fd))).collect();
        self.sandbox = carried.sandbox.map(|sandbox| {
            let [pid, net, ipc, uts, shm] = sandbox.namespaces.map(|fd| fd.map(own));
            let namespaces = Sandbox { pid, net, ipc, uts, shm };
            LiveSandbox { spec: sandbox.spec, namespaces, holder: sandbox.holder.map(own_child) }
        });
        for container in carried.containers {
            let name = container.spec.name.clone();
            let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
            let group = self.group.child(&format!("{name}.{}", container.attempt)).map_err(invalid)?;
            let devices = dev::find(&container.spec).unwrap_or_default();
            let log = Log::resume(&container.spec.log, container.log)?;
            let mut live = Container::new(container.attempt, container.spec, group, devices, log);
            live.status = container.status;
            live.child = container.child.map(own_child);
            live.oom = container.oom.map(own);
            live.stdin = container.stdin.map(own);
            live.terminal = container.terminal.map(own);
            live.tee = container.tee.map(own);
            live.outputs = container.outputs.into_iter().map(own_output).collect();
            live.reported_drops = live.log.state().dropped_lines;
            live.ended = container.ended.map(|(by_signal, number, oom_killed, at_unix_ms, drain_deadline_ms)| {
                let how = if by_signal { Ended::Signal(number) } else { Ended::Code(number) };
                Finished { how, oom_killed, at_unix_ms, drain_deadline_ms }
            });
            self.containers.insert(name, live);
        }
        Ok(())
    }
}

impl Carried {
    fn descriptors(&self) -> Vec<RawFd> {
        let child = |c: &CarriedChild| [c.pidfd, c.status];
        let mut all = vec![self.listener];
        all.extend(self.held.values());
        if let Some(sandbox) = &self.sandbox {
            all.extend(sandbox.namespaces.iter().flatten());
            all.extend(sandbox.holder.iter().flat_map(child));
        }
        for container in &self.containers {
            all.extend(container.child.iter().flat_map(child));
            all.extend(container.outputs.iter().map(|(fd, ..)| *fd));
            let single = [container.stdin, container.terminal, container.tee, container.oom];
            all.extend(single.into_iter().flatten());
        }
        all
    }
}

/// A replaced program's inheritance: what `args` say to resume from, if anything.
#[derive(Debug)]
pub(crate) struct Inheritance {
    carried: Carried,
}

impl Inheritance {
    /// Reads the state that the last argument names; `None` for a fresh start.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub(crate) fn read(args: &[String]) -> Result<Option<Self>, ResumeError> {
        let Some(number) = args.get(4).and_then(|arg| arg.strip_prefix(RESUME)) else { return Ok(None) };
        let number = number.parse().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        let mut text = String::new();
        File::from(own(number)).read_to_string(&mut text)?;
        let carried: Carried = serde_json::from_str(&text).map_err(io::Error::from)?;
        carried.descriptors().iter().try_for_each(|fd| sys::set_cloexec(*fd, true))?;
        Ok(Some(Self { carried }))
    }

    /// The numbers that must stay open.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        self.carried.descriptors()
    }

    /// Goes on where the replaced program stopped.
    ///
    /// # Errors
    /// In words, for nobody but a debugger: the launcher has long gone.
    pub(crate) fn resume(self, identity: Identity) -> Result<Supervisor, String> {
        let listener = UnixListener::from(own(self.carried.listener));
        let mut supervisor = Supervisor::with_listener(identity, listener).map_err(|e| e.to_string())?;
        supervisor.take_over(self.carried).map_err(|e| e.to_string())?;
        // Ends that nobody was there to hear.
        supervisor.reap();
        Ok(supervisor)
    }
}

fn write_state(carried: &Carried) -> io::Result<OwnedFd> {
    let mut file = File::from(sys::memory_file(c"bayplan-state")?);
    serde_json::to_writer(&mut file, carried)?;
    file.flush()?;
    file.rewind()?;
    Ok(file.into())
}

fn number(fd: &Option<OwnedFd>) -> Option<RawFd> {
    fd.as_ref().map(AsRawFd::as_raw_fd)
}

fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the replaced program listed this number as its own and is gone; each is taken once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn carry_child(child: &Child) -> CarriedChild {
    CarriedChild { pid: child.pid, pidfd: child.pidfd.as_raw_fd(), status: child.status.as_raw_fd() }
}

fn own_child(child: CarriedChild) -> Child {
    Child { pid: child.pid, pidfd: own(child.pidfd), status: own(child.status) }
}

fn own_output((fd, is_stderr, begun): (RawFd, bool, Vec<u8>)) -> Output {
    let stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
    Output { fd: own(fd), stream, splitter: Splitter::resume(begun) }
}

fn carry_container(container: &Container) -> CarriedContainer {
    let output = |o: &Output| (o.fd.as_raw_fd(), o.stream == Stream::Stderr, o.splitter.begun().to_vec());
    let ended = |f: Finished| {
        let (by_signal, number) = match f.how {
            Ended::Signal(signal) => (true, signal),
            Ended::Code(code) => (false, code),
        };
        (by_signal, number, f.oom_killed, f.at_unix_ms, f.drain_deadline_ms)
    };
    CarriedContainer {
        attempt: container.attempt,
        spec: container.spec.clone(),
        status: container.status.clone(),
        log: container.log.state(),
        child: container.child.as_ref().map(carry_child),
        outputs: container.outputs.iter().map(output).collect(),
        stdin: number(&container.stdin),
        terminal: number(&container.terminal),
        tee: number(&container.tee),
        oom: number(&container.oom),
        ended: container.ended.map(ended),
    }
}

/// Whether nothing is under way that the state does not carry.
pub(crate) fn is_quiet(supervisor: &Supervisor) -> bool {
    let starting = supervisor.containers.values().any(|c| c.status == Status::Starting);
    !starting && supervisor.execs.is_empty() && supervisor.leaving.is_empty()
}
