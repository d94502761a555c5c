//! Addresses, namespaces, bridges and packet rules of a node; knows no store and no API shape.

mod error;
mod files;
mod host;
mod namespace;
mod netlink;
mod network;
mod nftables;
mod ports;
mod range;
mod spec;
mod sysctl;

pub use error::{Feature, NetworkError, NetworkResult};
pub use files::{HostsEntry, hosts_file, resolv_conf};
pub use host::Host;
pub use host::probe::probe;
pub use network::Network;
pub use network::endpoint::attach_none;
pub use ports::{PortMapping, Protocol};
pub use range::{Cidr, DEFAULT_RANGE, check_range, choose_range};
pub use spec::{InstanceId, NetworkSpec, Subnet, UnitEndpoint, mac_of};
