//! A netlink socket bound to one network namespace, and the request/answer exchange over it; knows no link, route or rule.

pub(crate) mod address;
pub(crate) mod conntrack;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod route;

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};

use crate::error::{Feature, NetworkError, NetworkResult};
use message::{Batch, Message, Messages};

/// Large enough for what the kernel puts into one dump answer (32 KiB).
const RECEIVE_BYTES: usize = 64 * 1024;
/// A dump that keeps being disturbed by changes is given up after this many rounds.
const DUMP_ROUNDS: usize = 16;

/// Which kernel subsystem a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subsystem {
    /// rtnetlink: links, addresses, routes.
    Route,
    /// nfnetlink: nf_tables and connection tracking.
    Netfilter,
}

/// An open netlink socket. It stays bound to the namespace of the thread that opened it.
///
/// Both subsystems used here answer inside `send`, so after it returns every answer is already queued.
#[derive(Debug)]
pub(crate) struct NetlinkSocket {
    socket: OwnedFd,
}

/// One batched request that the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What the refused message was to do.
    pub(crate) doing: &'static str,
    /// What the kernel must have been built with for it.
    pub(crate) needs: Option<Feature>,
    /// Why the kernel refused.
    pub(crate) errno: Errno,
}

impl From<Refusal> for NetworkError {
    fn from(refusal: Refusal) -> Self {
        NetworkError::from_errno(refusal.doing, refusal.needs, refusal.errno)
    }
}

impl NetlinkSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open(subsystem: Subsystem) -> NetworkResult<Self> {
        let (protocol, needs) = match subsystem {
            Subsystem::Route => (SockProtocol::NetlinkRoute, None),
            Subsystem::Netfilter => (SockProtocol::NetlinkNetFilter, Some(Feature::NfTables)),
        };
        let socket = socket::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .map_err(|errno| NetworkError::from_errno("open a netlink socket", needs, errno))?;
        Ok(Self { socket })
    }

    /// Sends a batch in one system call; `Err` is the first message that was refused.
    pub(crate) fn transact(&self, batch: &Batch) -> Result<(), Refusal> {
        let failed = |errno| Refusal { doing: "talk to the kernel over netlink", needs: None, errno };
        self.drain(|_| ()).map_err(failed)?;
        self.send(batch.bytes()).map_err(failed)?;
        let mut acknowledged = 0;
        let mut refused: Option<(u32, Errno)> = None;
        self.drain(|answer| {
            if let Some(errno) = answer.error() {
                acknowledged += 1;
                let earlier = refused.is_some_and(|(sequence, _)| sequence <= answer.sequence);
                if errno != Errno::UnknownErrno && !earlier {
                    refused = Some((answer.sequence, errno));
                }
            }
        })
        .map_err(failed)?;
        match refused {
            Some((sequence, errno)) => Err(batch.refusal(sequence, errno)),
            None if acknowledged < batch.acknowledgements() => Err(failed(Errno::EPROTO)),
            None => Ok(()),
        }
    }

    /// Asks for one object; `None` when the kernel says that it does not exist.
    pub(crate) fn get(&self, batch: &Batch) -> Result<Option<Vec<u8>>, Refusal> {
        let failed = |errno| Refusal { doing: "talk to the kernel over netlink", needs: None, errno };
        self.drain(|_| ()).map_err(failed)?;
        self.send(batch.bytes()).map_err(failed)?;
        let mut found = None;
        let mut refused = None;
        self.drain(|answer| match answer.error() {
            Some(Errno::UnknownErrno) => (),
            Some(errno) => refused = Some((answer.sequence, errno)),
            None => found = Some(answer.payload.to_vec()),
        })
        .map_err(failed)?;
        match refused {
            Some((_, Errno::ENODEV | Errno::ENOENT)) => Ok(None),
            Some((sequence, errno)) => Err(batch.refusal(sequence, errno)),
            None => Ok(found),
        }
    }

    /// Lists objects: the payloads of a dump, asked again when the kernel says that it changed meanwhile.
    pub(crate) fn dump(&self, batch: &Batch) -> Result<Vec<Vec<u8>>, Refusal> {
        let failed = |errno| Refusal { doing: "list objects over netlink", needs: None, errno };
        for _ in 0..DUMP_ROUNDS {
            self.drain(|_| ()).map_err(failed)?;
            self.send(batch.bytes()).map_err(failed)?;
            let mut found = Vec::new();
            let mut refused = None;
            let mut disturbed = false;
            self.drain(|answer| {
                disturbed |= answer.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
                match answer.error() {
                    Some(Errno::UnknownErrno) => (),
                    Some(errno) => refused = Some((answer.sequence, errno)),
                    None if answer.is_done() => (),
                    None => found.push(answer.payload.to_vec()),
                }
            })
            .map_err(failed)?;
            match refused {
                Some((_, Errno::ENOENT)) => return Ok(Vec::new()),
                Some((sequence, errno)) => return Err(batch.refusal(sequence, errno)),
                None if disturbed => continue,
                None => return Ok(found),
            }
        }
        Err(failed(Errno::EAGAIN))
    }

    fn send(&self, bytes: &[u8]) -> nix::Result<()> {
        let sent = socket::send(self.socket.as_raw_fd(), bytes, MsgFlags::empty())?;
        if sent == bytes.len() { Ok(()) } else { Err(Errno::EMSGSIZE) }
    }

    /// Hands every queued answer to `see`, until the queue is empty.
    fn drain(&self, mut see: impl FnMut(&Message<'_>)) -> nix::Result<()> {
        let mut buffer = vec![0_u8; RECEIVE_BYTES];
        loop {
            match socket::recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => Messages::new(&buffer[..length]).for_each(|message| see(&message)),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => (),
                Err(errno) => return Err(errno),
            }
        }
    }
}
