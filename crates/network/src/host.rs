//! The host's own namespace as one instance sees it: making and adopting its Networks.

mod forwarding;
pub(crate) mod probe;
mod publish;
mod remove;
mod rules;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::NetworkResult;
use crate::namespace;
use crate::netlink::link::Link;
use crate::netlink::message::Batch;
use crate::netlink::{NetlinkSocket, Subsystem};
use crate::network::{Network, UPLINK};
use crate::nftables::Transaction;
use crate::nftables::set::Element;
use crate::range::{Cidr, check_range};
use crate::spec::{InstanceId, NetworkSpec};
use crate::sysctl;
use forwarding::Traces;

/// One instance's handle on the namespace that it calls the host.
///
/// Holds no state of its own: everything is read from, and kept in, the kernel, so a new `Host` after a crash or an
/// upgrade goes on where the last one ended.
#[derive(Debug)]
pub struct Host {
    instance: InstanceId,
    folder: PathBuf,
    namespace: OwnedFd,
    route: Mutex<NetlinkSocket>,
    netfilter: Mutex<NetlinkSocket>,
}

impl Host {
    /// Takes the calling thread's network namespace as the host. `folder` is where the instance's Networks are kept, by
    /// name; it should vanish at reboot, and nothing else may lie in it.
    pub fn open(instance: InstanceId, folder: impl Into<PathBuf>) -> NetworkResult<Self> {
        Ok(Self {
            instance,
            folder: folder.into(),
            namespace: namespace::current()?,
            route: Mutex::new(NetlinkSocket::open(Subsystem::Route)?),
            netfilter: Mutex::new(NetlinkSocket::open(Subsystem::Netfilter)?),
        })
    }

    /// Makes the Network, or adopts what is there of it and makes the rest. Running endpoints keep their connections.
    ///
    /// Errors: `RangeTaken` when the host, for another Network or by itself, already routes addresses of a new one.
    pub fn ensure_network(&self, spec: NetworkSpec) -> NetworkResult<Network> {
        spec.validate()?;
        if self.route().link(&spec.host_link(self.instance))?.is_none() {
            let routes = self.route().routes()?;
            check_range(spec.range, &routes.iter().map(|route| route.destination).collect::<Vec<_>>())?;
        }
        let network = Network::ensure(self.instance, spec, &self.folder)?;
        self.ensure_link(&network)?;
        self.ensure_rules()?;
        Ok(network)
    }

    /// The largest packet, in bytes, that the host's way to the outside carries: what a Network should use.
    pub fn mtu(&self) -> NetworkResult<u32> {
        const ETHERNET: u32 = 1500;
        let route = self.route();
        let routes = route.routes()?;
        let outward = routes.iter().find(|route| route.destination.prefix_len() == 0).and_then(|route| route.link);
        let links = route.links()?;
        Ok(links.iter().find(|link| Some(link.index) == outward).map_or(ETHERNET, |link| link.mtu))
    }

    /// The destinations that the host routes already, without those of this instance: what a new range must avoid.
    pub fn routes(&self) -> NetworkResult<Vec<Cidr>> {
        let route = self.route();
        let links = route.links()?;
        let is_own = |name| InstanceId::of_link(name) == Some(self.instance);
        let own = |index| links.iter().any(|link| link.index == index && is_own(&link.name));
        let routes = route.routes()?;
        Ok(routes.iter().filter(|route| !route.link.is_some_and(own)).map(|route| route.destination).collect())
    }

    /// Connects a Network to the host: the veth pair, its addresses, the host's route and settings.
    fn ensure_link(&self, network: &Network) -> NetworkResult<()> {
        let spec = network.spec();
        let name = spec.host_link(self.instance);
        let index = match self.joined_link(network, &name)? {
            Some(index) => index,
            None => self.create_link(network, &name)?,
        };
        network.connect()?;
        let mut batch = Batch::default();
        batch.up(index);
        batch.ensure_address(index, spec.host_address(), spec.link.prefix_len());
        batch.ensure_route(spec.range, spec.router_address(), index);
        Ok(self.route().transact(&batch)?)
    }

    /// Puts the instance's packet rules right, with the links that it has, and lets the host forward.
    fn ensure_rules(&self) -> NetworkResult<()> {
        namespace::within(self.namespace(), || {
            let forwarding_now = forwarding::remark_now()?;
            let traces = self.traces()?;
            let remark = forwarding::remark(forwarding_now, &traces);
            let mut remarks = Batch::default();
            let is_own = |link: &&Link| InstanceId::of_link(&link.name) == Some(self.instance);
            let links: Vec<_> = traces.links.iter().filter(is_own).collect();
            links.iter().for_each(|link| remarks.remark(link.index, &remark));
            let elements: Vec<_> = links.iter().map(|link| Element::interface(&link.name)).collect();
            let table = self.instance.table();
            let mut transaction = Transaction::new(&table);
            rules::ensure(&mut transaction, &remark);
            transaction.add_elements(&rules::LINKS, &elements);
            transaction.commit(&self.netfilter())?;
            self.route().transact(&remarks)?;
            // Lets a packet from 127.0.0.1 leave by the links, to a published port. Only behind the rules, which change
            // its source and let nothing but answers come back.
            for link in links {
                sysctl::write(&format!("ipv4/conf/{}/route_localnet", link.name), "1")?;
            }
            forwarding::switch_on()
        })
    }

    /// What all instances have in the host's namespace.
    fn traces(&self) -> NetworkResult<Traces> {
        let tables = self.netfilter().tables()?;
        let links = self.route().links()?;
        Ok(Traces { tables, links })
    }

    /// The host's ends of the links to this instance's Networks.
    fn own_links(&self) -> NetworkResult<Vec<String>> {
        let links = self.route().links()?.into_iter().map(|link| link.name);
        Ok(links.filter(|name| InstanceId::of_link(name) == Some(self.instance)).collect())
    }

    /// The host's end of the link, when both its ends are there; what is left of half a link is removed.
    fn joined_link(&self, network: &Network, name: &str) -> NetworkResult<Option<u32>> {
        let host_end = self.route().link(name)?;
        let other_end = network.route().link(UPLINK)?;
        match (host_end, other_end) {
            (Some(host_end), Some(other_end)) if host_end.peer_index == Some(other_end.index) => {
                Ok(Some(host_end.index))
            }
            _ => {
                self.route().delete_link(name)?;
                network.route().delete_link(UPLINK)?;
                Ok(None)
            }
        }
    }

    fn create_link(&self, network: &Network, name: &str) -> NetworkResult<u32> {
        let mut batch = Batch::default();
        batch.create_veth(name, network.spec().mtu, None, &network.peer(UPLINK));
        let route = self.route();
        route.transact(&batch)?;
        Ok(route.existing_link(name)?.index)
    }

    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    fn netfilter(&self) -> MutexGuard<'_, NetlinkSocket> {
        self.netfilter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn route(&self) -> MutexGuard<'_, NetlinkSocket> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
