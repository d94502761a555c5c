//! A throw-away host for each test: a thread with its own network and mount namespaces, so that the machine's are never
//! touched, and real transfers between namespaces.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use network::{Host, InstanceId, Network, NetworkSpec, UnitEndpoint};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

pub(crate) const INSTANCE: &str = "0badc0de";
/// How long a transfer that should succeed may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// How long a transfer that should not succeed is given.
pub(crate) const REFUSAL: Duration = Duration::from_millis(400);

pub(crate) fn instance(text: &str) -> InstanceId {
    text.parse().expect("an instance id")
}

/// Runs a test on a fresh host: own network and mount namespaces, loopback up.
pub(crate) fn on_a_fresh_host(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("root, to make namespaces");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("private mounts");
        forget_others_namespaces();
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Other Bayplans of the machine come and go meanwhile: what they keep is taken out of this thread's own view.
fn forget_others_namespaces() {
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mounts");
    for kept in mounts.lines().filter(|line| line.contains(" nsfs ")).filter_map(|line| line.split(' ').nth(4)) {
        // It may have gone in this moment.
        let _ = umount2(kept, MntFlags::MNT_DETACH);
    }
}

/// Runs the `ip` command in the thread's namespace, to play the parts of a machine that are not Bayplan's.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("the ip command (iproute2)");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn read_command(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().expect(program);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {complaint}");
    String::from_utf8(output.stdout).expect("text")
}

pub(crate) fn spec(index: u16, range: &str) -> NetworkSpec {
    let name = format!("net{index}");
    NetworkSpec::like_a_default_vpc(&name, index, range.parse().expect("a range"), 1400).expect("a layout")
}

/// A folder that can be removed although namespaces are kept in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Where a host keeps its Networks.
    pub(crate) fn net(&self) -> PathBuf {
        self.0.path().join("net")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.net()).into_iter().flatten().flatten() {
            umount2(&entry.path(), MntFlags::MNT_DETACH).ok();
        }
    }
}

/// A host with one Network, in a folder that goes with it.
pub(crate) struct Fixture {
    pub(crate) folder: Folder,
    pub(crate) host: Host,
    pub(crate) network: Network,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let host = Host::open(instance(INSTANCE), folder.net()).expect("a host");
        let network = host.ensure_network(spec(0, "10.42.0.0/16")).expect("a Network");
        Self { folder, host, network }
    }

    /// A task with the address 10.42.`third`.`fourth`.
    pub(crate) fn task(&self, third: u8, fourth: u8) -> Task {
        Task::attach(&self.network, Ipv4Addr::new(10, 42, third, fourth))
    }
}

pub(crate) struct Task {
    pub(crate) address: Ipv4Addr,
    pub(crate) namespace: OwnedFd,
}

impl Task {
    pub(crate) fn attach(network: &Network, address: Ipv4Addr) -> Self {
        let subnets = &network.spec().subnets;
        let subnet = *subnets.iter().find(|subnet| subnet.range.contains(address)).expect("an address of a subnet");
        let namespace = network.attach(&UnitEndpoint::new(address, subnet, 1400)).expect("an endpoint");
        Self { address, namespace }
    }
}

pub(crate) fn current_namespace() -> OwnedFd {
    File::open("/proc/thread-self/ns/net").expect("a namespace").into()
}

pub(crate) fn within<T: Send>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("to enter a namespace");
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Answers every TCP connection with the caller's address as the server saw it, until the test ends.
pub(crate) fn serve_tcp(namespace: &OwnedFd, port: u16) {
    let listener = within(namespace.as_fd(), || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a listener"));
    std::thread::spawn(move || {
        while let Ok((mut stream, caller)) = listener.accept() {
            let mut request = [0; 4];
            if stream.read_exact(&mut request).is_ok() && &request == b"stop" {
                return;
            }
            stream.write_all(caller.ip().to_string().as_bytes()).ok();
        }
    });
}

/// Asks a TCP server; the answer is the address that the server saw.
pub(crate) fn ask_tcp(namespace: &OwnedFd, server: Ipv4Addr, port: u16, patience: Duration) -> std::io::Result<String> {
    within(namespace.as_fd(), || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((server, port)), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"who?")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

/// Answers every datagram with the caller's address as the server saw it, until the test ends.
pub(crate) fn serve_udp(namespace: &OwnedFd, port: u16) {
    let socket = within(namespace.as_fd(), || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a socket"));
    std::thread::spawn(move || {
        let mut request = [0; 64];
        while let Ok((_, caller)) = socket.recv_from(&mut request) {
            if socket.send_to(caller.ip().to_string().as_bytes(), caller).is_err() {
                return;
            }
        }
    });
}

/// Asks a UDP server once, from a new socket.
pub(crate) fn ask_udp(namespace: &OwnedFd, server: Ipv4Addr, port: u16, patience: Duration) -> std::io::Result<String> {
    within(namespace.as_fd(), || ask_udp_from(&UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?, server, port, patience))
}

pub(crate) fn ask_udp_from(
    socket: &UdpSocket,
    server: Ipv4Addr,
    port: u16,
    patience: Duration,
) -> std::io::Result<String> {
    socket.connect((server, port))?;
    socket.set_read_timeout(Some(patience))?;
    socket.send(b"who?")?;
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Asserts that both protocols reach a server and that it sees `from`.
#[track_caller]
pub(crate) fn assert_reaches(namespace: &OwnedFd, server: Ipv4Addr, port: u16, from: Ipv4Addr) {
    let seen = from.to_string();
    assert_eq!(ask_tcp(namespace, server, port, DEADLINE).expect("a TCP answer"), seen, "caller seen over TCP");
    assert_eq!(ask_udp(namespace, server, port, DEADLINE).expect("a UDP answer"), seen, "caller seen over UDP");
}

/// Serves both protocols.
pub(crate) fn serve(namespace: &OwnedFd, port: u16) {
    serve_tcp(namespace, port);
    serve_udp(namespace, port);
}

/// A machine outside: 198.51.100.2, next to the host's 198.51.100.1, without a route to any Network.
pub(crate) fn outside_world() -> OwnedFd {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
        ip("link set lo up");
        send.send(current_namespace()).expect("the test waits");
    });
    let outside = receive.recv().expect("a namespace");
    let path = format!("/proc/{}/fd/{}", std::process::id(), outside.as_raw_fd());
    ip(&format!("link add out0 type veth peer name eth0 netns {path}"));
    ip("addr add 198.51.100.1/24 dev out0");
    ip("link set out0 up");
    ip("route add default via 198.51.100.2");
    within(outside.as_fd(), || {
        ip("addr add 198.51.100.2/24 dev eth0");
        ip("link set eth0 up");
    });
    // The kernel tells a link's carrier a moment later; a test that compares the host's links must not see it change.
    while !read_command("ip", "-o link show out0").contains("state UP") {
        std::thread::yield_now();
    }
    outside
}

pub(crate) fn is_refused_or_silent(result: std::io::Result<String>) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut, WouldBlock};
    let kinds = [ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut, WouldBlock];
    result.is_err_and(|error| kinds.contains(&error.kind()))
}
