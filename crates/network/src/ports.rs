//! Ports of the host: which container port a host port leads to. Holding and finding free ones is in `hold`.

pub(crate) mod hold;

use std::fmt;
use std::net::Ipv4Addr;

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

impl Protocol {
    /// Its number in the IP header (IANA).
    pub(crate) fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Protocol::Tcp, Protocol::Udp].into_iter().find(|protocol| protocol.number() == number)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// A host port that leads to a container port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortMapping {
    /// The protocol of both ports.
    pub protocol: Protocol,
    /// The host's address that answers; 0.0.0.0 for every one, 127.0.0.1 included.
    pub host_ip: Ipv4Addr,
    /// The port that clients use.
    pub host_port: u16,
    /// The container's address.
    pub address: Ipv4Addr,
    /// The port that the container listens on.
    pub container_port: u16,
}
