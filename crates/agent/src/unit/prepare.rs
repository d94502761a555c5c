//! What containers stand on: images, volumes, the network, the supervisor and its sandbox; made once, adopted after a crash.

use super::Actor;
use super::compose::unit_limits;
use crate::directory::FIRST_PROBE;
use crate::link::{Link, LinkError};
use image::StoredImage;
use model::unit::spec::{ContainerSpec, NamespaceScope, NetworkMode};
use model::unit::{ContainerState, StopCause};
use runtime::launch::{Launch, launch};
use runtime::protocol::{Event, Reply, Request, State, Status};
use runtime::spec::{SandboxSpec, UnitNet};
use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What every start needs; found again after a crash.
pub(super) struct Prepared {
    /// In the order of the spec's containers.
    pub images: Vec<Arc<StoredImage>>,
    /// The volume mounts of each.
    pub mounts: Vec<Vec<runtime::spec::Mount>>,
}

/// Why a Unit cannot begin. Its words are what users read.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(super) struct PrepareError {
    pub cause: StopCause,
    pub words: String,
    /// The container that it is about.
    pub container: Option<String>,
}

impl PrepareError {
    /// `kind` is ECS's name of the class, which its users match on.
    pub(super) fn new(kind: &str, cause: impl std::fmt::Display) -> Self {
        Self { cause: StopCause::FailedToStart, words: format!("{kind}: {cause}"), container: None }
    }

    pub(super) fn of(self, container: &str) -> Self {
        Self { container: Some(container.to_owned()), ..self }
    }
}

/// The whole chain of an error in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words.push_str(": ");
        words.push_str(&next.to_string());
        cause = next.source();
    }
    words
}

impl Actor {
    /// Makes or finds everything. On success the supervisor is connected and its sandbox stands.
    pub(super) async fn begin(&mut self) -> Result<(), PrepareError> {
        self.make_folders()?;
        let had_begun = self.journal.containers.iter().any(|c| c.attempt > 0);
        self.take_intent();
        if self.journal.stop.is_some() && !had_begun {
            return Ok(());
        }
        self.observe();
        match find(&self.dir).await {
            Ok((link, state, events)) => {
                let orphans = state.execs.clone();
                self.adopt(link, state, events);
                self.end_orphans(orphans).await;
            }
            Err(LinkError::Gone) if had_begun => {
                self.supervisor_died();
                return Ok(());
            }
            Err(LinkError::Gone) => {}
            Err(error) => return Err(PrepareError::new("InternalError", chain(&error))),
        }
        let images = self.find_images().await?;
        let mounts = self.prepare_volumes(&images).await?;
        self.prepared = Some(Prepared { images, mounts });
        if self.link.is_none() {
            self.launch().await?;
        }
        self.prepare_network().await?;
        self.make_sandbox().await
    }

    fn make_folders(&self) -> Result<(), PrepareError> {
        let uid = self.journal.assignment.unit.uid.as_str();
        let config = &self.node.config;
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        for dir in [self.dir.clone(), config.logs_dir().join(uid), config.scratch_dir().join(uid)] {
            folder.create(&dir).map_err(|e| PrepareError::new("InternalError", format!("{}: {e}", dir.display())))?;
        }
        Ok(())
    }

    /// Takes over a supervisor that lives: what it says counts, whatever the journal says.
    fn adopt(&mut self, link: Link, state: State, events: mpsc::Receiver<Event>) {
        let logs: Vec<_> = state.containers.iter().map(|c| (c.container.clone(), c.log)).collect();
        for known in state.containers {
            let Some(index) = self.index_of(&known.container) else { continue };
            let progress = &mut self.journal.containers[index];
            progress.attempt = progress.attempt.max(known.attempt);
            progress.log_drops = known.log.dropped_lines;
            match known.status {
                Status::Running { started_at_unix_ms, .. } => {
                    progress.state = ContainerState::Running;
                    progress.restarting = false;
                    progress.started_at = Some(model::Timestamp::from_unix_ms(started_at_unix_ms));
                }
                // Made and never started: the start that comes next is still this attempt's.
                Status::Created => progress.attempt = known.attempt.saturating_sub(1),
                Status::Starting | Status::StartFailed(_) | Status::Exited(_) => {}
            }
        }
        self.held = state.held.into_iter().collect();
        self.link = Some(Arc::new(link));
        self.events = Some(events);
        self.enter_directory();
        for (name, log) in logs {
            self.resume_logs(&name, &log);
        }
        for exit in state.exits {
            self.exited(&exit);
        }
        for (index, spec) in self.journal.assignment.spec.clone().containers.iter().enumerate() {
            if self.journal.containers[index].state == ContainerState::Running {
                self.probes.begin(index, spec.health_check.as_ref());
            }
        }
    }

    /// Ends programs that a former agent ran for its users: their input and output went with it, and nobody can reach them.
    async fn end_orphans(&self, execs: Vec<u64>) {
        for exec in execs.into_iter().filter(|exec| *exec < FIRST_PROBE) {
            self.tell(Request::KillExec { exec }).await;
        }
    }

    async fn find_images(&mut self) -> Result<Vec<Arc<StoredImage>>, PrepareError> {
        let started = self.node.now();
        let node = self.node.clone();
        let (spec, uid) = (self.journal.assignment.spec.clone(), self.journal.assignment.unit.uid.clone());
        let found = blocking(move || {
            spec.containers
                .iter()
                .map(|container| {
                    let reference = image::Reference::parse(&pinned(container))
                        .map_err(|e| PrepareError::new("CannotPullContainerError", e).of(&container.name))?;
                    let held = node.images.resolve_and_hold(uid.as_str(), &reference);
                    let found =
                        held.map_err(|e| PrepareError::new("CannotPullContainerError", chain(&e)).of(&container.name))?;
                    // The words begin with the name of their class already.
                    let missing = || PrepareError {
                        cause: StopCause::FailedToStart,
                        words: image::MissingImage(reference.clone()).to_string(),
                        container: Some(container.name.clone()),
                    };
                    found.map(Arc::new).ok_or_else(missing)
                })
                .collect::<Result<Vec<_>, PrepareError>>()
        })
        .await;
        self.journal.observed.pull_started_at.get_or_insert(started);
        let images = found?;
        self.journal.observed.pull_stopped_at.get_or_insert(self.node.now());
        for (progress, image) in self.journal.containers.iter_mut().zip(&images) {
            progress.image_digest = Some(image.digest.to_string());
        }
        Ok(images)
    }

    async fn launch(&mut self) -> Result<(), PrepareError> {
        let what = Launch {
            instance: self.node.config.instance.clone(),
            unit: self.journal.assignment.unit.uid.to_string(),
            run_dir: self.dir.clone(),
        };
        let node = self.node.clone();
        let launched = blocking(move || launch(&node.supervisor, &what)).await;
        let launched = launched.map_err(|e| PrepareError::new("CannotCreateContainerError", chain(&e)))?;
        reap(launched.child);
        let connected = Link::connect(&self.dir).await;
        let (link, _, events) = connected.map_err(|e| PrepareError::new("CannotCreateContainerError", chain(&e)))?;
        self.link = Some(Arc::new(link));
        self.events = Some(events);
        Ok(())
    }

    async fn make_sandbox(&mut self) -> Result<(), PrepareError> {
        let unit = &self.journal.assignment.unit;
        let spec = &self.journal.assignment.spec;
        let sandbox = SandboxSpec {
            instance: self.node.config.instance.clone(),
            unit: unit.uid.to_string(),
            limits: unit_limits(spec),
            hostname: String::new(),
            pid: spec.pid == NamespaceScope::Unit,
            ipc: spec.ipc == NamespaceScope::Unit,
            uts: false,
            net: match spec.network {
                NetworkMode::Unit => UnitNet::Held("net".to_owned()),
                NetworkMode::Host | NetworkMode::PerContainer => UnitNet::Host,
                NetworkMode::None => UnitNet::Own,
            },
            shm_bytes: None,
            sysctls: Vec::new(),
        };
        self.ask(Request::CreateSandbox { spec: sandbox }).await
    }

    /// Gives the supervisor a descriptor to keep for the Unit's life.
    pub(super) async fn hold(&self, name: &str, fd: OwnedFd) -> Result<(), PrepareError> {
        let link = self.link().map_err(|e| PrepareError::new("CannotCreateContainerError", e))?;
        let held = link.call(Request::Hold { name: name.to_owned() }, vec![fd]).await;
        held.map(drop).map_err(|e| PrepareError::new("CannotCreateContainerError", chain(&e)))
    }

    async fn ask(&self, request: Request) -> Result<(), PrepareError> {
        let link = self.link().map_err(|e| PrepareError::new("CannotCreateContainerError", e))?;
        link.tell(request).await.map_err(|e| PrepareError::new("CannotCreateContainerError", chain(&e)))
    }
}

/// A supervisor that a former agent has left, once none of its containers is between made and running: whether such a one
/// runs is not known yet, and it must not be started twice. To ask for the same start again is how its outcome is heard.
async fn find(run_dir: &Path) -> Result<(Link, State, mpsc::Receiver<Event>), LinkError> {
    let (link, mut state, events) = Link::connect(run_dir).await?;
    for known in state.containers.iter_mut().filter(|c| matches!(c.status, Status::Starting)) {
        let again = Request::Start { container: known.container.clone(), attempt: known.attempt };
        match link.call(again, Vec::new()).await {
            Ok((Reply::Started { pid, started_at_unix_ms }, _)) => {
                known.status = Status::Running { pid, started_at_unix_ms };
            }
            Err(LinkError::Failed(failure)) => known.status = Status::StartFailed(failure),
            Ok(_) => return Err(LinkError::Gone),
            Err(error) => return Err(error),
        }
    }
    Ok((link, state, events))
}

/// The supervisor detaches itself and outlives the agent; while the agent lives it is its parent and reaps it.
fn reap(mut child: std::process::Child) {
    std::thread::Builder::new()
        .name("reaper".to_owned())
        .stack_size(64 << 10)
        .spawn(move || drop(child.wait()))
        .map(drop)
        .unwrap_or_else(
            |error| tracing::warn!(%error, "no thread to reap a supervisor; it stays a zombie for a while"),
        );
}

/// Runs what blocks on the kernel or the disk beside the event loop.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A container's image with the digest that its tag stood for when the spec was made, where one is pinned.
fn pinned(container: &ContainerSpec) -> Cow<'_, str> {
    match &container.image_digest {
        Some(digest) if !container.image.contains('@') => format!("{}@{digest}", container.image).into(),
        _ => container.image.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::protocol::{Body, ContainerState, Failure, FailureKind, ToAgent, ToSupervisor, decode, encode};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};

    /// A supervisor's socket whose other end the test speaks.
    struct Fake(UnixStream, Vec<u8>);

    impl Fake {
        async fn asked(&mut self) -> ToSupervisor {
            loop {
                if let Some(message) = decode(&mut self.1).unwrap() {
                    return message;
                }
                assert!(self.0.read_buf(&mut self.1).await.unwrap() > 0, "the agent hung up");
            }
        }

        async fn answer(&mut self, id: u64, result: Result<Reply, Failure>) {
            let frame = encode(&ToAgent { body: Body::Reply { id, result }, fds: 0 }).unwrap();
            self.0.write_all(&frame).await.unwrap();
        }
    }

    fn starting(name: &str) -> ContainerState {
        let spec = runtime::spec::ContainerSpec { name: name.to_owned(), ..runtime::spec::ContainerSpec::default() };
        ContainerState {
            container: name.to_owned(),
            attempt: 2,
            status: Status::Starting,
            spec,
            log: Default::default(),
        }
    }

    /// What `find` gives where a former agent had begun to start `main` and asking for it again is answered so.
    async fn found(outcome: Result<Reply, Failure>) -> Status {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(runtime::launch::SOCKET_NAME)).unwrap();
        let supervisor = async {
            let mut fake = Fake(listener.accept().await.unwrap().0, Vec::new());
            let hello = fake.asked().await;
            let state = State { containers: vec![starting("main")], ..State::default() };
            fake.answer(hello.id, Ok(Reply::State(Box::new(state)))).await;
            let start = fake.asked().await;
            assert_eq!(start.request, Request::Start { container: "main".to_owned(), attempt: 2 });
            // The answer to what the former agent had asked: its ids are none of this one's.
            fake.answer(1, Err(failure())).await;
            fake.answer(start.id, outcome).await;
            fake
        };
        let (_fake, found) = tokio::join!(supervisor, find(dir.path()));
        found.unwrap().1.containers.remove(0).status
    }

    fn failure() -> Failure {
        Failure { kind: FailureKind::CommandNotFound, message: "no such program".to_owned(), stage: None, errno: None }
    }

    #[tokio::test]
    async fn a_start_that_a_former_agent_had_begun_is_heard_of_from_the_supervisor() {
        let started = Status::Running { pid: 7, started_at_unix_ms: 9 };
        assert_eq!(found(Ok(Reply::Started { pid: 7, started_at_unix_ms: 9 })).await, started);
        assert_eq!(found(Err(failure())).await, Status::StartFailed(failure()));
    }
}
