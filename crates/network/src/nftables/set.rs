//! Sets and maps of nf_tables: their types, their elements, and reading elements back.

use crate::netlink::message::{AttributeReader, Attributes};

use super::LIST_ELEMENT;

/// `IFNAMSIZ`: interface names are compared in full, padded with zero bytes.
pub(crate) const INTERFACE_NAME_BYTES: usize = 16;

const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LENGTH: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_LENGTH: u16 = 7;
const SET_ID: u16 = 10;
const SET_USERDATA: u16 = 13;
const FLAG_MAP: u32 = 0x8;

const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;

/// The type of one part of a key or datum. The kernel wants only lengths; the number is what the `nft` command shows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Address = 7,
    Protocol = 12,
    Port = 13,
    InterfaceName = 41,
}

impl Type {
    /// With padding to the four bytes of a register.
    fn bytes(self) -> u32 {
        match self {
            Type::InterfaceName => INTERFACE_NAME_BYTES as u32,
            Type::Address | Type::Protocol | Type::Port => 4,
        }
    }
}

/// A set (no data) or a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// Unique among the sets of a transaction.
    pub(crate) id: u32,
    pub(crate) key: &'static [Type],
    pub(crate) data: &'static [Type],
}

/// An element: key and, in a map, data, as the bytes of the registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) key: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Element {
    /// The name of an interface, as a key.
    pub(crate) fn interface(name: &str) -> Self {
        let mut key = name.as_bytes().to_vec();
        key.resize(INTERFACE_NAME_BYTES, 0);
        Self { key, data: Vec::new() }
    }
}

fn length(types: &[Type]) -> u32 {
    types.iter().map(|part| part.bytes()).sum()
}

/// The number of a concatenation: six bits for each part.
fn number(types: &[Type]) -> u32 {
    types.iter().fold(0, |number, &part| number << 6 | part as u32)
}

/// What the `nft` command must be told to show interface names: "key byte order" (0), four bytes, "the host's" (1).
fn host_order_key() -> Vec<u8> {
    [&[0, 4][..], &1_u32.to_ne_bytes()].concat()
}

impl Set {
    pub(super) fn write(&self, table: &str, out: &mut Attributes<'_>) {
        out.string(SET_TABLE, table).string(SET_NAME, self.name).be32(SET_ID, self.id);
        out.be32(SET_KEY_TYPE, number(self.key)).be32(SET_KEY_LENGTH, length(self.key));
        if self.key == [Type::InterfaceName] {
            out.bytes(SET_USERDATA, &host_order_key());
        }
        if self.data.is_empty() {
            out.be32(SET_FLAGS, 0);
        } else {
            out.be32(SET_FLAGS, FLAG_MAP);
            out.be32(SET_DATA_TYPE, number(self.data)).be32(SET_DATA_LENGTH, length(self.data));
        }
    }
}

pub(super) fn write_elements(table: &str, set: &Set, elements: &[Element], out: &mut Attributes<'_>) {
    out.string(LIST_TABLE, table).string(LIST_SET, set.name);
    if elements.is_empty() {
        return;
    }
    out.nested(LIST_ELEMENTS, |list| {
        for element in elements {
            list.nested(LIST_ELEMENT, |attributes| {
                attributes.nested(ELEMENT_KEY, |key| {
                    key.bytes(DATA_VALUE, &element.key);
                });
                if !element.data.is_empty() {
                    attributes.nested(ELEMENT_DATA, |data| {
                        data.bytes(DATA_VALUE, &element.data);
                    });
                }
            });
        }
    });
}

pub(super) fn parse_elements(payload: &[u8], header: usize) -> Vec<Element> {
    let list = AttributeReader::after(payload, header).nested(LIST_ELEMENTS);
    let parse = |value: &[u8]| {
        let element = AttributeReader::after(value, 0);
        let part = |kind| element.nested(kind).and_then(|part| part.find(DATA_VALUE)).map(<[u8]>::to_vec);
        Some(Element { key: part(ELEMENT_KEY)?, data: part(ELEMENT_DATA).unwrap_or_default() })
    };
    list.into_iter().flatten().filter_map(|(_, value)| parse(value)).collect()
}
