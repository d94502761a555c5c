//! Holding ports of the host against everybody else who wants them.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};

use network::{Host, NetworkError, Protocol};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};
use support::*;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn with_a_host(test: impl FnOnce(&Host) + Send + 'static) {
    on_a_fresh_host(|| {
        let folder = Folder::new();
        test(&Host::open(instance(INSTANCE), folder.net()).expect("a host"));
    });
}

#[track_caller]
fn assert_taken(result: Result<impl Sized, NetworkError>, by_this_process: bool) {
    match result {
        Err(NetworkError::PortTaken { by, .. }) if by_this_process => {
            let by = by.expect("the holder");
            assert!(by.ends_with(&format!("(pid {})", std::process::id())), "{by}");
        }
        Err(NetworkError::PortTaken { .. }) => (),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the port was not taken"),
    }
}

#[test]
fn a_held_port_is_refused_to_everyone_until_it_is_let_go() {
    with_a_host(|host| {
        let tcp = host.hold_port(Protocol::Tcp, ANY, 8080).expect("held");
        let udp = host.hold_port(Protocol::Udp, ANY, 8080).expect("held, for the other protocol");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8080), false);
        assert_taken(host.hold_port(Protocol::Tcp, LOOPBACK, 8080), false);
        assert_taken(host.hold_port(Protocol::Udp, LOOPBACK, 8080), true);
        assert!(TcpListener::bind((LOOPBACK, 8080)).is_err(), "a listener with SO_REUSEADDR");
        assert!(TcpListener::bind((Ipv6Addr::UNSPECIFIED, 8080)).is_err(), "a listener on IPv6 that takes IPv4 too");
        assert!(UdpSocket::bind((ANY, 8080)).is_err());
        drop((tcp, udp));
        assert!(TcpListener::bind((ANY, 8080)).is_ok());
        assert!(UdpSocket::bind((ANY, 8080)).is_ok());
    });
}

#[test]
fn a_port_that_somebody_listens_on_is_taken_and_the_error_names_who() {
    with_a_host(|host| {
        let everywhere = TcpListener::bind((ANY, 8001)).expect("a listener");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8001), true);
        assert_taken(host.hold_port(Protocol::Tcp, LOOPBACK, 8001), true);
        let on_loopback = TcpListener::bind((LOOPBACK, 8002)).expect("a listener");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8002), true);
        let on_ipv6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 8003)).expect("a listener");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8003), true);
        let datagrams = UdpSocket::bind((LOOPBACK, 8004)).expect("a socket");
        assert_taken(host.hold_port(Protocol::Udp, ANY, 8004), true);
        drop((everywhere, on_loopback, on_ipv6, datagrams));
    });
}

#[test]
fn a_port_that_somebody_merely_bound_is_taken_even_if_they_would_share_it() {
    with_a_host(|host| {
        let foreign = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
        setsockopt(&foreign, sockopt::ReuseAddr, &true).expect("set");
        bind(std::os::fd::AsRawFd::as_raw_fd(&foreign), &SockaddrIn::new(0, 0, 0, 0, 8080)).expect("bound");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8080), false);
    });
}

#[test]
fn connections_that_linger_after_their_server_ended_do_not_take_a_port() {
    with_a_host(|host| {
        let listener = TcpListener::bind((LOOPBACK, 8080)).expect("a listener");
        let mut client = TcpStream::connect((LOOPBACK, 8080)).expect("connected");
        let (mut server, _) = listener.accept().expect("accepted");
        server.write_all(b"bye").expect("written");
        // The server closes first, so its side lingers.
        drop((server, listener));
        let mut text = String::new();
        client.read_to_string(&mut text).expect("read to the end");
        drop(client);
        let plain = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
        let plain_bind = bind(std::os::fd::AsRawFd::as_raw_fd(&plain), &SockaddrIn::new(0, 0, 0, 0, 8080));
        assert!(plain_bind.is_err(), "the connection lingers");

        let held = host.hold_port(Protocol::Tcp, ANY, 8080).expect("held nevertheless");
        assert!(TcpListener::bind((ANY, 8080)).is_err(), "and really held, against a listener with SO_REUSEADDR");
        assert!(TcpStream::connect((LOOPBACK, 8080)).is_err(), "it answers nothing");
        assert_taken(host.hold_port(Protocol::Tcp, ANY, 8080), false);
        drop(held);
        assert!(TcpListener::bind((ANY, 8080)).is_ok());
    });
}

#[test]
fn the_first_free_port_of_a_range_is_picked_and_an_exhausted_range_is_said_to_be() {
    with_a_host(|host| {
        let foreign = TcpListener::bind((ANY, 32769)).expect("a listener");
        let pick = || host.pick_port(Protocol::Tcp, ANY, 32768..=32770, 32769);
        let picked = [pick().expect("a port"), pick().expect("a port")];
        assert_eq!([picked[0].0, picked[1].0], [32770, 32768]);
        let error = pick().expect_err("none is left");
        assert!(matches!(error, NetworkError::NoFreePort { first: 32768, last: 32770, .. }), "{error}");
        drop(foreign);
        assert_eq!(pick().expect("the freed one").0, 32769);
    });
}

#[test]
fn a_port_on_an_address_that_the_host_lacks_is_refused_in_plain_words() {
    with_a_host(|host| {
        let error = host.hold_port(Protocol::Tcp, Ipv4Addr::new(203, 0, 113, 7), 80).expect_err("no such address");
        assert!(error.to_string().contains("not an address of this host"), "{error}");
        assert!(matches!(host.hold_port(Protocol::Tcp, ANY, 0), Err(NetworkError::Invalid(_))));
    });
}
