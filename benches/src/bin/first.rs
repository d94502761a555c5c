//! The program in the measured containers: the first thing it does is read the clock; then it tells its time and ends.
//!
//! `bench-first` ends at once; `bench-first SOCKET NAME` sends `NAME NANOSECONDS` to a Unix datagram socket, which a bind
//! mount brings into the container whatever its network is. No time namespace is in play: the clock is the host's.

use std::os::unix::net::UnixDatagram;

use nix::time::{ClockId, clock_gettime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let mut arguments = std::env::args().skip(1);
    if let (Some(socket), Some(name)) = (arguments.next(), arguments.next()) {
        let nanoseconds = now.tv_sec() * 1_000_000_000 + now.tv_nsec();
        UnixDatagram::unbound()?.send_to(format!("{name} {nanoseconds}").as_bytes(), socket)?;
    }
    Ok(())
}
