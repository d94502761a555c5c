//! Connection tracking messages: make the kernel forget UDP flows to given ports of the host.

use nix::errno::Errno;
use nix::libc;

use super::message::{AttributeReader, Batch, Step};
use super::{NetlinkSocket, Refusal};

const SUBSYSTEM: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
const HEADER: [u8; 4] = [libc::AF_INET as u8, 0, 0, 0];
const TUPLE_ORIGINAL: u16 = 1;
const ID: u16 = 12;
const ZONE: u16 = 18;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const DESTINATION_PORT: u16 = 3;
const UDP: u8 = 17;

/// Forgets the flows whose first datagram went to one of these ports, of any address.
pub(crate) fn forget_udp(socket: &NetlinkSocket, ports: &[u16]) -> Result<(), Refusal> {
    let mut batch = Batch::default();
    let step = Step { doing: "list connections", needs: None };
    batch.push(step, SUBSYSTEM << 8 | GET, libc::NLM_F_DUMP, &HEADER, |_| ());
    for flow in socket.dump(&batch)?.iter().filter(|flow| is_udp_to(flow, ports)) {
        forget(socket, flow)?;
    }
    Ok(())
}

fn is_udp_to(flow: &[u8], ports: &[u16]) -> bool {
    let original = AttributeReader::after(flow, HEADER.len()).nested(TUPLE_ORIGINAL);
    let Some(protocol) = original.and_then(|tuple| tuple.nested(TUPLE_PROTOCOL)) else { return false };
    let port = protocol.find(DESTINATION_PORT).and_then(|port| port.try_into().ok()).map(u16::from_be_bytes);
    protocol.find(PROTOCOL_NUMBER) == Some(&[UDP]) && port.is_some_and(|port| ports.contains(&port))
}

/// Names the flow by what the kernel itself said of it; one that ended meanwhile is no error.
fn forget(socket: &NetlinkSocket, flow: &[u8]) -> Result<(), Refusal> {
    let mut batch = Batch::default();
    let step = Step { doing: "forget a connection", needs: None };
    batch.push(step, SUBSYSTEM << 8 | DELETE, libc::NLM_F_ACK, &HEADER, |attributes| {
        let named = |kind| matches!(kind, TUPLE_ORIGINAL | ID | ZONE);
        for (kind, value) in AttributeReader::after(flow, HEADER.len()).filter(|(kind, _)| named(*kind)) {
            match kind {
                TUPLE_ORIGINAL => attributes.nested_after(kind, value, |_| ()),
                _ => attributes.bytes(kind, value),
            };
        }
    });
    match socket.transact(&batch) {
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(()),
        result => result,
    }
}
