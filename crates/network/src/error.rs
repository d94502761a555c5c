//! What can go wrong in a node's networking, in words that say what to do.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::ports::Protocol;
use crate::range::Cidr;

/// The result of every fallible operation of this crate.
pub type NetworkResult<T> = Result<T, NetworkError>;

/// A kernel facility that Bayplan's networking stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Network namespaces (`CONFIG_NET_NS`).
    Namespaces,
    /// Virtual Ethernet pairs.
    Veth,
    /// Ethernet bridges.
    Bridge,
    /// The packet filter nf_tables.
    NfTables,
    /// nf_tables with address translation and connection tracking.
    NfTablesNat,
}

impl Feature {
    /// What to tell a user who lacks it: the name, and the modules that bring it.
    fn words(self) -> &'static str {
        match self {
            Feature::Namespaces => "network namespaces (CONFIG_NET_NS); use a kernel that has them",
            Feature::Veth => "virtual Ethernet pairs; run `modprobe veth` or use a kernel with CONFIG_VETH",
            Feature::Bridge => "Ethernet bridges; run `modprobe bridge` or use a kernel with CONFIG_BRIDGE",
            Feature::NfTables => "nf_tables; run `modprobe nf_tables` or use a kernel with CONFIG_NF_TABLES",
            Feature::NfTablesNat => {
                "address translation in nf_tables; run `modprobe -a nft_chain_nat nft_masq nft_ct nft_fib_ipv4` or use a \
                 kernel with CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_CT and CONFIG_NFT_FIB_IPV4"
            }
        }
    }
}

/// A networking operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The process may not do this.
    #[error("no permission to {doing}: run Bayplan as root, with CAP_NET_ADMIN and CAP_SYS_ADMIN")]
    Privilege {
        /// The refused operation, as an infinitive.
        doing: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// The kernel lacks something.
    #[error("could not {doing}: this kernel lacks {}", .feature.words())]
    KernelFeature {
        /// The refused operation, as an infinitive.
        doing: &'static str,
        /// What is missing.
        feature: Feature,
        /// The kernel's answer.
        source: Errno,
    },
    /// The kernel refused an operation for another reason.
    #[error("could not {doing}")]
    Kernel {
        /// The refused operation, as an infinitive.
        doing: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// A file of the host could not be read or written.
    #[error("could not {doing} {}", .path.display())]
    File {
        /// The operation, as an infinitive that a path follows.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A host port is in use.
    #[error("port {port}/{protocol} of {host_ip} is taken{}", by_whom(.by))]
    PortTaken {
        /// The protocol of the port.
        protocol: Protocol,
        /// The address that was asked for.
        host_ip: Ipv4Addr,
        /// The port.
        port: u16,
        /// Who holds it, if that could be found out.
        by: Option<String>,
    },
    /// Every port of a range is in use.
    #[error("no free {protocol} port from {first} to {last} on {host_ip}: widen the range or stop what uses it")]
    NoFreePort {
        /// The protocol of the ports.
        protocol: Protocol,
        /// The address that was asked for.
        host_ip: Ipv4Addr,
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// A port was asked for on an address that the host does not have.
    #[error("{host_ip} is not an address of this host: publish on one that it has, or on 0.0.0.0 for all")]
    NotAHostAddress {
        /// The address.
        host_ip: Ipv4Addr,
    },
    /// The address range of a Network is already routed elsewhere.
    #[error("the range {range} overlaps the host's route to {route}: choose another with --network-cidr")]
    RangeTaken {
        /// The wanted range.
        range: Cidr,
        /// The destination of the route in the way.
        route: Cidr,
    },
    /// None of the default ranges is free.
    #[error(
        "every private range that Bayplan tries is already routed on this host: name a free one with --network-cidr"
    )]
    NoFreeRange,
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Invalid(String),
}

fn by_whom(by: &Option<String>) -> String {
    by.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
}

impl NetworkError {
    /// Sorts a kernel answer into missing privilege, missing feature, or a plain refusal.
    pub(crate) fn from_errno(doing: &'static str, needs: Option<Feature>, errno: Errno) -> Self {
        use Errno::{EACCES, EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPERM, EPROTONOSUPPORT};
        let nft = matches!(needs, Some(Feature::NfTables | Feature::NfTablesNat));
        match (errno, needs) {
            (EPERM | EACCES, _) => NetworkError::Privilege { doing, source: errno },
            (EOPNOTSUPP | EPROTONOSUPPORT | EAFNOSUPPORT, Some(feature)) => {
                NetworkError::KernelFeature { doing, feature, source: errno }
            }
            // An expression or chain type that nf_tables does not know.
            (ENOENT, Some(feature)) if nft => NetworkError::KernelFeature { doing, feature, source: errno },
            _ => NetworkError::Kernel { doing, source: errno },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(needs: Option<Feature>, errno: Errno) -> String {
        NetworkError::from_errno("create a veth pair", needs, errno).to_string()
    }

    #[test]
    fn a_refusal_says_what_is_missing_and_what_to_do() {
        assert_eq!(
            told(Some(Feature::Veth), Errno::EPERM),
            "no permission to create a veth pair: run Bayplan as root, with CAP_NET_ADMIN and CAP_SYS_ADMIN"
        );
        assert!(told(Some(Feature::Veth), Errno::EOPNOTSUPP).contains("modprobe veth"));
        assert!(told(Some(Feature::NfTablesNat), Errno::ENOENT).contains("CONFIG_NFT_MASQ"));
        assert_eq!(told(Some(Feature::Veth), Errno::ENOENT), "could not create a veth pair");
        assert_eq!(told(None, Errno::EOPNOTSUPP), "could not create a veth pair");
    }
}
