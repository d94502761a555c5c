//! Whether this machine can carry Networks at all, found out by making one in a namespace that vanishes at once; and what
//! else on the host stands in their way.

use std::os::fd::AsFd;

use super::{Host, rules};
use crate::error::NetworkResult;
use crate::namespace;
use crate::netlink::link::Peer;
use crate::netlink::message::Batch;
use crate::netlink::{NetlinkSocket, Subsystem};
use crate::nftables::Transaction;
use crate::spec::TABLE_PREFIX;

/// Tries everything that a Network needs of the kernel, without a trace on the host.
///
/// Errors: `Privilege` or `KernelFeature`, which say what to do.
pub fn probe() -> NetworkResult<()> {
    let (_, ()) = namespace::create(|| {
        let (routing, ()) = namespace::create(|| Ok(()))?;
        let mut links = Batch::default();
        links.ensure_bridge("br0", [2, 0, 0, 0, 0, 1], 1500);
        links.create_veth("probe0", 1500, None, &Peer { namespace: routing.as_fd(), name: "eth0" });
        NetlinkSocket::open(Subsystem::Route)?.transact(&links)?;
        let mut transaction = Transaction::new("probe");
        rules::ensure(&mut transaction, "a probe of Bayplan");
        Ok(transaction.commit(&NetlinkSocket::open(Subsystem::Netfilter)?)?)
    })?;
    Ok(())
}

impl Host {
    /// The chains of other programs that drop forwarded packets unless told otherwise (Docker and firewalls set such).
    /// Where there is one, tasks do not reach the outside, and published ports answer the host only.
    pub fn firewalls_in_the_way(&self) -> NetworkResult<Vec<String>> {
        let chains = self.netfilter().closed_forward_chains()?;
        let foreign = chains.into_iter().filter(|chain| !chain.table.starts_with(TABLE_PREFIX));
        Ok(foreign.map(|chain| format!("chain {} of table {}", chain.name, chain.table)).collect())
    }
}
