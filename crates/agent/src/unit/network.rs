//! The Unit's place in the network: namespaces with addresses, held ports, and the files that name them.

use super::Actor;
use super::prepare::{PrepareError, blocking, chain};
use crate::journal::Published;
use model::unit::Placement;
use model::unit::spec::NetworkMode;
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

    async fn publish_ports(&mut self) -> Result<(), PrepareError> {
        let _: &Vec<Published> = &self.journal.published;
        Ok(())
    }

    async fn unpublish_ports(&mut self) {}

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
        let mut lines = vec!["127.0.0.1 localhost".to_owned(), "::1 localhost ip6-localhost ip6-loopback".to_owned()];
        if let Some(address) = self.address_of(index) {
            lines.push(format!("{address} {}", self.hostname(index)));
        }
        for (name, alias) in &container.links {
            let linked = spec.containers.iter().position(|c| c.name == *name);
            if let Some(address) = linked.and_then(|on| self.address_of(on)) {
                let alias = alias.as_deref().filter(|a| a != name).map(|a| format!(" {a}")).unwrap_or_default();
                lines.push(format!("{address} {name}{alias}"));
            }
        }
        lines.extend(container.extra_hosts.iter().map(|(name, address)| format!("{address} {name}")));
        lines.join("\n") + "\n"
    }

    fn resolv_conf(&self, index: usize) -> String {
        let container = &self.journal.assignment.spec.containers[index];
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let mut lines: Vec<String> = container.dns_servers.iter().map(|s| format!("nameserver {s}")).collect();
        if lines.is_empty() {
            lines.extend(read("/etc/resolv.conf").lines().filter(|l| l.starts_with("nameserver")).map(str::to_owned));
        }
        if !container.dns_search.is_empty() {
            lines.push(format!("search {}", container.dns_search.join(" ")));
        }
        lines.join("\n") + "\n"
    }
}
