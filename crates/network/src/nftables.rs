//! nf_tables transactions on one table of the `ip` family: tables, sets, chains, rules, elements; knows no rule of ours.

pub(crate) mod rule;
pub(crate) mod set;

use nix::libc;

use crate::error::Feature;
use crate::netlink::message::{AttributeReader, Attributes, Batch, Step};
use crate::netlink::{NetlinkSocket, Refusal};
use rule::Expression;
use set::{Element, Set};

const SUBSYSTEM: u16 = 10;
/// `NFPROTO_IPV4`: the family of every table here.
pub(crate) const IPV4: u8 = 2;
const NFGENMSG_BYTES: usize = 4;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;
const NEWRULE: u16 = 6;
const DELRULE: u16 = 8;
const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
const DELSETELEM: u16 = 14;

const TABLE_NAME: u16 = 1;
const TABLE_USERDATA: u16 = 6;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
pub(crate) const LIST_ELEMENT: u16 = 1;

/// A list of elements is one attribute, and its length is a number of 16 bits.
const ELEMENTS_PER_MESSAGE: usize = 256;

/// The type, in a table's user data, under which the `nft` command keeps and shows a comment.
const COMMENT: u8 = 0;

/// Where in a packet's way a chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Prerouting = 0,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// A base chain; packets that it does not judge go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    /// Whether it translates addresses; else it filters.
    pub(crate) nat: bool,
    pub(crate) hook: Hook,
    /// Chains of a hook run from the lowest number up.
    pub(crate) priority: i32,
}

/// A change of one table that happens as a whole or not at all.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    table: &'a str,
    batch: Batch,
}

fn header(family: u8, resource: u16) -> [u8; NFGENMSG_BYTES] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn kind(message: u16) -> u16 {
    SUBSYSTEM << 8 | message
}

fn step(doing: &'static str) -> Step {
    Step { doing, needs: Some(Feature::NfTables) }
}

impl<'a> Transaction<'a> {
    /// Starts a change of the table of this name.
    pub(crate) fn new(table: &'a str) -> Self {
        let mut batch = Batch::default();
        batch.push(step("begin a change of packet rules"), BATCH_BEGIN, 0, &header(0, SUBSYSTEM), |_| ());
        Self { table, batch }
    }

    /// Ends and performs the change.
    pub(crate) fn commit(mut self, socket: &NetlinkSocket) -> Result<(), Refusal> {
        self.batch.push(step("end a change of packet rules"), BATCH_END, 0, &header(0, SUBSYSTEM), |_| ());
        socket.transact(&self.batch)
    }

    fn push(&mut self, step: Step, message: u16, flags: i32, build: impl FnOnce(&mut Attributes<'_>)) {
        self.batch.push(step, kind(message), flags | libc::NLM_F_ACK, &header(IPV4, 0), build);
    }

    /// Makes the table; one that is there keeps its comment.
    pub(crate) fn ensure_table(&mut self, comment: &str) {
        let table = self.table;
        let mut userdata = vec![COMMENT, comment.len() as u8 + 1];
        userdata.extend_from_slice(comment.as_bytes());
        userdata.push(0);
        self.push(step("create a table of packet rules"), NEWTABLE, libc::NLM_F_CREATE, |attributes| {
            attributes.string(TABLE_NAME, table).bytes(TABLE_USERDATA, &userdata);
        });
    }

    /// Deletes the table and all it holds.
    pub(crate) fn delete_table(&mut self) {
        let table = self.table;
        self.push(step("delete a table of packet rules"), DELTABLE, 0, |attributes| {
            attributes.string(TABLE_NAME, table);
        });
    }

    /// Makes a base chain, or leaves the one that is there.
    pub(crate) fn ensure_chain(&mut self, chain: &Chain) {
        let table = self.table;
        let needs = Some(if chain.nat { Feature::NfTablesNat } else { Feature::NfTables });
        let step = Step { doing: "create a chain of packet rules", needs };
        self.push(step, NEWCHAIN, libc::NLM_F_CREATE, |attributes| {
            attributes.string(CHAIN_TABLE, table).string(CHAIN_NAME, chain.name);
            attributes.nested(CHAIN_HOOK, |hook| {
                hook.be32(HOOK_NUMBER, chain.hook as u32).be32(HOOK_PRIORITY, chain.priority as u32);
            });
            attributes.string(CHAIN_TYPE, if chain.nat { "nat" } else { "filter" });
        });
    }

    /// Deletes every rule of the table; sets and elements stay.
    pub(crate) fn flush_rules(&mut self) {
        let table = self.table;
        self.push(step("replace packet rules"), DELRULE, 0, |attributes| {
            attributes.string(RULE_TABLE, table);
        });
    }

    /// Appends a rule to a chain.
    pub(crate) fn add_rule(&mut self, chain: &Chain, expressions: &[Expression]) {
        let table = self.table;
        let step = Step { doing: "add a packet rule", needs: Some(Feature::NfTablesNat) };
        self.push(step, NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND, |attributes| {
            attributes.string(RULE_TABLE, table).string(RULE_CHAIN, chain.name);
            attributes.nested(RULE_EXPRESSIONS, |list| {
                for expression in expressions {
                    list.nested(LIST_ELEMENT, |element| expression.write(element));
                }
            });
        });
    }

    /// Makes a set or map, or leaves the one that is there.
    pub(crate) fn ensure_set(&mut self, set: &Set) {
        let table = self.table;
        self.push(step("create a set of packet rules"), NEWSET, libc::NLM_F_CREATE, |attributes| {
            set.write(table, attributes);
        });
    }

    /// Adds elements. One that is there with the same data is left; with other data the whole change is refused.
    pub(crate) fn add_elements(&mut self, set: &Set, elements: &[Element]) {
        self.change_elements("add to a set of packet rules", NEWSETELEM, libc::NLM_F_CREATE, set, elements);
    }

    /// Deletes elements by key. When one is not there the whole change is refused.
    pub(crate) fn delete_elements(&mut self, set: &Set, elements: &[Element]) {
        self.change_elements("delete from a set of packet rules", DELSETELEM, 0, set, elements);
    }

    fn change_elements(&mut self, doing: &'static str, message: u16, flags: i32, set: &Set, elements: &[Element]) {
        let table = self.table;
        for some in elements.chunks(ELEMENTS_PER_MESSAGE) {
            self.push(Step { doing, needs: None }, message, flags, |attributes| {
                set::write_elements(table, set, some, attributes);
            });
        }
    }
}

/// A chain that stands in forwarded packets' way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedChain {
    pub(crate) table: String,
    pub(crate) name: String,
}

fn parse_closed_chain(payload: &[u8]) -> Option<ClosedChain> {
    /// `NFPROTO_INET`: both IP families.
    const INET: u8 = 1;
    const DROPS: [u8; 4] = [0; 4];
    let attributes = AttributeReader::after(payload, NFGENMSG_BYTES);
    let hook = attributes.nested(CHAIN_HOOK)?.four(HOOK_NUMBER).map(u32::from_be_bytes)?;
    let in_the_way = [IPV4, INET].contains(payload.first()?)
        && hook == Hook::Forward as u32
        && attributes.four(CHAIN_POLICY)? == DROPS;
    let text = |kind| attributes.string(kind).map(str::to_owned);
    in_the_way.then_some(ClosedChain { table: text(CHAIN_TABLE)?, name: text(CHAIN_NAME)? })
}

/// A table as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Empty when the table has none.
    pub(crate) comment: String,
}

impl NetlinkSocket {
    /// The tables of the `ip` family in the socket's namespace.
    pub(crate) fn tables(&self) -> Result<Vec<Table>, Refusal> {
        let mut batch = Batch::default();
        batch.push(step("read packet rules"), kind(GETTABLE), libc::NLM_F_DUMP, &header(IPV4, 0), |_| ());
        Ok(self.dump(&batch)?.iter().filter_map(|payload| parse_table(payload)).collect())
    }

    /// The chains, of any table of the `ip` and `inet` families, that drop forwarded packets which no rule accepts.
    pub(crate) fn closed_forward_chains(&self) -> Result<Vec<ClosedChain>, Refusal> {
        let mut batch = Batch::default();
        batch.push(step("read packet rules"), kind(GETCHAIN), libc::NLM_F_DUMP, &header(0, 0), |_| ());
        Ok(self.dump(&batch)?.iter().filter_map(|payload| parse_closed_chain(payload)).collect())
    }

    /// The elements of a set or map; none when it does not exist.
    pub(crate) fn elements(&self, table: &str, set: &Set) -> Result<Vec<Element>, Refusal> {
        let mut batch = Batch::default();
        let step = step("read a set of packet rules");
        batch.push(step, kind(GETSETELEM), libc::NLM_F_DUMP, &header(IPV4, 0), |attributes| {
            set::write_elements(table, set, &[], attributes);
        });
        Ok(self.dump(&batch)?.iter().flat_map(|payload| set::parse_elements(payload, NFGENMSG_BYTES)).collect())
    }
}

fn parse_table(payload: &[u8]) -> Option<Table> {
    let attributes = AttributeReader::after(payload, NFGENMSG_BYTES);
    let userdata = attributes.find(TABLE_USERDATA).unwrap_or_default();
    let comment = match userdata {
        [COMMENT, length, rest @ ..] => rest.get(..usize::from(*length)).unwrap_or_default(),
        _ => &[],
    };
    let comment = String::from_utf8_lossy(comment).trim_end_matches('\0').to_owned();
    Some(Table { name: attributes.string(TABLE_NAME)?.to_owned(), comment })
}
