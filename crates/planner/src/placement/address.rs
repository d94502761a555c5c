//! Addresses for a Unit: one of its own or one for each container, none of them held by anybody else.

use super::field::Field;
use super::filter::Demand;
use model::network::{Network, Range, Subnet};
use model::unit::placement::UnitAddress;
use model::unit::spec::NetworkMode;
use rand::{Rng, RngExt};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// How often to guess an address before all of a range are looked at.
const GUESSES: usize = 8;

/// What a Unit gets besides its node.
#[derive(Default)]
pub(super) struct Addresses {
    pub(super) unit: Option<UnitAddress>,
    pub(super) containers: Vec<(Arc<str>, Ipv4Addr)>,
}

impl Addresses {
    pub(super) fn all(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.unit.iter().map(|own| own.address).chain(self.containers.iter().map(|(_, address)| *address))
    }
}

/// No address is free in a subnet or range, which is named.
pub(super) struct Exhausted {
    pub(super) subnet: Arc<str>,
}

/// The addresses that a Unit's network mode asks for; takes nothing yet.
pub(super) fn allocate<'a>(field: &Field<'a>, demand: &Demand<'a>, rng: &mut impl Rng) -> Result<Addresses, Exhausted> {
    let network = || field.snapshot.networks.get(&demand.unit.name.cluster().scope).map(|network| &*network.value);
    match demand.spec.network {
        NetworkMode::Host | NetworkMode::None => Ok(Addresses::default()),
        NetworkMode::Unit => {
            let unit = Some(of_a_subnet(field, demand, network(), rng)?);
            Ok(Addresses { unit, containers: Vec::new() })
        }
        NetworkMode::PerContainer => {
            let containers = for_containers(field, demand, network(), rng)?;
            Ok(Addresses { unit: None, containers })
        }
    }
}

/// Starts at any of the subnets, so that they fill evenly, and takes the next one that has room.
fn of_a_subnet<'a>(
    field: &Field<'a>,
    demand: &Demand<'a>,
    network: Option<&'a Network>,
    rng: &mut impl Rng,
) -> Result<UnitAddress, Exhausted> {
    let wished = &demand.scheduling.subnets;
    let all = || network.into_iter().flat_map(|network| &network.subnets);
    let subnets: Vec<&Subnet> = all().filter(|subnet| wished.is_empty() || wished.contains(&subnet.id)).collect();
    if subnets.is_empty() {
        return Err(Exhausted { subnet: wished.first().cloned().unwrap_or_default() });
    }
    let first = rng.random_range(0..subnets.len());
    for subnet in subnets[first..].iter().chain(&subnets[..first]) {
        if let Some(address) = free_address(field, subnet.range, &[], rng) {
            return Ok(UnitAddress { subnet: subnet.id.clone(), address });
        }
    }
    Err(Exhausted { subnet: subnets[first].id.clone() })
}

fn for_containers<'a>(
    field: &Field<'a>,
    demand: &Demand<'a>,
    network: Option<&'a Network>,
    rng: &mut impl Rng,
) -> Result<Vec<(Arc<str>, Ipv4Addr)>, Exhausted> {
    let mut own: Vec<(Arc<str>, Ipv4Addr)> = Vec::new();
    for container in demand.spec.containers.iter().filter(|container| !container.disable_networking) {
        let Some(network) = network else { return Err(Exhausted { subnet: "".into() }) };
        let Some(address) = free_address(field, network.container_range, &own, rng) else {
            return Err(Exhausted { subnet: network.container_range.to_string().into() });
        };
        own.push((container.name.as_str().into(), address));
    }
    Ok(own)
}

/// A free address of a range that is not among `own` either: by guess, then by a look at each from a guessed one on.
fn free_address(field: &Field<'_>, range: Range, own: &[(Arc<str>, Ipv4Addr)], rng: &mut impl Rng) -> Option<Ipv4Addr> {
    if range.prefix > 32 {
        return None;
    }
    let usable = range.usable();
    let is_free = |address: &Ipv4Addr| !field.address_taken(address) && !own.iter().any(|(_, mine)| mine == address);
    if usable.is_empty() {
        return None;
    }
    let guess = (0..GUESSES).map(|_| range.nth(rng.random_range(usable.clone()))).find(is_free);
    guess.or_else(|| {
        let start = rng.random_range(usable.clone());
        (start..usable.end).chain(usable.start..start).map(|n| range.nth(n)).find(is_free)
    })
}
