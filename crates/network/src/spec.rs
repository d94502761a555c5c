//! What a caller asks for: the instance, its Networks, the endpoints of Units; and the names derived from them. Pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::error::{NetworkError, NetworkResult};
use crate::range::Cidr;

/// The id of one installation on this machine: eight lower-case hexadecimal digits. Every name on the host carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(u32);

impl FromStr for InstanceId {
    type Err = NetworkError;

    fn from_str(text: &str) -> NetworkResult<Self> {
        let digits = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let wrong = || NetworkError::Invalid(format!("\"{text}\" is no instance id: it has eight hexadecimal digits"));
        if !digits {
            return Err(wrong());
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:08x}", self.0)
    }
}

impl InstanceId {
    /// What every interface of the instance in the host's namespace begins with.
    pub(crate) fn link_prefix(self) -> String {
        format!("bp{self}")
    }

    /// The instance that an interface of the host's namespace belongs to, if it is one of Bayplan's.
    pub(crate) fn of_link(name: &str) -> Option<Self> {
        let (id, index) = name.strip_prefix("bp")?.split_at_checked(8)?;
        index.parse::<u16>().ok()?;
        id.parse().ok()
    }

    /// The instance's packet rules, in the host's namespace and in each of its own.
    pub(crate) fn table(self) -> String {
        format!("{TABLE_PREFIX}{self}")
    }
}

/// What the tables of all instances begin with.
pub(crate) const TABLE_PREFIX: &str = "bayplan-";

/// A part of a Network whose addresses reach each other without a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The range of the subnet.
    pub range: Cidr,
    /// The address in it that tasks use as their router.
    pub gateway: Ipv4Addr,
}

impl Subnet {
    /// A subnet whose gateway is the first address after the range's own.
    pub fn new(range: Cidr) -> NetworkResult<Self> {
        let gateway = range.nth(1).filter(|_| range.prefix_len() <= 30);
        let gateway = gateway
            .ok_or_else(|| NetworkError::Invalid(format!("{range} is too small for a subnet: use /30 or wider")))?;
        Ok(Self { range, gateway })
    }
}

/// One Network of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name, which becomes a file name: letters, digits, `-` and `_`.
    pub name: String,
    /// Its number among the Networks of this node; part of its interface's name.
    pub index: u16,
    /// All addresses of the Network.
    pub range: Cidr,
    /// The subnets and the block for containers in bridge mode.
    pub subnets: Vec<Subnet>,
    /// Four addresses for the link between the Network and the host, outside every subnet.
    pub link: Cidr,
    /// The largest packet, in bytes, that the link to the host carries.
    pub mtu: u32,
}

impl NetworkSpec {
    /// Lays a Network out in `range` (/16 to /24) as a default VPC is: three subnets of a sixteenth each, a fourth block
    /// of that size for containers in bridge mode, and the last four addresses for the link to the host.
    pub fn like_a_default_vpc(name: &str, index: u16, range: Cidr, mtu: u32) -> NetworkResult<Self> {
        let prefix_len = range.prefix_len() + 4;
        if !(16..=24).contains(&range.prefix_len()) {
            return Err(NetworkError::Invalid(format!("{range} is no size for a Network: use /16 to /24")));
        }
        let step = 1_u32 << (32 - prefix_len);
        let nth = |number: u32| Ipv4Addr::from(u32::from(range.address()) + number * step);
        let subnets =
            (0..4).map(|number| Subnet::new(Cidr::new(nth(number), prefix_len)?)).collect::<NetworkResult<_>>()?;
        let spec = Self { name: name.to_owned(), index, range, subnets, link: Cidr::new(range.last(), 30)?, mtu };
        spec.validate()?;
        Ok(spec)
    }

    /// Checks what the kernel would not: names, and which ranges lie in which.
    pub(crate) fn validate(&self) -> NetworkResult<()> {
        let wrong = |why: String| Err(NetworkError::Invalid(format!("Network \"{}\": {why}", self.name)));
        let letters = self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if self.name.is_empty() || self.name.len() > 64 || !letters {
            return wrong("a name has 1 to 64 letters, digits, - and _".to_owned());
        }
        if self.link.prefix_len() != 30 || !self.range.encloses(self.link) {
            return wrong(format!("the link range {} must be a /30 inside {}", self.link, self.range));
        }
        for (position, subnet) in self.subnets.iter().enumerate() {
            let Subnet { range, gateway } = subnet;
            if !self.range.encloses(*range) || range.overlaps(self.link) {
                return wrong(format!("the subnet {range} must lie inside {} and beside {}", self.range, self.link));
            }
            if !range.contains(*gateway) {
                return wrong(format!("the gateway {gateway} is not an address of the subnet {range}"));
            }
            if self.subnets[..position].iter().any(|other| other.range.overlaps(*range)) {
                return wrong(format!("the subnet {range} overlaps another"));
            }
        }
        Ok(())
    }

    /// The host's address on the link.
    pub fn host_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.link.address()) + 1)
    }

    /// The Network's address on the link.
    pub(crate) fn router_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.link.address()) + 2)
    }

    /// The host's end of the link; at most 15 bytes, as the kernel wants.
    pub(crate) fn host_link(&self, instance: InstanceId) -> String {
        format!("{}{}", instance.link_prefix(), self.index)
    }
}

/// The network side of one Unit (or of one container, in bridge mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitEndpoint {
    /// Its address.
    pub address: Ipv4Addr,
    /// The prefix length of its subnet.
    pub prefix_len: u8,
    /// Its router: the gateway of its subnet.
    pub gateway: Ipv4Addr,
    /// Its hardware address; see [`mac_of`].
    pub mac: [u8; 6],
    /// The largest packet, in bytes, that its interface sends.
    pub mtu: u32,
}

impl UnitEndpoint {
    /// An endpoint in a subnet, with the hardware address that belongs to its address.
    pub fn new(address: Ipv4Addr, subnet: Subnet, mtu: u32) -> Self {
        let Subnet { range, gateway } = subnet;
        Self { address, prefix_len: range.prefix_len(), gateway, mac: mac_of(address), mtu }
    }
}

/// The hardware address of an endpoint: locally administered, unicast, and made of the address, so that neighbours'
/// caches stay right when an address moves to a new task.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0xb9, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpc(range: &str) -> NetworkResult<NetworkSpec> {
        NetworkSpec::like_a_default_vpc("default", 0, range.parse()?, 1500)
    }

    #[test]
    fn a_default_network_has_three_subnets_a_bridge_block_and_a_link() {
        let spec = vpc("10.42.0.0/16").unwrap();
        let subnets: Vec<_> =
            spec.subnets.iter().map(|subnet| format!("{} {}", subnet.range, subnet.gateway)).collect();
        assert_eq!(
            subnets,
            [
                "10.42.0.0/20 10.42.0.1",
                "10.42.16.0/20 10.42.16.1",
                "10.42.32.0/20 10.42.32.1",
                "10.42.48.0/20 10.42.48.1"
            ]
        );
        assert_eq!(spec.link.to_string(), "10.42.255.252/30");
        assert_eq!(spec.host_address(), Ipv4Addr::new(10, 42, 255, 253));
        assert!(vpc("10.42.0.0/24").is_ok());
        assert!(vpc("10.42.0.0/25").is_err() && vpc("10.0.0.0/8").is_err());
    }

    #[test]
    fn a_spec_that_contradicts_itself_is_refused_before_anything_is_made() {
        let good = vpc("10.42.0.0/16").unwrap();
        let foreign = Subnet::new("10.43.0.0/20".parse().unwrap()).unwrap();
        let wrong = [
            NetworkSpec { name: "../up".to_owned(), ..good.clone() },
            NetworkSpec { link: "10.42.0.0/30".parse().unwrap(), ..good.clone() },
            NetworkSpec { link: "10.42.255.0/24".parse().unwrap(), ..good.clone() },
            NetworkSpec { subnets: vec![foreign], ..good.clone() },
            NetworkSpec { subnets: vec![good.subnets[0], good.subnets[0]], ..good.clone() },
            NetworkSpec { subnets: vec![Subnet { gateway: foreign.gateway, ..good.subnets[0] }], ..good.clone() },
        ];
        assert_eq!(good.validate().map_err(|error| error.to_string()), Ok(()));
        for spec in wrong {
            assert!(spec.validate().is_err(), "{spec:?} was accepted");
        }
    }

    #[test]
    fn names_on_the_host_carry_the_instance_and_fit_the_kernel() {
        let instance: InstanceId = "0a1b2c3d".parse().unwrap();
        let spec = NetworkSpec { index: u16::MAX, ..vpc("10.42.0.0/16").unwrap() };
        assert_eq!(spec.host_link(instance), "bp0a1b2c3d65535");
        assert!(spec.host_link(instance).len() <= 15);
        assert_eq!(InstanceId::of_link("bp0a1b2c3d65535"), Some(instance));
        assert_eq!(["bp0", "bp0a1b2c3d", "bp0a1b2c3dx", "eth0"].map(InstanceId::of_link), [None; 4]);
        for wrong in ["0A1B2C3D", "0a1b2c3", "0a1b2c3d4", "+a1b2c3d", "ä1b2c3d"] {
            assert!(wrong.parse::<InstanceId>().is_err(), "{wrong} was accepted");
        }
    }

    #[test]
    fn hardware_addresses_are_local_unicast_and_differ() {
        let one = mac_of(Ipv4Addr::new(10, 42, 0, 5));
        assert_eq!(one[0] & 0b11, 0b10);
        assert_ne!(one, mac_of(Ipv4Addr::new(10, 42, 5, 0)));
    }
}
