//! Endpoints of Units: namespaces made ahead of need, given an address when one is wanted, and let go.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{MutexGuard, PoisonError};

use nix::errno::Errno;

use super::{LOOPBACK_INDEX, Network};
use crate::error::{NetworkError, NetworkResult};
use crate::namespace;
use crate::netlink::link::Peer;
use crate::netlink::message::Batch;
use crate::netlink::{NetlinkSocket, Subsystem};
use crate::range::Cidr;
use crate::spec::UnitEndpoint;
use crate::sysctl;

/// The interface that a container sees.
const INTERFACE: &str = "eth0";
/// The kernel numbers the ports of namespaces made ahead; they get their name with their address.
const UNNAMED_PORT: &str = "p%d";

/// A namespace made ahead: it has `eth0`, down and without an address, on a port of the bridge.
#[derive(Debug)]
pub(crate) struct Sandbox {
    namespace: OwnedFd,
    /// Bound to the namespace.
    route: NetlinkSocket,
    interface: u32,
    /// The bridge port's index, in the routing namespace.
    port: u32,
}

/// The bridge port of an address, in the routing namespace.
fn port_name(address: Ipv4Addr) -> String {
    format!("v{:08x}", u32::from(address))
}

fn port_address(name: &str) -> Option<Ipv4Addr> {
    let digits = name.strip_prefix('v').filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok().map(Ipv4Addr::from)
}

impl Network {
    /// Makes a namespace with loopback, `eth0`, the address and the default route, from one made ahead if there is one.
    ///
    /// The endpoint lives as long as the namespace: as long as the descriptor or a process in it. An address belongs to
    /// whom it was given last; an older endpoint with the same address loses its interface.
    pub fn attach(&self, endpoint: &UnitEndpoint) -> NetworkResult<OwnedFd> {
        let made_ahead = self.ready().pop();
        let sandbox = match made_ahead {
            Some(sandbox) => sandbox,
            None => self.make_sandbox()?,
        };
        let name = port_name(endpoint.address);
        let mut port = Batch::default();
        port.raise_port(sandbox.port, &name, endpoint.mtu);
        {
            let route = self.route();
            match route.transact(&port) {
                // What a crashed agent left is still being torn down by the kernel, or the address moves.
                Err(refusal) if refusal.errno == Errno::EEXIST => {
                    route.delete_link(&name)?;
                    route.transact(&port)?;
                }
                result => result?,
            }
        }
        let mut inside = Batch::default();
        inside.raise_link(sandbox.interface, endpoint.mac, endpoint.mtu);
        inside.ensure_address(sandbox.interface, endpoint.address, endpoint.prefix_len);
        inside.ensure_route(Cidr::new(Ipv4Addr::UNSPECIFIED, 0)?, endpoint.gateway, sandbox.interface);
        sandbox.route.transact(&inside)?;
        Ok(sandbox.namespace)
    }

    /// Takes an endpoint off the Network; `false` when there is none with this address.
    pub fn detach(&self, address: Ipv4Addr) -> NetworkResult<bool> {
        Ok(self.route().delete_link(&port_name(address))?)
    }

    /// The addresses that have an endpoint now.
    pub fn attached(&self) -> NetworkResult<Vec<Ipv4Addr>> {
        let links = self.route().links()?;
        Ok(links.iter().filter_map(|link| port_address(&link.name)).collect())
    }

    /// Makes namespaces ahead until `count` are ready, so that the next `attach` only has to give an address.
    pub fn prepare(&self, count: usize) -> NetworkResult<()> {
        while self.ready().len() < count {
            let sandbox = self.make_sandbox()?;
            self.ready().push(sandbox);
        }
        Ok(())
    }

    /// How many namespaces are ready.
    pub fn prepared(&self) -> usize {
        self.ready().len()
    }

    fn make_sandbox(&self) -> NetworkResult<Sandbox> {
        let (namespace, route) = make_namespace()?;
        let mut batch = Batch::default();
        let peer = Peer { namespace: namespace.as_fd(), name: INTERFACE };
        batch.create_veth(UNNAMED_PORT, self.spec.mtu, Some(self.bridge), &peer);
        self.route().transact(&batch)?;
        let interface = route.existing_link(INTERFACE)?;
        let doing = "find the bridge port of a new namespace";
        let port = interface.peer_index.ok_or(NetworkError::Kernel { doing, source: Errno::ENODEV })?;
        Ok(Sandbox { namespace, route, interface: interface.index, port })
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Sandbox>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a namespace for a Unit without a network (mode `none`): loopback only.
pub fn attach_none() -> NetworkResult<OwnedFd> {
    Ok(make_namespace()?.0)
}

/// Makes a namespace with the settings that container images expect, and loopback up.
fn make_namespace() -> NetworkResult<(OwnedFd, NetlinkSocket)> {
    namespace::create(|| {
        // As Docker sets them: any user may bind low ports and use ping sockets; no IPv6 but on loopback.
        sysctl::write("ipv4/ip_unprivileged_port_start", "0")?;
        sysctl::write("ipv4/ping_group_range", "0 2147483647")?;
        sysctl::write_if_known("ipv6/conf/default/disable_ipv6", "1")?;
        let route = NetlinkSocket::open(Subsystem::Route)?;
        let mut batch = Batch::default();
        batch.up(LOOPBACK_INDEX);
        route.transact(&batch)?;
        Ok(route)
    })
}
