//! What each request of the agent does; decisions are the agent's, this carries them out.

use std::os::fd::{AsRawFd, OwnedFd};

use runtime::cgroup::{CgroupError, devices, limits};
use runtime::failure::StartError;
use runtime::namespaces::{self, Sandbox};
use runtime::protocol::{ExecSpec, Failure, FailureKind, Reply, Request, Status};
use runtime::spec::{ContainerSpec, Limits, SandboxSpec, TtySize, UnitNet};
use runtime::start::{self, Start};
use runtime::sys::{self, process, set_nonblocking};
use runtime::{dev, exec, terminal};

use crate::connection::Received;
use crate::container::{self, Container};
use crate::log::Log;
use crate::running_exec::{self, RunningExec};
use crate::sandbox::{self, with_cause};
use crate::supervisor::{Known, Supervisor};
use crate::upgrade;

/// An answer now, or none yet: it comes when the thing has happened.
type Answer = Result<Option<Reply>, Failure>;

impl Supervisor {
    /// Carries out one request that came on the connection with this number.
    pub(crate) fn carry_out(&mut self, connection: i32, received: Received) {
        let Received { message, mut fds } = received;
        let id = message.id;
        if let Request::Hello { .. } = message.request {
            return self.hello(connection, id);
        }
        if !self.connections.iter().any(|c| c.number() == connection && c.greeted) {
            // Nobody answers before hello; a stranger's connection is closed.
            return self.connections.retain(|c| c.number() != connection);
        }
        let mut attached = Vec::new();
        let answer = match message.request {
            Request::Hello { .. } => Ok(None),
            Request::CreateSandbox { spec } => self.create_sandbox(spec),
            Request::Hold { name } => self.hold(name, fds.pop()),
            Request::Release { name } => {
                self.held.remove(&name);
                Ok(Some(Reply::Done))
            }
            Request::Create { attempt, spec } => self.create(attempt, *spec),
            Request::Start { container, attempt } => self.start_attempt(id, &container, attempt),
            Request::Signal { container, attempt, signal } => self.signal(&container, attempt, signal),
            Request::Kill { container, attempt } => self.kill(&container, attempt),
            Request::Exec(spec) => self.exec(id, *spec, fds),
            Request::KillExec { exec } => self.kill_exec(exec),
            Request::Attach { container, attempt } => self.attach(&container, attempt, fds.pop()).map(|fd| {
                attached.push(fd);
                Some(Reply::Attached)
            }),
            Request::Resize { container, attempt, exec, size } => self.resize(&container, attempt, exec, size),
            Request::Update { container, limits } => self.update(container.as_deref(), &limits),
            Request::Stats { container } => {
                self.known(&container).map(|container| Some(Reply::Stats(container.group.stats())))
            }
            Request::AckExits { seq } => {
                self.exits.retain(|exit| exit.seq > seq);
                Ok(Some(Reply::Done))
            }
            Request::LogAck { container, attempt, offset } => self.attempt(&container, attempt).map(|container| {
                container.log.acknowledge(offset);
                Some(Reply::Done)
            }),
            Request::Remove { container, attempt } => self.remove(id, &container, attempt),
            Request::Shutdown => self.shutdown(),
            Request::Upgrade => self.upgrade(fds.pop()),
        };
        match answer {
            Ok(Some(reply)) => self.reply(id, Ok(reply), attached),
            Ok(None) => {}
            Err(failure) => self.reply(id, Err(failure), Vec::new()),
        }
    }

    /// The newest connection is the active one; older ones are closed.
    fn hello(&mut self, connection: i32, id: u64) {
        self.connections.retain(|c| !c.greeted || c.number() == connection);
        if let Some(active) = self.connections.iter_mut().find(|c| c.number() == connection) {
            active.greeted = true;
        }
        let state = Reply::State(Box::new(self.state()));
        self.reply(id, Ok(state), Vec::new());
    }

    fn create_sandbox(&mut self, spec: SandboxSpec) -> Answer {
        if let Some(live) = &self.sandbox {
            let same = live.spec == spec;
            return if same { Ok(Some(Reply::Done)) } else { Err(conflict("the sandbox is there, made otherwise")) };
        }
        if (&spec.instance, &spec.unit) != (&self.identity.instance, &self.identity.unit) {
            return Err(invalid("the sandbox is of another Unit than this supervisor"));
        }
        let held = if let UnitNet::Held(name) = &spec.net { self.held.get(name) } else { None };
        let make = sandbox::Make {
            group: &self.group,
            place: &self.place,
            program: &self.program,
            supervisor: &self.me,
            held,
        };
        self.sandbox = Some(sandbox::make(spec, &make)?);
        Ok(Some(Reply::Done))
    }

    fn hold(&mut self, name: String, fd: Option<OwnedFd>) -> Answer {
        let fd = fd.ok_or_else(|| invalid("no descriptor came with the request"))?;
        self.held.insert(name, fd);
        Ok(Some(Reply::Done))
    }

    fn create(&mut self, attempt: u32, spec: ContainerSpec) -> Answer {
        match self.containers.get(&spec.name) {
            Some(known) if known.attempt == attempt => return Ok(Some(Reply::Done)),
            Some(known) if known.attempt > attempt => {
                return Err(conflict(format!("`{}` is at attempt {} already", spec.name, known.attempt)));
            }
            Some(known) if known.is_active() || known.ended.is_some() => {
                return Err(conflict(format!("attempt {} of `{}` has not ended", known.attempt, spec.name)));
            }
            _ => {}
        }
        container::check(&spec)?;
        let devices = dev::find(&spec)?;
        // Each attempt has its own group: counters begin anew, and nobody waits for the last one's to empty.
        let group = self.group.child(&format!("{}.{attempt}", spec.name)).map_err(|e| refused(&e))?;
        let made = group
            .create()
            .and_then(|()| limits::apply(&group, &spec.limits))
            .and_then(|()| devices::restrict(&group, &dev::rules(&spec, &devices)));
        let log = made.map_err(|e| refused(&e)).and_then(|()| {
            Log::open(&spec.log).map_err(|e| Failure {
                kind: FailureKind::System,
                message: format!("the log {} cannot be opened: {e}", spec.log.path.display()),
                stage: Some("log".to_owned()),
                errno: e.raw_os_error(),
            })
        });
        let log = log.inspect_err(|_| {
            let _ = group.remove();
        })?;
        let mut container = Container::new(attempt, spec, group, devices, log);
        // Only needed where the kernel does not count its kills.
        container.oom = container.group.oom_events().ok().flatten();
        if let Some(old) = self.containers.insert(container.spec.name.clone(), container) {
            self.leave(old.group, None);
        }
        Ok(Some(Reply::Done))
    }

    fn start_attempt(&mut self, id: u64, name: &str, attempt: u32) -> Answer {
        let mut container = self.containers.remove(name).ok_or_else(|| unknown(name))?;
        let answer = self.start_container(id, attempt, &mut container);
        self.containers.insert(name.to_owned(), container);
        answer
    }

    fn start_container(&mut self, id: u64, attempt: u32, container: &mut Container) -> Answer {
        if container.attempt != attempt {
            return Err(unknown_attempt(&container.spec.name, attempt));
        }
        match &container.status {
            Status::Created => {}
            Status::Starting => {
                // Asked again after a reconnect: the answer goes to the new question.
                container.start_request = Some(id);
                return Ok(None);
            }
            Status::Running { pid, started_at_unix_ms } => {
                return Ok(Some(Reply::Started { pid: *pid, started_at_unix_ms: *started_at_unix_ms }));
            }
            Status::StartFailed(failure) => return Err(failure.clone()),
            Status::Exited(_) => return Err(conflict(format!("attempt {attempt} has run and ended"))),
        }
        match self.clone_container(container) {
            Ok(()) => {
                container.status = Status::Starting;
                container.start_request = Some(id);
                Ok(None)
            }
            Err(error) => {
                let failure = Failure::from(error);
                container.fail(failure.clone());
                Err(failure)
            }
        }
    }

    fn clone_container(&mut self, container: &mut Container) -> Result<(), StartError> {
        let none = Sandbox::default();
        let sandbox = self.sandbox.as_ref().map_or(&none, |live| &live.namespaces);
        let known = Known { containers: &self.containers, held: &self.held };
        let namespaces = namespaces::choose(&container.spec.namespaces, sandbox, &known)?;
        let streams = container.open_streams().map_err(|source| StartError {
            kind: FailureKind::System,
            stage: "streams",
            what: "the container's streams cannot be made".to_owned(),
            source: Some(source),
        })?;
        let start = Start {
            spec: &container.spec,
            group: &container.group,
            namespaces: &namespaces,
            place: &self.place,
            streams: &streams,
            devices: &container.devices,
            program: &self.program,
            supervisor: &self.me,
        };
        // SAFETY: the supervisor is single-threaded.
        container.child = Some(unsafe { start::start(&start) }?);
        Ok(())
    }

    fn known(&mut self, name: &str) -> Result<&mut Container, Failure> {
        self.containers.get_mut(name).ok_or_else(|| unknown(name))
    }

    fn attempt(&mut self, name: &str, attempt: u32) -> Result<&mut Container, Failure> {
        self.known(name)?;
        self.containers
            .get_mut(name)
            .filter(|container| container.attempt == attempt)
            .ok_or_else(|| unknown_attempt(name, attempt))
    }

    fn signal(&mut self, name: &str, attempt: u32, signal: i32) -> Answer {
        let container = self.attempt(name, attempt)?;
        let not_running = || conflict(format!("`{name}` does not run"));
        container.running_pid().ok_or_else(not_running)?;
        let child = container.child.as_ref().ok_or_else(not_running)?;
        match process::pidfd_signal(&child.pidfd, signal) {
            Ok(()) => Ok(Some(Reply::Done)),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Err(not_running()),
            Err(e) => Err(invalid(format!("signal {signal} cannot be sent: {e}"))),
        }
    }

    fn kill(&mut self, name: &str, attempt: u32) -> Answer {
        self.attempt(name, attempt)?.group.kill().map_err(|e| refused(&e))?;
        Ok(Some(Reply::Done))
    }

    fn exec(&mut self, id: u64, spec: ExecSpec, passed: Vec<OwnedFd>) -> Answer {
        if self.execs.contains_key(&spec.exec) {
            return Err(conflict(format!("exec {} runs already", spec.exec)));
        }
        let container = self.containers.get(&spec.container).ok_or_else(|| unknown(&spec.container))?;
        let running = container.running_pid().zip(container.child.as_ref());
        let (pid, child) = running.ok_or_else(|| conflict(format!("`{}` does not run", spec.container)))?;
        let ends = running_exec::open_streams(&spec, passed)
            .map_err(|e| invalid(format!("the program's streams cannot be opened: {e}")))?;
        let request = exec::Exec {
            spec: &spec,
            container: &container.spec,
            group: &container.group,
            pid,
            pidfd: &child.pidfd,
            streams: &ends.streams,
            supervisor: &self.me,
        };
        // SAFETY: the supervisor is single-threaded.
        let child = unsafe { exec::exec(&request) }?;
        self.execs.insert(spec.exec, RunningExec::new(spec, child, id, ends));
        Ok(None)
    }

    fn kill_exec(&mut self, exec: u64) -> Answer {
        let exec = self.execs.get(&exec).ok_or_else(|| not_found(format!("there is no exec {exec}")))?;
        exec.kill();
        Ok(Some(Reply::Done))
    }

    fn attach(&mut self, name: &str, attempt: u32, tee: Option<OwnedFd>) -> Result<OwnedFd, Failure> {
        let container = self.attempt(name, attempt)?;
        let closed = || conflict(format!("`{name}` has neither an open stdin nor a terminal"));
        let copied = |e: std::io::Error| invalid(format!("a stream cannot be handed over: {e}"));
        let feed = match (&container.terminal, &container.stdin) {
            (Some(terminal), _) => sys::duplicate(terminal).map_err(copied)?,
            // Once: the one who attaches holds the only writing end, and closing it ends stdin.
            (None, Some(_)) if container.spec.stdin_once => container.stdin.take().ok_or_else(closed)?,
            (None, Some(stdin)) => sys::duplicate(stdin).map_err(copied)?,
            (None, None) => return Err(closed()),
        };
        if let Some(tee) = tee {
            set_nonblocking(&tee).map_err(copied)?;
            container.tee = Some(tee);
        }
        Ok(feed)
    }

    fn resize(&mut self, name: &str, attempt: u32, exec: Option<u64>, size: TtySize) -> Answer {
        let terminal = match exec {
            Some(id) => self.execs.get(&id).and_then(|exec| exec.terminal.as_ref()),
            None => self.attempt(name, attempt)?.terminal.as_ref(),
        };
        let terminal = terminal.ok_or_else(|| conflict("it has no terminal"))?;
        terminal::resize(&terminal.as_raw_fd(), size).map_err(|e| invalid(format!("no such size: {e}")))?;
        Ok(Some(Reply::Done))
    }

    fn update(&mut self, container: Option<&str>, limits: &Limits) -> Answer {
        let group = match container {
            Some(name) => &self.known(name)?.group,
            None => &self.group,
        };
        limits::apply(group, limits).map_err(|e| refused(&e))?;
        match (container, &mut self.sandbox) {
            (Some(name), _) => self.known(name)?.spec.limits = limits.clone(),
            (None, Some(live)) => live.spec.limits = limits.clone(),
            (None, None) => {}
        }
        Ok(Some(Reply::Done))
    }

    fn remove(&mut self, id: u64, name: &str, attempt: u32) -> Answer {
        let Some(container) = self.containers.get(name) else { return Ok(Some(Reply::Done)) };
        if container.attempt != attempt {
            // An older attempt was let go when its successor was created.
            let gone = container.attempt > attempt;
            return if gone { Ok(Some(Reply::Done)) } else { Err(unknown_attempt(name, attempt)) };
        }
        if container.is_active() || container.ended.is_some() {
            return Err(conflict(format!("attempt {attempt} of `{name}` has not ended: kill it first")));
        }
        if let Some(container) = self.containers.remove(name) {
            self.leave(container.group, Some(id));
        }
        Ok(None)
    }

    /// No answer when it works: the connection ends, and the new program answers the next hello.
    fn upgrade(&mut self, program: Option<OwnedFd>) -> Answer {
        let program = program.ok_or_else(|| invalid("no program came with the request"))?;
        if !upgrade::is_quiet(self) {
            return Err(conflict("a start, an exec or a removal is under way: ask again when it has ended"));
        }
        let error = self.replace_program(&program);
        Err(Failure { errno: error.raw_os_error(), ..invalid(format!("the program cannot be replaced: {error}")) })
    }

    fn shutdown(&mut self) -> Answer {
        let busy = self.containers.iter().find(|(_, c)| c.is_active() || c.ended.is_some());
        if let Some((name, _)) = busy {
            return Err(conflict(format!("`{name}` has not ended")));
        }
        self.containers.clear();
        self.execs.clear();
        self.sandbox = None;
        self.group.kill_and_wait(5000).map_err(|e| refused(&e))?;
        while process::reap(-1).is_ok_and(|reaped| reaped.is_some()) {}
        self.group.remove_all(5000).map_err(|e| refused(&e))?;
        let _ = std::fs::remove_file(runtime::launch::socket_path(&self.identity.run_dir));
        let _ = std::fs::remove_dir(&self.place);
        self.finished = true;
        Ok(Some(Reply::Done))
    }
}

fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), stage: None, errno: None }
}

fn invalid(message: impl Into<String>) -> Failure {
    failure(FailureKind::Invalid, message)
}

fn conflict(message: impl Into<String>) -> Failure {
    failure(FailureKind::Conflict, message)
}

fn not_found(message: impl Into<String>) -> Failure {
    failure(FailureKind::NotFound, message)
}

fn unknown(name: &str) -> Failure {
    not_found(format!("there is no container `{name}`"))
}

fn unknown_attempt(name: &str, attempt: u32) -> Failure {
    not_found(format!("`{name}` has no attempt {attempt}"))
}

/// What a control group refused, with the kernel's words.
pub(crate) fn refused(error: &CgroupError) -> Failure {
    let errno = if let CgroupError::Io { source, .. } = error { source.raw_os_error() } else { None };
    let kind = if let CgroupError::BadName { .. } = error { FailureKind::Invalid } else { FailureKind::System };
    Failure { kind, message: with_cause(error), stage: Some("cgroup".to_owned()), errno }
}
