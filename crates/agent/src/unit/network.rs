//! The Unit's place in the network: namespaces with addresses, held ports, and the files that name them.

use super::Actor;
use super::prepare::{PrepareError, blocking, chain};
use crate::journal::Published;
use model::unit::Placement;
use model::unit::spec::{NetworkMode, Protocol};
use network::UnitEndpoint;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The name under which a supervisor holds a container's own namespace.
fn own_namespace(container: &str) -> String {
    format!("net-{container}")
}

impl Actor {
    /// Makes each namespace of the Unit and gives it to the supervisor to hold. A supervisor that holds one already keeps it.
    pub(super) async fn prepare_network(&mut self) -> Result<(), PrepareError> {
        if self.journal.containers.iter().any(|c| c.attempt > 0) {
            // Adopted: what runs stands in its namespaces already.
            return Ok(());
        }
        for (name, address) in self.wanted_endpoints()? {
            if self.held.contains(&name) {
                continue;
            }
            let namespace = self.attach(address).await?;
            self.hold(&name, namespace).await?;
        }
        self.publish_ports().await
    }

    /// The namespaces with an address, by the name they are held under.
    fn wanted_endpoints(&self) -> Result<Vec<(String, Ipv4Addr)>, PrepareError> {
        let Placement::Bound { address, container_addresses, .. } = &self.journal.assignment.unit.placement else {
            return Err(PrepareError::new("InternalError", "the task came here without a placement"));
        };
        Ok(match self.journal.assignment.spec.network {
            NetworkMode::Unit => address.iter().map(|a| ("net".to_owned(), a.address)).collect(),
            NetworkMode::PerContainer => {
                container_addresses.iter().map(|(container, a)| (own_namespace(container), *a)).collect()
            }
            NetworkMode::Host | NetworkMode::None => Vec::new(),
        })
    }

    async fn attach(&self, address: Ipv4Addr) -> Result<OwnedFd, PrepareError> {
        let node = self.node.clone();
        let attached = blocking(move || {
            let joined = node.network_of(address).ok_or_else(|| format!("no network of this node has {address}"))?;
            let subnets = &joined.network.spec().subnets;
            let subnet = subnets.iter().find(|s| s.range.contains(address));
            let subnet = subnet.ok_or_else(|| format!("no subnet of this node has {address}"))?;
            let endpoint = UnitEndpoint::new(address, *subnet, joined.network.spec().mtu);
            joined.network.attach(&endpoint).map_err(|e| chain(&e))
        });
        attached.await.map_err(|words| PrepareError::new("ResourceInitializationError", words))
    }

    /// Takes everything back that was given to the network.
    pub(super) async fn release_network(&mut self) {
        self.unpublish_ports().await;
        let Ok(endpoints) = self.wanted_endpoints() else { return };
        let node = self.node.clone();
        blocking(move || {
            for (_, address) in endpoints {
                let Some(joined) = node.network_of(address) else { continue };
                if let Err(error) = joined.network.detach(address) {
                    tracing::warn!(%address, error = %chain(&error), "an endpoint stays behind on the network");
                }
            }
        })
        .await;
    }

    /// Holds and publishes every port of the Unit. A port in host mode is the container's own and only written down.
    async fn publish_ports(&mut self) -> Result<(), PrepareError> {
        let spec = self.journal.assignment.spec.clone();
        for (index, container) in spec.containers.iter().enumerate() {
            for port in &container.ports {
                let bound = Published {
                    container: container.name.clone(),
                    address: self.address_of(index).unwrap_or(Ipv4Addr::UNSPECIFIED),
                    container_port: port.container_port,
                    host_port: port.host_port,
                    protocol: port.protocol,
                };
                match spec.network {
                    NetworkMode::PerContainer => self.publish_port(bound).await.map_err(|e| e.of(&container.name))?,
                    NetworkMode::Host => {
                        let host_port = port.container_port;
                        self.remember(Published { host_port, ..bound });
                    }
                    NetworkMode::Unit | NetworkMode::None => {}
                }
            }
        }
        Ok(())
    }

    async fn publish_port(&mut self, mut bound: Published) -> Result<(), PrepareError> {
        let known = self.journal.published.iter().find(|p| {
            (&p.container, p.container_port, p.protocol) == (&bound.container, bound.container_port, bound.protocol)
        });
        if let Some(known) = known {
            bound = known.clone();
        }
        if !self.held.contains(&held_port(&bound)) {
            let (node, wanted, protocol) = (self.node.clone(), bound.host_port, protocol(bound.protocol));
            let held = blocking(move || match wanted {
                0 => node.pick_port(protocol),
                port => node.host.hold_port(protocol, Ipv4Addr::UNSPECIFIED, port).map(|fd| (port, fd)),
            });
            let (port, fd) =
                held.await.map_err(|e| PrepareError::new("CannotStartContainerError: RESOURCE:PORTS", chain(&e)))?;
            bound.host_port = port;
            self.hold(&held_port(&bound), fd).await?;
        }
        // Written down before it is done, so that it is taken back whatever happens next.
        self.remember(bound.clone());
        self.save();
        let node = self.node.clone();
        let published = blocking(move || node.host.publish(&[mapping(&bound)])).await;
        published.map_err(|e| PrepareError::new("CannotStartContainerError", chain(&e)))
    }

    fn remember(&mut self, bound: Published) {
        if !self.journal.published.contains(&bound) {
            self.journal.published.push(bound);
        }
    }

    async fn unpublish_ports(&mut self) {
        if self.journal.assignment.spec.network != NetworkMode::PerContainer || self.journal.published.is_empty() {
            return;
        }
        let (node, all) = (self.node.clone(), self.journal.published.iter().map(mapping).collect::<Vec<_>>());
        let taken_back = blocking(move || node.host.unpublish(&all)).await;
        if let Err(error) = taken_back {
            tracing::warn!(unit = %self.journal.assignment.unit.uid, error = %chain(&error), "published ports stay behind");
        }
    }

    pub(super) fn held_network(&self, index: usize) -> Option<String> {
        let spec = &self.journal.assignment.spec;
        (spec.network == NetworkMode::PerContainer).then(|| own_namespace(&spec.containers[index].name))
    }

    fn address_of(&self, index: usize) -> Option<Ipv4Addr> {
        let Placement::Bound { address, container_addresses, .. } = &self.journal.assignment.unit.placement else {
            return None;
        };
        let spec = &self.journal.assignment.spec;
        match spec.network {
            NetworkMode::Unit => address.as_ref().map(|a| a.address),
            NetworkMode::PerContainer => {
                let name = &spec.containers[index].name;
                container_addresses.iter().find(|(n, _)| **n == **name).map(|(_, a)| *a)
            }
            NetworkMode::Host | NetworkMode::None => None,
        }
    }

    /// As Docker and ECS name hosts: an own name if given, the address's name in awsvpc, the host's in host mode, else the
    /// first twelve digits of the container's id.
    pub(super) fn hostname(&self, index: usize) -> String {
        let spec = &self.journal.assignment.spec;
        if let Some(own) = &spec.containers[index].hostname {
            return own.clone();
        }
        match (spec.network, self.address_of(index)) {
            (NetworkMode::Host, _) => self.node.config.node.hostname.clone(),
            (NetworkMode::Unit, Some(address)) => {
                let [a, b, c, d] = address.octets();
                format!("ip-{a}-{b}-{c}-{d}.ec2.internal")
            }
            _ => self.journal.containers[index].runtime_id.chars().take(12).collect(),
        }
    }

    /// Writes the container's hosts, resolv.conf and hostname files; answers where they belong.
    pub(super) fn write_etc(&self, index: usize) -> std::io::Result<Vec<(PathBuf, &'static str)>> {
        let container = &self.journal.assignment.spec.containers[index];
        let dir = self.dir.join("etc").join(&container.name);
        std::fs::create_dir_all(&dir)?;
        let files = [
            ("hosts", "/etc/hosts", self.hosts_file(index)),
            ("resolv.conf", "/etc/resolv.conf", self.resolv_conf(index)),
            ("hostname", "/etc/hostname", format!("{}\n", self.hostname(index))),
        ];
        let mut mounts = Vec::new();
        for (name, target, content) in files {
            let path = dir.join(name);
            std::fs::write(&path, content)?;
            mounts.push((path, target));
        }
        Ok(mounts)
    }

    fn hosts_file(&self, index: usize) -> String {
        let spec = &self.journal.assignment.spec;
        let container = &spec.containers[index];
        let entry = |address: Ipv4Addr, names: Vec<String>| network::HostsEntry { address: address.into(), names };
        let mut entries = Vec::new();
        if let Some(address) = self.address_of(index) {
            entries.push(entry(address, vec![self.hostname(index)]));
        }
        for (name, alias) in &container.links {
            let linked = spec.containers.iter().position(|c| c.name == *name);
            if let Some(address) = linked.and_then(|on| self.address_of(on)) {
                let alias = alias.iter().filter(|a| *a != name).cloned();
                entries.push(entry(address, [name.clone()].into_iter().chain(alias).collect()));
            }
        }
        let extra = container.extra_hosts.iter().filter_map(|(name, address)| {
            Some(network::HostsEntry { address: address.parse().ok()?, names: vec![name.clone()] })
        });
        entries.extend(extra);
        network::hosts_file(&entries)
    }

    fn resolv_conf(&self, index: usize) -> String {
        let container = &self.journal.assignment.spec.containers[index];
        // A host without a resolver is a host without a resolver.
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let upstream = read("/run/systemd/resolve/resolv.conf");
        network::resolv_conf(&read("/etc/resolv.conf"), &upstream, &container.dns_servers, &container.dns_search)
    }
}

fn held_port(bound: &Published) -> String {
    format!("port-{}-{}-{}", bound.container, protocol(bound.protocol), bound.container_port)
}

fn protocol(protocol: Protocol) -> network::Protocol {
    match protocol {
        Protocol::Tcp => network::Protocol::Tcp,
        Protocol::Udp => network::Protocol::Udp,
    }
}

fn mapping(bound: &Published) -> network::PortMapping {
    network::PortMapping {
        protocol: protocol(bound.protocol),
        host_ip: Ipv4Addr::UNSPECIFIED,
        host_port: bound.host_port,
        address: bound.address,
        container_port: bound.container_port,
    }
}
