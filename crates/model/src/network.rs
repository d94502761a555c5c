//! Networks and their subnets: ranges that Units take addresses from.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A range of addresses of its own (a VPC, a cluster network). Made once per installation and scope for now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Network {
    /// `vpc-` and 17 hex digits.
    pub id: Arc<str>,
    pub range: Range,
    pub subnets: Vec<Subnet>,
    /// Addresses for containers that have one each (ECS bridge mode).
    pub container_range: Range,
    pub default_security_group: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Subnet {
    /// `subnet-` and 17 hex digits.
    pub id: Arc<str>,
    pub range: Range,
    pub zone: Arc<str>,
}

/// An IPv4 range; `base` has no bits beyond the prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct Range {
    pub base: Ipv4Addr,
    pub prefix: u8,
}

impl Range {
    pub const fn new(base: Ipv4Addr, prefix: u8) -> Self {
        Self { base, prefix }
    }

    /// How many addresses it spans.
    pub const fn size(&self) -> u64 {
        1 << (32 - self.prefix as u64)
    }

    pub fn nth(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base).wrapping_add(n))
    }

    /// The router: the first address after the base.
    pub fn gateway(&self) -> Ipv4Addr {
        self.nth(1)
    }

    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = if self.prefix == 0 { 0 } else { u32::MAX << (32 - self.prefix) };
        u32::from(address) & mask == u32::from(self.base)
    }

    /// Offsets that may be handed out: AWS keeps the first four and the last address of a subnet.
    pub fn usable(&self) -> std::ops::Range<u32> {
        4..(self.size() as u32).saturating_sub(1).max(4)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl Network {
    /// Carves a /16 as every installation does: three subnets of /20 in three zones, and a /20 for containers.
    pub fn carve(id: Arc<str>, base: Ipv4Addr, region: &str, ids: [Arc<str>; 4]) -> Self {
        let range = Range::new(base, 16);
        let [a, b, c, group] = ids;
        let subnet = |i: u32, id: Arc<str>, zone: char| Subnet {
            id,
            range: Range::new(range.nth(i << 12), 20),
            zone: format!("{region}{zone}").into(),
        };
        Network {
            id,
            range,
            subnets: vec![subnet(0, a, 'a'), subnet(1, b, 'b'), subnet(2, c, 'c')],
            container_range: Range::new(range.nth(8 << 12), 20),
            default_security_group: group,
        }
    }

    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|s| &*s.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carved_ranges_lie_inside_and_do_not_overlap() {
        let id: Arc<str> = "x".into();
        let network = Network::carve(
            id.clone(),
            Ipv4Addr::new(10, 42, 0, 0),
            "us-east-1",
            [id.clone(), id.clone(), id.clone(), id],
        );
        let mut all: Vec<Range> = network.subnets.iter().map(|s| s.range).collect();
        all.push(network.container_range);
        for (i, a) in all.iter().enumerate() {
            assert!(network.range.contains(a.base) && network.range.contains(a.nth(a.size() as u32 - 1)));
            for b in &all[i + 1..] {
                assert!(!a.contains(b.base) && !b.contains(a.base));
            }
        }
        assert_eq!(network.subnets[1].range.to_string(), "10.42.16.0/20");
        assert_eq!(network.subnets[1].range.gateway(), Ipv4Addr::new(10, 42, 16, 1));
        assert_eq!(&*network.subnets[2].zone, "us-east-1c");
    }
}
