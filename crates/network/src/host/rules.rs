//! The packet rules of an instance in the host's namespace: one table, whose rules never change; Networks and published
//! ports are elements of its sets.

use crate::nftables::rule::{Expression, LOCAL, Load, STATE_ESTABLISHED_RELATED, STATUS_DNAT};
use crate::nftables::set::{Set, Type};
use crate::nftables::{Chain, Hook, Transaction};

/// The host's ends of the links to the instance's Networks.
pub(super) const LINKS: Set = Set { name: "links", id: 1, key: &[Type::InterfaceName], data: &[] };

/// Published ports that every address of the host answers: protocol and port -> address and port.
pub(super) const PORTS: Set =
    Set { name: "ports", id: 2, key: &[Type::Protocol, Type::Port], data: &[Type::Address, Type::Port] };

/// Published ports that one address of the host answers: address, protocol and port -> address and port.
pub(super) const PORTS_AT: Set = Set {
    name: "ports_at",
    id: 3,
    key: &[Type::Address, Type::Protocol, Type::Port],
    data: &[Type::Address, Type::Port],
};

const GUARD: Chain = Chain { name: "guard", nat: false, hook: Hook::Prerouting, priority: -300 };
const ARRIVING: Chain = Chain { name: "arriving", nat: true, hook: Hook::Prerouting, priority: -100 };
const LOCAL_CALLS: Chain = Chain { name: "local_calls", nat: true, hook: Hook::Output, priority: -100 };
const ENTERING: Chain = Chain { name: "entering", nat: false, hook: Hook::Forward, priority: 0 };
const LEAVING: Chain = Chain { name: "leaving", nat: true, hook: Hook::Postrouting, priority: 100 };

/// Adds everything but elements to a transaction; repeating it changes nothing.
pub(super) fn ensure(transaction: &mut Transaction<'_>, comment: &str) {
    transaction.ensure_table(comment);
    for set in [LINKS, PORTS, PORTS_AT] {
        transaction.ensure_set(&set);
    }
    for chain in [GUARD, ARRIVING, LOCAL_CALLS, ENTERING, LEAVING] {
        transaction.ensure_chain(&chain);
    }
    transaction.flush_rules();
    // The links accept loopback addresses (route_localnet), for answers only: no task may call the host's loopback.
    let calls_loopback = Expression::is_loopback(Load::Destination);
    transaction.add_rule(&GUARD, &rule([&Expression::comes_by(LINKS), &calls_loopback, &[Expression::Drop]]));
    for chain in [ARRIVING, LOCAL_CALLS] {
        transaction.add_rule(&chain, &published_at());
        transaction.add_rule(&chain, &published());
    }
    transaction.add_rule(&ENTERING, &never_unasked());
    for expressions in [to_the_outside(), published_to_a_task(), published_to_loopback()] {
        transaction.add_rule(&LEAVING, &expressions);
    }
}

fn rule<const N: usize>(parts: [&[Expression]; N]) -> Vec<Expression> {
    parts.concat()
}

/// `dnat to ip daddr . meta l4proto . th dport map @ports_at`
fn published_at() -> Vec<Expression> {
    vec![
        Expression::Load(Load::Destination, 0),
        Expression::Load(Load::Protocol, 1),
        Expression::Load(Load::DestinationPort, 2),
        Expression::Map(PORTS_AT),
        Expression::Redirect { with_port: true },
    ]
}

/// `fib daddr type local dnat to meta l4proto . th dport map @ports`
fn published() -> Vec<Expression> {
    vec![
        Expression::Load(Load::DestinationKind, 0),
        Expression::Is(LOCAL.to_ne_bytes().to_vec(), true),
        Expression::Load(Load::Protocol, 0),
        Expression::Load(Load::DestinationPort, 1),
        Expression::Map(PORTS),
        Expression::Redirect { with_port: true },
    ]
}

/// What another machine or another Network sends to a task uninvited: neither an answer nor for a published port.
fn never_unasked() -> Vec<Expression> {
    rule([
        &Expression::leaves_by(LINKS),
        &[Expression::Load(Load::ConnectionState, 0)],
        &Expression::lacks_bits(STATE_ESTABLISHED_RELATED),
        &[Expression::Load(Load::ConnectionStatus, 0)],
        &Expression::lacks_bits(STATUS_DNAT),
        &[Expression::Drop],
    ])
}

/// Tasks call the outside under the host's address.
fn to_the_outside() -> Vec<Expression> {
    let elsewhere = [Expression::Load(Load::InterfaceOut, 0), Expression::In(LINKS, false)];
    rule([&Expression::comes_by(LINKS), &elsewhere, &[Expression::Masquerade]])
}

/// A task that calls a published port must get its answer through the host again, even from a neighbour or itself.
fn published_to_a_task() -> Vec<Expression> {
    rule([
        &Expression::comes_by(LINKS),
        &Expression::leaves_by(LINKS),
        &[Expression::Load(Load::ConnectionStatus, 0)],
        &Expression::has_bits(STATUS_DNAT),
        &[Expression::Masquerade],
    ])
}

/// A call from 127.0.0.1 leaves under the link's address.
fn published_to_loopback() -> Vec<Expression> {
    rule([&Expression::leaves_by(LINKS), &Expression::is_loopback(Load::Source), &[Expression::Masquerade]])
}
