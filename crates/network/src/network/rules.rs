//! The packet rules inside a Network's routing namespace.

use std::net::Ipv4Addr;

use super::BRIDGE;
use crate::nftables::rule::{Expression, Load};
use crate::nftables::set::{Element, Set, Type};
use crate::nftables::{Chain, Hook, Transaction};
use crate::spec::NetworkSpec;

/// The addresses that tasks call their router.
const GATEWAYS: Set = Set { name: "gateways", id: 1, key: &[Type::Address], data: &[] };
const GUARD: Chain = Chain { name: "guard", nat: false, hook: Hook::Prerouting, priority: -300 };
const ARRIVING: Chain = Chain { name: "arriving", nat: true, hook: Hook::Prerouting, priority: -100 };

/// Where a cloud's machines learn their own credentials: nothing for tasks (EC2: instance metadata service).
const INSTANCE_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Adds everything to a transaction; repeating it changes nothing.
pub(super) fn ensure(transaction: &mut Transaction<'_>, spec: &NetworkSpec) {
    transaction.ensure_table("a Network of Bayplan");
    transaction.ensure_set(&GATEWAYS);
    transaction.ensure_chain(&GUARD);
    transaction.ensure_chain(&ARRIVING);
    transaction.flush_rules();
    let key = |address: Ipv4Addr| Element { key: address.octets().to_vec(), data: Vec::new() };
    let gateways: Vec<_> = spec.subnets.iter().map(|subnet| key(subnet.gateway)).collect();
    transaction.add_elements(&GATEWAYS, &gateways);
    let from_a_task = Expression::comes_by_name(BRIDGE);
    let metadata = Expression::Is(INSTANCE_METADATA.octets().to_vec(), true);
    transaction.add_rule(
        &GUARD,
        &[&from_a_task[..], &[Expression::Load(Load::Destination, 0), metadata, Expression::Drop]].concat(),
    );
    // A task that calls its gateway means the host.
    let to_a_gateway = [Expression::Load(Load::Destination, 0), Expression::In(GATEWAYS, true)];
    let to_the_host = [Expression::Address(spec.host_address().octets()), Expression::Redirect { with_port: false }];
    transaction.add_rule(&ARRIVING, &[&from_a_task[..], &to_a_gateway, &to_the_host].concat());
}
