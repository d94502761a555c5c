//! The node's loop: joins the server again and again, hands desired sets to actors, sends what waits in the outbox.

use crate::config::Config;
use crate::context::NodeContext;
use crate::journal::Journal;
use crate::unit::{Actor, Control};
use crate::{machine, streams};
use model::unit::{Lifecycle, StopCause};
use model::{UnitUid, unit::observed::StopObserved};
use runtime::launch::SealedImage;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use session::client::{FromServer, Session, SessionError, join};
use session::{Assignment, Desired, NodeRegistration};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Controls that may wait for one actor.
const QUEUE: usize = 16;
/// The wait between two tries to reach a server that is not there: short, since it is on this machine.
const RETRY: Duration = Duration::from_millis(100);

/// Why an agent cannot work at all.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the agent's folder {path} cannot be used")]
    Folder { path: String, source: std::io::Error },
    #[error("the image store cannot be opened")]
    Images(#[from] image::StoreError),
    #[error("the volumes cannot be opened")]
    Volumes(#[from] volume::VolumeError),
    #[error("the node's network cannot be used")]
    Network(#[from] network::NetworkError),
    #[error("the supervisor's program cannot be prepared")]
    Supervisor(#[from] runtime::launch::LaunchError),
}

/// Runs the node until the future is dropped. Units outlive it.
pub async fn run(config: Config) -> Result<(), AgentError> {
    let node = Arc::new(open(config)?);
    let mut agent = Agent { node, actors: BTreeMap::new(), tasks: JoinSet::new(), streams: JoinSet::new(), newest: 0 };
    agent.adopt();
    loop {
        let registration = agent.registration();
        match join(agent.node.config.server_socket.clone(), registration).await {
            Ok(session) => {
                if let Err(error) = agent.serve(session).await {
                    tracing::info!(%error, "the session with the server ended; joining again");
                }
            }
            Err(error) => tracing::debug!(%error, "the server cannot be joined yet"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn open(config: Config) -> Result<NodeContext, AgentError> {
    let folder = |path: &Path| {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| AgentError::Folder { path: path.display().to_string(), source })
    };
    for path in [config.units_dir(), config.scratch_dir(), config.logs_dir(), config.run_dir().join("net")] {
        folder(&path)?;
    }
    for path in [config.units_dir(), config.scratch_dir(), config.logs_dir()] {
        if let Err(error) = spread(&path) {
            tracing::debug!(path = %path.display(), %error, "this file system places folders by itself");
        }
    }
    let layer = config.mountpoints_dir();
    make_mountpoints(&layer).map_err(|source| AgentError::Folder { path: layer.display().to_string(), source })?;
    forget_earlier_boot(&config)
        .map_err(|source| AgentError::Folder { path: config.run_dir().display().to_string(), source })?;
    let images = image::Store::open(&config.images_dir())?;
    let volumes = volume::Volumes::open(&config.volumes_dir())?;
    let instance: network::InstanceId = config.instance.parse()?;
    let host = network::Host::open(instance, config.run_dir().join("net"))?;
    let supervisor = SealedImage::new(supervisor_image::SUPERVISOR)?;
    Ok(NodeContext::new(config, images, volumes, host, supervisor))
}

/// Has ext4 place each folder in here apart from the others. Folders of Units come and go all the time; side by side, each new file
/// would be looked for past all those that were removed in the last seconds, since ext4 gives no such place away.
fn spread(path: &Path) -> std::io::Result<()> {
    let folder = std::fs::File::open(path)?;
    let flags = ioctl_getflags(&folder)?;
    Ok(ioctl_setflags(&folder, flags | IFlags::TOPDIR)?)
}

/// Makes the layer of mount points, once. Each one that a writable layer had instead would be made and removed with every
/// container, and a file system that does so all the time looks ever longer for a free place.
fn make_mountpoints(layer: &Path) -> std::io::Result<()> {
    // Whatever the umask is: containers of any user look into it.
    let open_to_all = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    for name in ["", "dev", "proc", "sys", "etc"] {
        let folder = layer.join(name);
        std::fs::create_dir_all(&folder)?;
        open_to_all(&folder, 0o755)?;
    }
    for name in ["hostname", "hosts", "resolv.conf"] {
        let file = layer.join("etc").join(name);
        std::fs::OpenOptions::new().append(true).create(true).open(&file)?;
        open_to_all(&file, 0o644)?;
    }
    Ok(())
}

/// Removes what Units have left that are not here any more: those of an earlier boot, and those that `down` has killed.
fn sweep(node: &NodeContext, known: &BTreeSet<String>) {
    for unit in node.images.holders().unwrap_or_default() {
        if !known.contains(&unit)
            && let Err(error) = node.images.release(&unit)
        {
            tracing::warn!(unit, %error, "a unit that is gone still holds its images");
        }
    }
    if let Err(error) = node.volumes.gc(known) {
        tracing::warn!(error = %crate::unit::chain(&error), "volumes of units that are gone stay behind");
    }
    let scratch = std::fs::read_dir(node.config.scratch_dir()).into_iter().flatten().flatten();
    for folder in scratch.filter(|f| !known.contains(&*f.file_name().to_string_lossy())) {
        if let Err(error) = std::fs::remove_dir_all(folder.path()) {
            tracing::warn!(path = %folder.path().display(), %error, "writable layers of a unit that is gone stay behind");
        }
    }
}

struct Agent {
    node: Arc<NodeContext>,
    actors: BTreeMap<UnitUid, mpsc::Sender<Control>>,
    tasks: JoinSet<UnitUid>,
    /// Interactive streams that are being served.
    streams: JoinSet<()>,
    /// The revision of the newest desired set.
    newest: u64,
}

impl Agent {
    /// Goes on with every Unit that a former agent has left.
    fn adopt(&mut self) {
        let Ok(folders) = std::fs::read_dir(self.node.config.units_dir()) else { return };
        let folders: Vec<_> = folders.flatten().collect();
        sweep(&self.node, &folders.iter().map(|f| f.file_name().to_string_lossy().into_owned()).collect());
        // Units that wait for an address, or give one back, need the networks before a server is there to tell them.
        if !folders.is_empty()
            && let Some(known) = self.node.known_networks()
            && let Err(error) = self.node.ensure_networks(known)
        {
            tracing::error!(error = %crate::unit::chain(&error), "the node's networks cannot be made");
        }
        for folder in folders {
            match Journal::load(&folder.path()) {
                Some(journal) => self.spawn(journal),
                // It died before its first word: the server still says what is to run.
                None => drop(std::fs::remove_dir_all(folder.path())),
            }
        }
    }

    /// What this node says of itself, and of whose logs it has.
    fn registration(&self) -> NodeRegistration {
        let logs = std::fs::read_dir(self.node.config.logs_dir()).into_iter().flatten().flatten();
        let keeps = logs.map(|folder| UnitUid::new(folder.file_name().to_string_lossy())).collect();
        NodeRegistration { node: self.node.config.node.clone(), keeps }
    }

    fn spawn(&mut self, journal: Journal) {
        let uid = journal.assignment.unit.uid.clone();
        let (control, receiver) = mpsc::channel(QUEUE);
        if journal.observed.lifecycle != Lifecycle::Stopped {
            self.node.directory.expect(&uid);
        }
        self.actors.insert(uid.clone(), control);
        let actor = Actor::new(self.node.clone(), journal, receiver);
        self.tasks.spawn(async move {
            actor.run().await;
            uid
        });
    }

    async fn serve(&mut self, session: Session) -> Result<(), SessionError> {
        let Session { welcome, sender, mut receiver } = session;
        let node = self.node.clone();
        let made = tokio::task::spawn_blocking(move || node.ensure_networks(welcome.networks)).await;
        if let Ok(Err(error)) = made {
            tracing::error!(error = %crate::unit::chain(&error), "the node's networks cannot be made");
        }
        self.node.outbox.resend();
        self.node.shipper.resend();
        loop {
            tokio::select! {
                told = receiver.next() => self.told(told?, &sender).await,
                () = self.node.outbox.filled.notified() => {
                    for update in self.node.outbox.take_unsent() {
                        sender.observed(update).await?;
                    }
                }
                batch = self.node.shipper.next() => sender.logs(batch).await?,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended),
            }
        }
    }

    fn ended(&mut self, ended: Result<UnitUid, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => drop(self.actors.remove(&uid)),
            Err(error) => tracing::error!(%error, "a unit's actor failed"),
        }
    }

    async fn told(&mut self, told: FromServer, sender: &session::client::SessionSender) {
        match told {
            FromServer::Desired(step) => self.take(step).await,
            FromServer::ObservedAck { uid, sequence } => {
                if self.node.outbox.acknowledge(&uid, sequence) {
                    self.control(&uid, Control::Settled).await;
                }
            }
            FromServer::LogAck { producer, sequence, refused } => {
                self.node.shipper.acknowledged(&producer, sequence, refused);
            }
            FromServer::OpenStream { id, request } => {
                while self.streams.try_join_next().is_some() {}
                self.streams.spawn(streams::answer(self.node.clone(), sender.clone(), id, request));
            }
        }
    }

    async fn take(&mut self, step: Desired) {
        if step.revision < self.newest {
            return;
        }
        self.newest = step.revision;
        if step.complete {
            let wanted: BTreeSet<&UnitUid> = step.assignments.iter().map(|a| &a.unit.uid).collect();
            let absent: Vec<UnitUid> = self.actors.keys().filter(|uid| !wanted.contains(uid)).cloned().collect();
            for uid in absent {
                self.control(&uid, Control::Gone).await;
            }
        }
        for assignment in step.assignments {
            self.assign(assignment).await;
        }
        for uid in step.gone {
            self.control(&uid, Control::Gone).await;
            drop(std::fs::remove_dir_all(self.node.config.logs_dir().join(uid.as_str())));
        }
    }

    async fn assign(&mut self, assignment: Assignment) {
        let uid = assignment.unit.uid.clone();
        if self.actors.contains_key(&uid) {
            self.control(&uid, Control::Assigned(Box::new(assignment))).await;
        } else if assignment.unit.observed.lifecycle == Lifecycle::Accepted {
            self.spawn(Journal::new(assignment));
        } else {
            self.lost(&assignment);
        }
    }

    /// It ran here once and nothing of it is left: the machine was restarted, or its run folder removed.
    fn lost(&self, assignment: &Assignment) {
        let mut last = assignment.unit.observed.clone();
        if last.lifecycle == Lifecycle::Stopped {
            return;
        }
        let now = self.node.now();
        last.lifecycle = Lifecycle::Stopped;
        last.stopped_at = Some(now);
        last.stop.get_or_insert(StopObserved {
            cause: StopCause::NodeFailure,
            reason: "The machine was restarted, or Bayplan taken down, while the task ran".to_owned(),
        });
        for container in &mut last.containers {
            if container.state != model::unit::ContainerState::Stopped {
                container.state = model::unit::ContainerState::Stopped;
                container.finished_at = Some(now);
            }
        }
        self.node.outbox.put(&assignment.unit.uid, u64::MAX, &last);
    }

    async fn control(&self, uid: &UnitUid, control: Control) {
        if let Some(actor) = self.actors.get(uid) {
            // An actor that has just ended misses nothing.
            let _ = actor.send(control).await;
        }
    }
}

/// Removes what Units of an earlier boot have left, before anything else looks at it.
fn forget_earlier_boot(config: &Config) -> std::io::Result<()> {
    let marker = config.run_dir().join("boot-id");
    let boot = machine::boot_id()?;
    if std::fs::read_to_string(&marker).is_ok_and(|known| known != boot) {
        for dir in [config.units_dir(), config.scratch_dir()] {
            if dir.exists() {
                std::fs::remove_dir_all(&dir)?;
            }
        }
    }
    std::fs::create_dir_all(config.run_dir())?;
    std::fs::write(marker, boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_units_are_spread_where_the_file_system_can() {
        let dir = tempfile::tempdir().unwrap();
        let flags = || ioctl_getflags(std::fs::File::open(dir.path()).unwrap());
        match spread(dir.path()) {
            Ok(()) => assert!(flags().unwrap().contains(IFlags::TOPDIR)),
            Err(error) => println!("untested: this file system cannot: {error}"),
        }
    }

    #[test]
    fn mount_points_are_open_to_every_user_and_made_again_without_harm() {
        let dir = tempfile::tempdir().unwrap();
        let layer = dir.path().join("mountpoints");
        for _ in 0..2 {
            make_mountpoints(&layer).unwrap();
            let mode = |name: &str| std::fs::metadata(layer.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(["", "dev", "proc", "sys", "etc"].map(mode), [0o755; 5]);
            assert_eq!(["etc/hostname", "etc/hosts", "etc/resolv.conf"].map(mode), [0o644; 3]);
        }
    }
}
