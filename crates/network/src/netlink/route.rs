//! Route messages: add a route, read the destinations of all routes.

use std::net::Ipv4Addr;

use nix::libc;

use super::message::{AttributeReader, Batch, Step};
use super::{NetlinkSocket, Refusal};
use crate::range::Cidr;

const RTMSG_BYTES: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

/// A destination that a routing table of the namespace already knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: Cidr,
    /// Index of the interface it leaves by.
    pub(crate) link: Option<u32>,
}

fn rtmsg(destination: Cidr, kind: u8) -> [u8; RTMSG_BYTES] {
    let family = libc::AF_INET as u8;
    let scope = libc::RT_SCOPE_UNIVERSE;
    [family, destination.prefix_len(), 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, scope, kind, 0, 0, 0, 0]
}

const ADD: Step = Step { doing: "add a route", needs: None };
const FLAGS: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;

impl Batch {
    /// Routes a destination over a gateway on a link, replacing a route to the same destination.
    pub(crate) fn ensure_route(&mut self, destination: Cidr, gateway: Ipv4Addr, link: u32) {
        self.push(ADD, libc::RTM_NEWROUTE, FLAGS, &rtmsg(destination, libc::RTN_UNICAST), |route| {
            if destination.prefix_len() > 0 {
                route.bytes(RTA_DST, &destination.address().octets());
            }
            route.bytes(RTA_GATEWAY, &gateway.octets()).u32(RTA_OIF, link);
        });
    }

    /// Refuses a destination that no more specific route serves, so that it does not travel on by the default route.
    pub(crate) fn ensure_unreachable(&mut self, destination: Cidr) {
        self.push(ADD, libc::RTM_NEWROUTE, FLAGS, &rtmsg(destination, libc::RTN_UNREACHABLE), |route| {
            route.bytes(RTA_DST, &destination.address().octets());
        });
    }
}

impl NetlinkSocket {
    /// Every IPv4 route of every table, the default routes included.
    pub(crate) fn routes(&self) -> Result<Vec<Route>, Refusal> {
        let mut batch = Batch::default();
        let step = Step { doing: "read routes", needs: None };
        let header = [libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        batch.push(step, libc::RTM_GETROUTE, libc::NLM_F_DUMP, &header, |_| ());
        Ok(self.dump(&batch)?.iter().filter_map(|payload| parse(payload)).collect())
    }
}

fn parse(payload: &[u8]) -> Option<Route> {
    let prefix_len = *payload.get(1)?;
    let attributes = AttributeReader::after(payload, RTMSG_BYTES);
    let address = Ipv4Addr::from(attributes.four(RTA_DST).unwrap_or_default());
    Some(Route { destination: Cidr::new(address, prefix_len).ok()?, link: attributes.u32(RTA_OIF) })
}
