//! Publishing container ports on the host: elements of the host table's maps.

use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::Host;
use super::rules::{PORTS, PORTS_AT};
use crate::error::{NetworkError, NetworkResult};
use crate::netlink::{Refusal, conntrack};
use crate::nftables::Transaction;
use crate::nftables::set::{Element, Set};
use crate::ports::{PortMapping, Protocol};

impl Host {
    /// Publishes ports, all or none. A mapping that is there already is left. The port is the caller's by [`hold_port`](Host::hold_port).
    ///
    /// Errors: `PortTaken` when this instance publishes one of the ports for another container.
    pub fn publish(&self, mappings: &[PortMapping]) -> NetworkResult<()> {
        let result = match self.add(mappings) {
            // Somebody flushed all packet rules of the host (`nft flush ruleset`).
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                self.ensure_rules()?;
                self.add(mappings)
            }
            result => result,
        };
        match result {
            Err(refusal) if matches!(refusal.errno, Errno::EEXIST | Errno::EBUSY) => {
                Err(self.find_conflict(mappings)?.unwrap_or_else(|| refusal.into()))
            }
            result => {
                result?;
                self.forget_datagram_flows(mappings);
                Ok(())
            }
        }
    }

    fn add(&self, mappings: &[PortMapping]) -> Result<(), Refusal> {
        let table = self.instance.table();
        let mut transaction = Transaction::new(&table);
        for (map, elements) in by_map(mappings) {
            transaction.add_elements(&map, &elements);
        }
        transaction.commit(&self.netfilter())
    }

    /// Takes published ports back; those that are not published are passed over. New connections are refused from then
    /// on, those that are open go on while the container lives.
    pub fn unpublish(&self, mappings: &[PortMapping]) -> NetworkResult<()> {
        let there = self.published()?;
        let there: Vec<_> = mappings.iter().copied().filter(|mapping| there.contains(mapping)).collect();
        if there.is_empty() {
            return Ok(());
        }
        let table = self.instance.table();
        let mut transaction = Transaction::new(&table);
        for (map, elements) in by_map(&there) {
            transaction.delete_elements(&map, &elements);
        }
        transaction.commit(&self.netfilter())?;
        self.forget_datagram_flows(&there);
        Ok(())
    }

    /// What this instance publishes now, as the kernel has it.
    pub fn published(&self) -> NetworkResult<Vec<PortMapping>> {
        let table = self.instance.table();
        let socket = self.netfilter();
        let mut found = Vec::new();
        for map in [PORTS, PORTS_AT] {
            found.extend(socket.elements(&table, &map)?.iter().filter_map(mapping_of));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn find_conflict(&self, mappings: &[PortMapping]) -> NetworkResult<Option<NetworkError>> {
        let there = self.published()?;
        let same_port = |one: &PortMapping, other: &PortMapping| {
            (one.protocol, one.host_ip, one.host_port) == (other.protocol, other.host_ip, other.host_port)
        };
        let conflict = mappings.iter().find_map(|mapping| {
            there.iter().find(|other| same_port(mapping, other) && *other != mapping).map(|other| (mapping, other))
        });
        Ok(conflict.map(|(mapping, other)| NetworkError::PortTaken {
            protocol: mapping.protocol,
            host_ip: mapping.host_ip,
            port: mapping.host_port,
            by: Some(format!("the container at {}:{}", other.address, other.container_port)),
        }))
    }

    /// A UDP client that keeps sending stays on the way its first datagram took: make it look again. Best effort, for a
    /// kernel may lack the means.
    fn forget_datagram_flows(&self, mappings: &[PortMapping]) {
        let ports: Vec<_> = mappings
            .iter()
            .filter(|mapping| mapping.protocol == Protocol::Udp)
            .map(|mapping| mapping.host_port)
            .collect();
        if !ports.is_empty()
            && let Err(refusal) = conntrack::forget_udp(&self.netfilter(), &ports)
        {
            tracing::debug!(?refusal, "UDP flows to published ports keep their way until they pause");
        }
    }
}

/// Sorts mappings into the two maps.
fn by_map(mappings: &[PortMapping]) -> [(Set, Vec<Element>); 2] {
    let (everywhere, at_one): (Vec<PortMapping>, Vec<PortMapping>) =
        mappings.iter().partition(|mapping| mapping.host_ip.is_unspecified());
    let elements = |mappings: Vec<PortMapping>| mappings.iter().map(element_of).collect();
    [(PORTS, elements(everywhere)), (PORTS_AT, elements(at_one))]
}

/// Every part fills a register of four bytes.
fn element_of(mapping: &PortMapping) -> Element {
    let port = |number: u16| {
        let [high, low] = number.to_be_bytes();
        [high, low, 0, 0]
    };
    let mut key = Vec::new();
    if !mapping.host_ip.is_unspecified() {
        key.extend_from_slice(&mapping.host_ip.octets());
    }
    key.extend_from_slice(&[mapping.protocol.number(), 0, 0, 0]);
    key.extend_from_slice(&port(mapping.host_port));
    Element { key, data: [mapping.address.octets(), port(mapping.container_port)].concat() }
}

fn mapping_of(element: &Element) -> Option<PortMapping> {
    let (host_ip, key) = match element.key.len() {
        12 => (Ipv4Addr::from(<[u8; 4]>::try_from(&element.key[..4]).ok()?), &element.key[4..]),
        8 => (Ipv4Addr::UNSPECIFIED, &element.key[..]),
        _ => return None,
    };
    let [protocol, _, _, _, port_high, port_low, ..] = *key else { return None };
    let [a, b, c, d, container_high, container_low, ..] = *element.data.as_slice() else { return None };
    Some(PortMapping {
        protocol: Protocol::from_number(protocol)?,
        host_ip,
        host_port: u16::from_be_bytes([port_high, port_low]),
        address: Ipv4Addr::new(a, b, c, d),
        container_port: u16::from_be_bytes([container_high, container_low]),
    })
}
