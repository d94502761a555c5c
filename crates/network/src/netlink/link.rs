//! Link messages: bridge, veth pair, port settings, up, rename, delete, and reading links back.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

use super::message::{AttributeReader, Attributes, Batch, Step};
use super::{NetlinkSocket, Refusal};
use crate::error::Feature;

const IFINFO_BYTES: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BRPORT_MODE: u16 = 4;
const VETH_INFO_PEER: u16 = 1;

/// What is read back of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mtu: u32,
    /// For one end of a veth pair: the index of the other end, in its own namespace.
    pub(crate) peer_index: Option<u32>,
    /// A remark; empty when there is none.
    pub(crate) alias: String,
}

/// The end of a veth pair that is made in another namespace.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    pub(crate) namespace: BorrowedFd<'a>,
    pub(crate) name: &'a str,
}

fn ifinfo(index: u32, up: bool) -> [u8; IFINFO_BYTES] {
    let mut header = [0; IFINFO_BYTES];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if up {
        let flag = (libc::IFF_UP as u32).to_ne_bytes();
        header[8..12].copy_from_slice(&flag);
        header[12..16].copy_from_slice(&flag);
    }
    header
}

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE;

impl Batch {
    /// Makes the bridge, or sets an existing one right, and brings it up.
    pub(crate) fn ensure_bridge(&mut self, name: &str, mac: [u8; 6], mtu: u32) {
        let step = Step { doing: "create a bridge", needs: Some(Feature::Bridge) };
        self.push(step, libc::RTM_NEWLINK, CREATE, &ifinfo(0, true), |link| {
            link.string(IFLA_IFNAME, name).bytes(IFLA_ADDRESS, &mac).u32(IFLA_MTU, mtu);
            link.nested(IFLA_LINKINFO, |kind| {
                // Multicast snooping would make the bridge answer for a querier that is not there.
                kind.string(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, |bridge| {
                    bridge.u8(IFLA_BR_MCAST_SNOOPING, 0);
                });
            });
        });
    }

    /// Makes a veth pair: `name` here (a port of `master` if given), the peer directly in its namespace, both down.
    pub(crate) fn create_veth(&mut self, name: &str, mtu: u32, master: Option<u32>, peer: &Peer<'_>) {
        let step = Step { doing: "create a veth pair", needs: Some(Feature::Veth) };
        self.push(step, libc::RTM_NEWLINK, CREATE | libc::NLM_F_EXCL, &ifinfo(0, false), |link| {
            link.string(IFLA_IFNAME, name).u32(IFLA_MTU, mtu);
            if let Some(index) = master {
                link.u32(IFLA_MASTER, index);
            }
            link.nested(IFLA_LINKINFO, |kind| {
                kind.string(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |veth| {
                    veth.nested_after(VETH_INFO_PEER, &ifinfo(0, false), |other| {
                        other.string(IFLA_IFNAME, peer.name).u32(IFLA_MTU, mtu);
                        other.u32(IFLA_NET_NS_FD, peer.namespace.as_raw_fd() as u32);
                    });
                });
            });
        });
    }

    /// Names a bridge port, lets frames return through it (hairpin), and brings it up.
    pub(crate) fn raise_port(&mut self, index: u32, name: &str, mtu: u32) {
        let step = Step { doing: "bring up a bridge port", needs: Some(Feature::Bridge) };
        self.push(step, libc::RTM_NEWLINK, libc::NLM_F_ACK, &ifinfo(index, true), |link| {
            link.string(IFLA_IFNAME, name).u32(IFLA_MTU, mtu);
            link.nested(IFLA_LINKINFO, |kind| {
                kind.string(IFLA_INFO_SLAVE_KIND, "bridge").nested(IFLA_INFO_SLAVE_DATA, |port| {
                    port.u8(IFLA_BRPORT_MODE, 1);
                });
            });
        });
    }

    /// Sets hardware address and MTU, and brings the link up.
    pub(crate) fn raise_link(&mut self, index: u32, mac: [u8; 6], mtu: u32) {
        self.change_link(index, |link| {
            link.bytes(IFLA_ADDRESS, &mac).u32(IFLA_MTU, mtu);
        });
    }

    /// Writes a remark on a link, and brings it up.
    pub(crate) fn remark(&mut self, index: u32, alias: &str) {
        self.change_link(index, |link| {
            link.bytes(IFLA_IFALIAS, alias.as_bytes());
        });
    }

    /// Brings a link up as it is.
    pub(crate) fn up(&mut self, index: u32) {
        self.change_link(index, |_| ());
    }

    fn change_link(&mut self, index: u32, build: impl FnOnce(&mut Attributes<'_>)) {
        let step = Step { doing: "bring up a network interface", needs: None };
        self.push(step, libc::RTM_NEWLINK, libc::NLM_F_ACK, &ifinfo(index, true), build);
    }

    /// Deletes a link (of a veth pair: both ends).
    pub(crate) fn delete_link(&mut self, name: &str) {
        let step = Step { doing: "delete a network interface", needs: None };
        self.push(step, libc::RTM_DELLINK, libc::NLM_F_ACK, &ifinfo(0, false), |link| {
            link.string(IFLA_IFNAME, name);
        });
    }
}

const READ: Step = Step { doing: "read network interfaces", needs: None };

impl NetlinkSocket {
    /// The link of this name, if there is one.
    pub(crate) fn link(&self, name: &str) -> Result<Option<Link>, Refusal> {
        let mut batch = Batch::default();
        batch.push(READ, libc::RTM_GETLINK, 0, &ifinfo(0, false), |link| {
            link.string(IFLA_IFNAME, name);
        });
        Ok(self.get(&batch)?.as_deref().and_then(parse))
    }

    /// The link of this name, which the caller knows to be there.
    pub(crate) fn existing_link(&self, name: &str) -> Result<Link, Refusal> {
        self.link(name)?.ok_or(Refusal { doing: READ.doing, needs: None, errno: nix::errno::Errno::ENODEV })
    }

    /// Every link of the namespace.
    pub(crate) fn links(&self) -> Result<Vec<Link>, Refusal> {
        let mut batch = Batch::default();
        batch.push(READ, libc::RTM_GETLINK, libc::NLM_F_DUMP, &ifinfo(0, false), |_| ());
        Ok(self.dump(&batch)?.iter().filter_map(|payload| parse(payload)).collect())
    }

    /// Deletes a link; `false` when there was none.
    pub(crate) fn delete_link(&self, name: &str) -> Result<bool, Refusal> {
        let mut batch = Batch::default();
        batch.delete_link(name);
        match self.transact(&batch) {
            Ok(()) => Ok(true),
            Err(refusal) if refusal.errno == nix::errno::Errno::ENODEV => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }
}

fn parse(payload: &[u8]) -> Option<Link> {
    let attributes = AttributeReader::after(payload, IFINFO_BYTES);
    Some(Link {
        index: u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?),
        name: attributes.string(IFLA_IFNAME)?.to_owned(),
        mtu: attributes.u32(IFLA_MTU)?,
        peer_index: attributes.u32(IFLA_LINK),
        alias: attributes.string(IFLA_IFALIAS).unwrap_or_default().to_owned(),
    })
}
