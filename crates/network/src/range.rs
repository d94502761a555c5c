//! IPv4 ranges, and the choice of one that no route of the host overlaps; pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::error::{NetworkError, NetworkResult};

/// Routes wider than this are taken for default routes: VPNs split theirs into two halves.
const NARROWEST_DEFAULT_ROUTE: u8 = 7;

/// A range of IPv4 addresses in CIDR notation, without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: Ipv4Addr,
    prefix_len: u8,
}

impl Cidr {
    /// The range of `prefix_len` (0 to 32) bits that holds `address`; host bits are cleared.
    pub fn new(address: Ipv4Addr, prefix_len: u8) -> NetworkResult<Self> {
        if prefix_len > 32 {
            return Err(NetworkError::Invalid(format!("/{prefix_len} is no IPv4 prefix length: use 0 to 32")));
        }
        Ok(Self { address: Ipv4Addr::from(u32::from(address) & mask(prefix_len)), prefix_len })
    }

    /// The first address of the range.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// How many leading bits the addresses of the range share.
    pub fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The last address of the range.
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !mask(self.prefix_len))
    }

    /// The `index`th address of the range, counted from 0.
    pub fn nth(self, index: u32) -> Option<Ipv4Addr> {
        let address = u32::from(self.address).checked_add(index).map(Ipv4Addr::from)?;
        self.contains(address).then_some(address)
    }

    /// Whether the address lies in the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix_len) == u32::from(self.address)
    }

    /// Whether all of `other` lies in the range.
    pub fn encloses(self, other: Cidr) -> bool {
        self.prefix_len <= other.prefix_len && self.contains(other.address)
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Cidr) -> bool {
        self.encloses(other) || other.encloses(self)
    }
}

fn mask(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for Cidr {
    type Err = NetworkError;

    fn from_str(text: &str) -> NetworkResult<Self> {
        let wrong = || NetworkError::Invalid(format!("\"{text}\" is no IPv4 range: write one like 10.42.0.0/16"));
        let (address, prefix_len) = text.split_once('/').ok_or_else(wrong)?;
        Self::new(address.parse().map_err(|_| wrong())?, prefix_len.parse().map_err(|_| wrong())?)
    }
}

impl TryFrom<String> for Cidr {
    type Error = NetworkError;

    fn try_from(text: String) -> NetworkResult<Self> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(range: Cidr) -> String {
        range.to_string()
    }
}

/// The range of the default Network when nothing stands in its way.
pub const DEFAULT_RANGE: Cidr = Cidr { address: Ipv4Addr::new(10, 42, 0, 0), prefix_len: 16 };

/// Says whether a range may be used beside the routes (destinations) that the host already has.
pub fn check_range(range: Cidr, routes: &[Cidr]) -> NetworkResult<()> {
    let in_the_way = |route: &&Cidr| route.prefix_len > NARROWEST_DEFAULT_ROUTE && route.overlaps(range);
    match routes.iter().find(in_the_way) {
        Some(&route) => Err(NetworkError::RangeTaken { range, route }),
        None => Ok(()),
    }
}

/// Picks `preferred` or the first free /16 of 10.43 to 10.250, 172.16 to 172.31 and 192.168.
pub fn choose_range(preferred: Cidr, routes: &[Cidr]) -> NetworkResult<Cidr> {
    let sixteen = |first, second| Cidr { address: Ipv4Addr::new(first, second, 0, 0), prefix_len: 16 };
    let ten = (43..=250).map(|second| sixteen(10, second));
    let others = (16..=31).map(|second| sixteen(172, second)).chain([sixteen(192, 168)]);
    std::iter::once(preferred)
        .chain(ten)
        .chain(others)
        .find(|&candidate| check_range(candidate, routes).is_ok())
        .ok_or(NetworkError::NoFreeRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn choose(routes: &[&str]) -> String {
        let routes: Vec<_> = routes.iter().map(|route| cidr(route)).collect();
        choose_range(DEFAULT_RANGE, &routes).map(|range| range.to_string()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_preferred_range_is_taken_when_no_route_overlaps_it() {
        assert_eq!(choose(&[]), "10.42.0.0/16");
        assert_eq!(choose(&["0.0.0.0/0", "192.0.2.0/24", "10.41.0.0/16", "10.43.0.0/16"]), "10.42.0.0/16");
    }

    #[test]
    fn a_route_inside_around_or_equal_to_a_range_makes_it_taken() {
        assert_eq!(choose(&["10.42.7.9/32"]), "10.43.0.0/16");
        assert_eq!(choose(&["10.42.0.0/16", "10.43.0.0/17", "10.44.128.0/17"]), "10.45.0.0/16");
        assert_eq!(choose(&["10.0.0.0/8"]), "172.16.0.0/16");
        assert_eq!(choose(&["10.0.0.0/8", "172.16.0.0/12"]), "192.168.0.0/16");
    }

    #[test]
    fn the_halves_of_a_vpn_default_route_are_no_obstacle() {
        assert_eq!(choose(&["0.0.0.0/1", "128.0.0.0/1"]), "10.42.0.0/16");
    }

    #[test]
    fn with_every_private_range_routed_the_error_names_the_option() {
        assert!(choose(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]).contains("--network-cidr"));
    }

    #[test]
    fn text_round_trips_and_clears_host_bits() {
        assert_eq!(cidr("10.42.3.4/20").to_string(), "10.42.0.0/20");
        assert_eq!(cidr("1.2.3.4/0").to_string(), "0.0.0.0/0");
        assert_eq!(
            (cidr("10.42.240.0/20").last(), cidr("10.0.0.0/30").nth(4)),
            (Ipv4Addr::new(10, 42, 255, 255), None)
        );
        for wrong in ["10.42.0.0", "10.42.0.0/33", "10.42/16", "::/0", "", "10.42.0.0/-1"] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong} was accepted");
        }
    }
}
