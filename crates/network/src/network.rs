//! One Network of the node: its routing namespace with the bridge, kept by a mount; endpoints are in `endpoint`.

pub(crate) mod endpoint;
mod rules;

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::NetworkResult;
use crate::namespace;
use crate::netlink::link::Peer;
use crate::netlink::message::Batch;
use crate::netlink::{NetlinkSocket, Subsystem};
use crate::nftables::Transaction;
use crate::range::Cidr;
use crate::spec::{InstanceId, NetworkSpec, mac_of};
use crate::sysctl;
use endpoint::Sandbox;

/// The bridge that every endpoint of a Network is a port of.
pub(crate) const BRIDGE: &str = "br0";
/// The Network's end of the link to the host.
pub(crate) const UPLINK: &str = "up0";
/// The loopback interface is the first of every namespace.
pub(crate) const LOOPBACK_INDEX: u32 = 1;

/// One Network of the node, made by [`Host::ensure_network`](crate::Host::ensure_network).
#[derive(Debug)]
pub struct Network {
    spec: NetworkSpec,
    namespace: OwnedFd,
    bridge: u32,
    route: Mutex<NetlinkSocket>,
    ready: Mutex<Vec<Sandbox>>,
}

impl Network {
    /// Makes or adopts the routing namespace and everything in it but the link to the host.
    pub(crate) fn ensure(instance: InstanceId, spec: NetworkSpec, folder: &Path) -> NetworkResult<Self> {
        let path = folder.join(&spec.name);
        let namespace = match namespace::open_kept(&path)? {
            Some(namespace) => namespace,
            None => {
                let (namespace, ()) = namespace::create(|| Ok(()))?;
                namespace::keep(namespace.as_fd(), &path)?;
                namespace
            }
        };
        let (bridge, route) = namespace::within(namespace.as_fd(), || {
            set_routing_sysctls()?;
            let route = NetlinkSocket::open(Subsystem::Route)?;
            let bridge = ensure_bridge(&route, &spec)?;
            let table = instance.table();
            let mut transaction = Transaction::new(&table);
            rules::ensure(&mut transaction, &spec);
            transaction.commit(&NetlinkSocket::open(Subsystem::Netfilter)?)?;
            Ok((bridge, route))
        })?;
        Ok(Self { spec, namespace, bridge, route: Mutex::new(route), ready: Mutex::default() })
    }

    /// What the Network was made from.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Sets the Network's end of the link to the host right, once the pair is there.
    pub(crate) fn connect(&self) -> NetworkResult<()> {
        let route = self.route();
        let uplink = route.existing_link(UPLINK)?.index;
        let everywhere = Cidr::new(Ipv4Addr::UNSPECIFIED, 0)?;
        let mut batch = Batch::default();
        batch.up(uplink);
        batch.ensure_address(uplink, self.spec.router_address(), self.spec.link.prefix_len());
        batch.ensure_route(everywhere, self.spec.host_address(), uplink);
        Ok(route.transact(&batch)?)
    }

    /// The end of a veth pair that is to be made in this Network's namespace.
    pub(crate) fn peer<'a>(&'a self, name: &'a str) -> Peer<'a> {
        Peer { namespace: self.namespace.as_fd(), name }
    }

    pub(crate) fn route(&self) -> MutexGuard<'_, NetlinkSocket> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new namespace inherits the host's settings; a router wants its own.
fn set_routing_sysctls() -> NetworkResult<()> {
    sysctl::write("ipv4/ip_forward", "1")?;
    for scope in ["all", "default"] {
        // One bridge carries several subnets and published ports come back by the link they left: both look wrong to
        // reverse-path checks and would be "redirected".
        sysctl::write(&format!("ipv4/conf/{scope}/rp_filter"), "0")?;
        sysctl::write(&format!("ipv4/conf/{scope}/send_redirects"), "0")?;
        sysctl::write_if_known(&format!("ipv6/conf/{scope}/disable_ipv6"), "1")?;
    }
    // Frames between two ports of the bridge need no packet rules.
    sysctl::write_if_known("bridge/bridge-nf-call-iptables", "0")
}

fn ensure_bridge(route: &NetlinkSocket, spec: &NetworkSpec) -> NetworkResult<u32> {
    let mut batch = Batch::default();
    batch.up(LOOPBACK_INDEX);
    batch.ensure_bridge(BRIDGE, mac_of(spec.host_address()), spec.mtu);
    batch.ensure_unreachable(spec.range);
    route.transact(&batch)?;
    let bridge = route.existing_link(BRIDGE)?.index;
    let mut addresses = Batch::default();
    for subnet in &spec.subnets {
        addresses.ensure_address(bridge, subnet.gateway, subnet.range.prefix_len());
    }
    route.transact(&addresses)?;
    Ok(bridge)
}
