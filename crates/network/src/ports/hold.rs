//! Holding ports of the host with bound sockets, so that nobody else gets them, and finding free ones.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrIn, setsockopt, sockopt};

use super::Protocol;
use crate::error::{NetworkError, NetworkResult};
use crate::host::Host;
use crate::namespace;

impl Host {
    /// Holds a port: until the descriptor is closed nobody else on the host can bind it (EADDRINUSE). 0.0.0.0 holds it on
    /// every address, and against IPv6 sockets that would take IPv4 too.
    ///
    /// The socket answers nothing; what leads the port to a container is [`publish`](Host::publish).
    /// Errors: `PortTaken` when any socket is bound to the port; connections that only linger (TIME_WAIT) do not count.
    pub fn hold_port(&self, protocol: Protocol, host_ip: Ipv4Addr, port: u16) -> NetworkResult<OwnedFd> {
        namespace::within(self.namespace(), || hold(protocol, host_ip, port))
    }

    /// Holds the first free port of `range`, looking from `first_try` on and then from the start of the range; a caller
    /// that moves `first_try` on each time does not reuse a port at once.
    pub fn pick_port(
        &self,
        protocol: Protocol,
        host_ip: Ipv4Addr,
        range: RangeInclusive<u16>,
        first_try: u16,
    ) -> NetworkResult<(u16, OwnedFd)> {
        let from = first_try.clamp(*range.start(), *range.end());
        namespace::within(self.namespace(), || {
            for port in (from..=*range.end()).chain(*range.start()..from) {
                match hold(protocol, host_ip, port) {
                    Ok(held) => return Ok((port, held)),
                    Err(NetworkError::PortTaken { .. }) => (),
                    Err(error) => return Err(error),
                }
            }
            Err(NetworkError::NoFreePort { protocol, host_ip, first: *range.start(), last: *range.end() })
        })
    }
}

/// Holds a port in the calling thread's namespace.
fn hold(protocol: Protocol, host_ip: Ipv4Addr, port: u16) -> NetworkResult<OwnedFd> {
    if port == 0 {
        return Err(NetworkError::Invalid("port 0 cannot be held: use 1 to 65535".to_owned()));
    }
    match bind(protocol, host_ip, port) {
        Ok(held) => Ok(held),
        Err(Errno::EADDRINUSE) => {
            let users = users_of(protocol, port);
            let lingering = protocol == Protocol::Tcp && !users.is_empty() && users.iter().all(|user| user.lingers);
            let held = if lingering { bind_past_lingering(host_ip, port).ok() } else { None };
            held.ok_or_else(|| NetworkError::PortTaken {
                protocol,
                host_ip,
                port,
                by: users.iter().filter(|user| !user.lingers).find_map(process_of),
            })
        }
        Err(Errno::EADDRNOTAVAIL) => Err(NetworkError::NotAHostAddress { host_ip }),
        Err(errno) => Err(NetworkError::from_errno("bind a port of the host", None, errno)),
    }
}

fn open(protocol: Protocol) -> nix::Result<OwnedFd> {
    let kind = match protocol {
        Protocol::Tcp => SockType::Stream,
        Protocol::Udp => SockType::Datagram,
    };
    socket::socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None)
}

/// Without SO_REUSEADDR, so that a socket which is merely bound, by us or by others, is in the way.
fn bind(protocol: Protocol, host_ip: Ipv4Addr, port: u16) -> nix::Result<OwnedFd> {
    let socket = open(protocol)?;
    socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(host_ip, port)))?;
    Ok(socket)
}

/// Binds a TCP port on which connections of an earlier server linger. That takes SO_REUSEADDR, under which others could
/// bind it too; having listened once, and the option taken back, the kernel refuses them again (socket(7), ip(7)).
fn bind_past_lingering(host_ip: Ipv4Addr, port: u16) -> nix::Result<OwnedFd> {
    let socket = open(Protocol::Tcp)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(host_ip, port)))?;
    socket::listen(&socket.as_fd(), Backlog::new(1)?)?;
    socket::shutdown(socket.as_raw_fd(), Shutdown::Read)?;
    setsockopt(&socket, sockopt::ReuseAddr, &false)?;
    Ok(socket)
}

/// A socket that the kernel lists with a local port; sockets that are merely bound are not listed.
#[derive(Debug, PartialEq, Eq)]
struct User {
    /// Neither listening nor connected any more.
    lingers: bool,
    inode: u64,
}

fn users_of(protocol: Protocol, port: u16) -> Vec<User> {
    let tables = [format!("/proc/thread-self/net/{protocol}"), format!("/proc/thread-self/net/{protocol}6")];
    let texts = tables.iter().filter_map(|table| fs::read_to_string(table).ok());
    texts.flat_map(|text| text.lines().filter_map(|line| parse_user(line, port)).collect::<Vec<_>>()).collect()
}

/// A line of /proc/net/tcp or udp (proc(5)): number, local address:port, remote address:port, state, ..., inode as tenth.
fn parse_user(line: &str, port: u16) -> Option<User> {
    /// FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK and CLOSING.
    const LINGERING: [u8; 5] = [4, 5, 6, 9, 11];
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let state = u8::from_str_radix(fields.get(3)?, 16).ok()?;
    let user = User { lingers: LINGERING.contains(&state), inode: fields.get(9)?.parse().ok()? };
    (u16::from_str_radix(local_port, 16) == Ok(port)).then_some(user)
}

/// The process that has a socket open, as "name (pid 7)".
fn process_of(user: &User) -> Option<String> {
    let wanted = format!("socket:[{}]", user.inode);
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let holds = |folder: &std::path::Path| {
        let mut descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        descriptors.any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str()))
    };
    let numbered = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    let found = processes.filter(numbered).find(|entry| holds(&entry.path()))?;
    let name = fs::read_to_string(found.path().join("comm")).ok()?;
    Some(format!("{} (pid {})", name.trim(), found.file_name().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_socket_table_is_read() {
        let line =
            "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18473 1 0";
        assert_eq!(parse_user(line, 22), Some(User { lingers: false, inode: 18473 }));
        assert_eq!(parse_user(line, 23), None);
        let time_wait =
            "   1: 0100007F:0016 0100007F:D2F0 06 00000000:00000000 03:000012EC 00000000     0        0 0 3 0";
        assert_eq!(parse_user(time_wait, 22), Some(User { lingers: true, inode: 0 }));
        for other in ["", "  sl  local_address rem_address   st tx_queue", "0: 1 2 3"] {
            assert_eq!(parse_user(other, 22), None);
        }
    }
}
