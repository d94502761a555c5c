//! What all actors of a node share: the installation's folders, the images, the network, the outbox; no state of a Unit.

use crate::config::Config;
use crate::directory::Directory;
use crate::outbox::Outbox;
use crate::ship::Shipper;
use model::Timestamp;
use model::network::Network as NetworkModel;
use network::{Host, Network, NetworkSpec};
use runtime::launch::SealedImage;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The node, as its actors use it.
pub(crate) struct NodeContext {
    pub config: Config,
    pub images: image::Store,
    pub volumes: volume::Volumes,
    pub host: Host,
    pub supervisor: SealedImage,
    pub outbox: Outbox,
    pub shipper: Shipper,
    pub directory: Directory,
    /// One permit for each Unit that may be beginning at a time.
    beginning: Semaphore,
    /// Where the next search for a dynamic port begins, so that a port is not reused at once.
    next_port: AtomicU16,
    /// By the model's network id; made when the first session tells them.
    networks: OnceLock<BTreeMap<Arc<str>, JoinedNetwork>>,
}

/// A Network of this node with its place in the model.
pub(crate) struct JoinedNetwork {
    pub model: NetworkModel,
    pub network: Network,
}

/// Docker's range of dynamic host ports on Linux, which ECS uses.
const FIRST_DYNAMIC_PORT: u16 = 32_768;
const LAST_DYNAMIC_PORT: u16 = 60_999;

/// How long a Unit waits for its turn to begin.
const TURN: Duration = Duration::from_secs(60);

/// Units that begin at a time: mostly they keep a processor busy, and now and then wait for the disk.
fn at_once() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The largest packet, in bytes, on a link inside one machine.
const MTU: u32 = 1500;

impl NodeContext {
    pub(crate) fn new(
        config: Config,
        images: image::Store,
        volumes: volume::Volumes,
        host: Host,
        supervisor: SealedImage,
    ) -> Self {
        Self {
            config,
            images,
            volumes,
            beginning: Semaphore::new(at_once()),
            next_port: AtomicU16::new(FIRST_DYNAMIC_PORT),
            host,
            supervisor,
            outbox: Outbox::default(),
            shipper: Shipper::default(),
            directory: Directory::default(),
            networks: OnceLock::new(),
        }
    }

    /// A Unit's turn to begin, which ends when it is dropped. Many that begin at once take longer, each and all together, than
    /// one after the other. One that is stuck holds the others up only for a while.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(TURN, self.beginning.acquire()).await.ok()?.ok()
    }

    /// The wall clock's time.
    pub(crate) fn now(&self) -> Timestamp {
        clock_now()
    }

    /// The Networks that a former agent was told: an agent that starts again needs no server to go on with its Units.
    pub(crate) fn known_networks(&self) -> Option<Vec<NetworkModel>> {
        serde_json::from_slice(&std::fs::read(self.networks_file()).ok()?).ok()
    }

    fn networks_file(&self) -> PathBuf {
        self.config.run_dir().join("networks.json")
    }

    /// Makes or adopts the Networks that the server told, and writes them down first. Blocks on the kernel and the disk.
    pub(crate) fn ensure_networks(&self, told: Vec<NetworkModel>) -> Result<(), network::NetworkError> {
        if self.networks.get().is_some() {
            return Ok(());
        }
        if let Err(error) = write_down(&self.networks_file(), &told) {
            tracing::warn!(%error, "the node's networks cannot be written down; an agent that starts again asks for them");
        }
        let mut joined = BTreeMap::new();
        for (index, model) in told.into_iter().enumerate() {
            let network = self.host.ensure_network(spec(&model, index as u16)?)?;
            joined.insert(model.id.clone(), JoinedNetwork { model, network });
        }
        // A second session that came first has made the same ones.
        let _ = self.networks.set(joined);
        Ok(())
    }

    /// Holds a free dynamic port on every address of the host. Blocks on the kernel.
    pub(crate) fn pick_port(&self, protocol: network::Protocol) -> Result<(u16, OwnedFd), network::NetworkError> {
        let first = self.next_port.load(Ordering::Relaxed);
        let range = FIRST_DYNAMIC_PORT..=LAST_DYNAMIC_PORT;
        let (port, held) = self.host.pick_port(protocol, Ipv4Addr::UNSPECIFIED, range, first)?;
        let next = if port == LAST_DYNAMIC_PORT { FIRST_DYNAMIC_PORT } else { port + 1 };
        self.next_port.store(next, Ordering::Relaxed);
        Ok((port, held))
    }

    /// The Network that an address belongs to.
    pub(crate) fn network_of(&self, address: Ipv4Addr) -> Option<&JoinedNetwork> {
        self.networks.get()?.values().find(|joined| joined.model.range.contains(address))
    }
}

/// Replaces the file at once: a killed agent leaves the old one, or the new one, or none.
fn write_down(path: &Path, told: &[NetworkModel]) -> std::io::Result<()> {
    let next = path.with_extension("next");
    std::fs::write(&next, serde_json::to_vec(told)?)?;
    std::fs::rename(next, path)
}

fn spec(model: &NetworkModel, index: u16) -> Result<NetworkSpec, network::NetworkError> {
    let cidr = |range: model::network::Range| network::Cidr::new(range.base, range.prefix);
    let ranges = model.subnets.iter().map(|s| s.range).chain([model.container_range]);
    let range = cidr(model.range)?;
    Ok(NetworkSpec {
        name: model.id.to_string(),
        index,
        range,
        subnets: ranges.map(|r| network::Subnet::new(cidr(r)?)).collect::<Result<_, _>>()?,
        link: network::Cidr::new(Ipv4Addr::from(u32::from(range.last()) & !3), 30)?,
        mtu: MTU,
    })
}

/// The agent's one reading of the wall clock.
#[allow(clippy::disallowed_methods, reason = "the clock at the edge of the agent's process")]
fn clock_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_unix_ms(since.map_or(0, |d| d.as_millis() as u64))
}
