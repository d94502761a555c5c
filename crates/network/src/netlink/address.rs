//! Address messages: give an interface an IPv4 address.

use std::net::Ipv4Addr;

use nix::libc;

use super::message::{Batch, Step};

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

impl Batch {
    /// Adds an address to a link; nothing changes when it is already there.
    pub(crate) fn ensure_address(&mut self, index: u32, address: Ipv4Addr, prefix_len: u8) {
        let step = Step { doing: "add an address to a network interface", needs: None };
        let mut header = [libc::AF_INET as u8, prefix_len, 0, 0, 0, 0, 0, 0];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.push(step, libc::RTM_NEWADDR, flags, &header, |attributes| {
            attributes.bytes(IFA_LOCAL, &address.octets()).bytes(IFA_ADDRESS, &address.octets());
        });
    }
}
