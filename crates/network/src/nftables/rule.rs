//! The expressions that packet rules are made of, as nf_tables writes them; no rule of ours.

use crate::netlink::message::Attributes;

use super::IPV4;
use super::set::{INTERFACE_NAME_BYTES, Set};

/// The first four-byte register; loads that must stand side by side take the next ones.
const REGISTER: u32 = 8;
const VERDICT_REGISTER: u32 = 0;

const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const DROP: u32 = 0;

/// A number that nf_tables can load of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    InterfaceIn,
    InterfaceOut,
    Source,
    Destination,
    Protocol,
    /// Of TCP and UDP.
    DestinationPort,
    /// Bits of `IPS_*` of the packet's connection.
    ConnectionStatus,
    /// One bit, counted from the lowest: invalid, established, related, new, ..., untracked.
    ConnectionState,
    /// What the destination is to this host: `RTN_*`.
    DestinationKind,
}

/// `RTN_LOCAL`: the destination is an address of this host.
pub(crate) const LOCAL: u32 = 2;
/// `IPS_DST_NAT`: the connection's destination was translated.
pub(crate) const STATUS_DNAT: u32 = 1 << 5;
/// The connection is known, or belongs to one that is.
pub(crate) const STATE_ESTABLISHED_RELATED: u32 = 1 << 1 | 1 << 2;

/// One expression. A rule goes on to the next expression only when this one matches.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    /// Loads a number into the `slot`th register.
    Load(Load, u32),
    /// Clears, of the four loaded bytes, all bits but these.
    Mask([u8; 4]),
    /// What is loaded is, or is not, this.
    Is(Vec<u8>, bool),
    /// What is loaded is, or is not, in a set.
    In(Set, bool),
    /// Replaces what is loaded by what a map has for it.
    Map(Set),
    /// Loads an address.
    Address([u8; 4]),
    /// Sends the packet to the loaded address, and to the port loaded beside it if the flag says so.
    Redirect { with_port: bool },
    /// Gives the packet the source address of the interface that it leaves by.
    Masquerade,
    /// Drops the packet.
    Drop,
}

impl Expression {
    /// The packet came in by an interface of the set.
    pub(crate) fn comes_by(set: Set) -> [Expression; 2] {
        [Expression::Load(Load::InterfaceIn, 0), Expression::In(set, true)]
    }

    /// The packet leaves by an interface of the set.
    pub(crate) fn leaves_by(set: Set) -> [Expression; 2] {
        [Expression::Load(Load::InterfaceOut, 0), Expression::In(set, true)]
    }

    /// The packet came in by the interface of this name.
    pub(crate) fn comes_by_name(name: &str) -> [Expression; 2] {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(INTERFACE_NAME_BYTES, 0);
        [Expression::Load(Load::InterfaceIn, 0), Expression::Is(padded, true)]
    }

    /// The loaded number has at least one of these bits.
    pub(crate) fn has_bits(bits: u32) -> [Expression; 2] {
        [Expression::Mask(bits.to_ne_bytes()), Expression::Is(vec![0; 4], false)]
    }

    /// The loaded number has none of these bits.
    pub(crate) fn lacks_bits(bits: u32) -> [Expression; 2] {
        [Expression::Mask(bits.to_ne_bytes()), Expression::Is(vec![0; 4], true)]
    }

    /// The packet comes from or goes to 127.0.0.0/8, by what `load` says.
    pub(crate) fn is_loopback(load: Load) -> [Expression; 3] {
        [Expression::Load(load, 0), Expression::Mask([255, 0, 0, 0]), Expression::Is(vec![127, 0, 0, 0], true)]
    }

    pub(super) fn write(&self, out: &mut Attributes<'_>) {
        match self {
            Expression::Load(load, slot) => load.write(REGISTER + slot, out),
            Expression::Mask(mask) => write_named("bitwise", out, |data| {
                data.be32(1, REGISTER).be32(2, REGISTER).be32(3, 4);
                data.nested(4, |value| {
                    value.bytes(DATA_VALUE, mask);
                });
                data.nested(5, |value| {
                    value.bytes(DATA_VALUE, &[0; 4]);
                });
            }),
            Expression::Is(value, equal) => write_named("cmp", out, |data| {
                const EQUAL: u32 = 0;
                const DIFFERENT: u32 = 1;
                data.be32(1, REGISTER).be32(2, if *equal { EQUAL } else { DIFFERENT });
                data.nested(3, |operand| {
                    operand.bytes(DATA_VALUE, value);
                });
            }),
            Expression::In(set, within) => write_named("lookup", out, |data| {
                const INVERTED: u32 = 1;
                data.string(1, set.name).be32(2, REGISTER);
                if !within {
                    data.be32(5, INVERTED);
                }
            }),
            Expression::Map(map) => write_named("lookup", out, |data| {
                data.string(1, map.name).be32(2, REGISTER).be32(3, REGISTER);
            }),
            Expression::Address(address) => write_named("immediate", out, |data| {
                data.be32(1, REGISTER).nested(2, |value| {
                    value.bytes(DATA_VALUE, address);
                });
            }),
            Expression::Redirect { with_port } => write_named("nat", out, |data| {
                const DNAT: u32 = 1;
                data.be32(1, DNAT).be32(2, u32::from(IPV4)).be32(3, REGISTER);
                if *with_port {
                    data.be32(5, REGISTER + 1);
                }
            }),
            Expression::Masquerade => write_named("masq", out, |_| ()),
            Expression::Drop => write_named("immediate", out, |data| {
                data.be32(1, VERDICT_REGISTER).nested(2, |value| {
                    value.nested(DATA_VERDICT, |verdict| {
                        verdict.be32(VERDICT_CODE, DROP);
                    });
                });
            }),
        }
    }
}

impl Load {
    fn write(self, register: u32, out: &mut Attributes<'_>) {
        const NETWORK_HEADER: u32 = 1;
        const TRANSPORT_HEADER: u32 = 2;
        match self {
            Load::InterfaceIn => write_key("meta", 6, register, out),
            Load::InterfaceOut => write_key("meta", 7, register, out),
            Load::Protocol => write_key("meta", 16, register, out),
            Load::ConnectionState => write_key("ct", 0, register, out),
            Load::ConnectionStatus => write_key("ct", 2, register, out),
            Load::Source => write_payload(NETWORK_HEADER, 12, 4, register, out),
            Load::Destination => write_payload(NETWORK_HEADER, 16, 4, register, out),
            Load::DestinationPort => write_payload(TRANSPORT_HEADER, 2, 2, register, out),
            Load::DestinationKind => write_named("fib", out, |data| {
                const ADDRESS_TYPE: u32 = 3;
                const OF_DESTINATION: u32 = 1 << 1;
                data.be32(1, register).be32(2, ADDRESS_TYPE).be32(3, OF_DESTINATION);
            }),
        }
    }
}

fn write_named(name: &str, out: &mut Attributes<'_>, build: impl FnOnce(&mut Attributes<'_>)) {
    out.string(EXPRESSION_NAME, name).nested(EXPRESSION_DATA, build);
}

fn write_key(name: &str, key: u32, register: u32, out: &mut Attributes<'_>) {
    write_named(name, out, |data| {
        data.be32(1, register).be32(2, key);
    });
}

fn write_payload(base: u32, offset: u32, length: u32, register: u32, out: &mut Attributes<'_>) {
    write_named("payload", out, |data| {
        data.be32(1, register).be32(2, base).be32(3, offset).be32(4, length);
    });
}
