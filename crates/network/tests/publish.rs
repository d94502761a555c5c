//! Published ports, by real transfers from everywhere that may call them.

mod support;

use std::fs::File;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use network::{NetworkError, PortMapping, Protocol};
use support::*;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const HOST_OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

fn both(host_ip: Ipv4Addr, host_port: u16, task: &Task, container_port: u16) -> Vec<PortMapping> {
    let address = task.address;
    let mapping = |protocol| PortMapping { protocol, host_ip, host_port, address, container_port };
    vec![mapping(Protocol::Tcp), mapping(Protocol::Udp)]
}

#[test]
fn a_published_port_answers_on_loopback_on_the_hosts_addresses_to_the_outside_and_to_tasks() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let outside = outside_world();
        let task = fixture.task(48, 5);
        serve(&task.namespace, 80);
        fixture.host.publish(&both(ANY, 8080, &task, 80)).expect("published");

        let host = current_namespace();
        let link = fixture.network.spec().host_address();
        assert_reaches(&host, LOOPBACK, 8080, link);
        assert_reaches(&host, HOST_OUTSIDE, 8080, HOST_OUTSIDE);
        assert_reaches(&outside, HOST_OUTSIDE, 8080, OUTSIDE);
        let neighbour = fixture.task(48, 6);
        let gateway = Ipv4Addr::new(10, 42, 48, 1);
        for client in [&neighbour, &fixture.task(0, 6), &task] {
            for address in [HOST_OUTSIDE, gateway, link] {
                assert_reaches(&client.namespace, address, 8080, link);
            }
        }
    });
}

#[test]
fn a_port_published_on_one_address_answers_there_only() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let outside = outside_world();
        let task = fixture.task(48, 5);
        serve(&task.namespace, 80);
        fixture.host.publish(&both(LOOPBACK, 8080, &task, 80)).expect("published");
        let host = current_namespace();
        assert_reaches(&host, LOOPBACK, 8080, fixture.network.spec().host_address());
        for namespace in [&host, &outside, &task.namespace] {
            assert!(is_refused_or_silent(ask_tcp(namespace, HOST_OUTSIDE, 8080, REFUSAL)));
        }
    });
}

#[test]
fn two_containers_share_a_port_number_on_two_addresses() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let _outside = outside_world();
        let (one, other) = (fixture.task(48, 5), fixture.task(48, 6));
        serve_tcp(&one.namespace, 80);
        fixture.host.publish(&both(LOOPBACK, 8080, &one, 80)).expect("published");
        fixture.host.publish(&both(HOST_OUTSIDE, 8080, &other, 80)).expect("published beside it");
        let host = current_namespace();
        assert!(ask_tcp(&host, LOOPBACK, 8080, DEADLINE).is_ok());
        assert!(is_refused_or_silent(ask_tcp(&host, HOST_OUTSIDE, 8080, REFUSAL)), "the other serves nothing");
    });
}

#[test]
fn an_unpublished_port_is_refused_and_may_be_published_for_another_container() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let (one, other) = (fixture.task(48, 5), fixture.task(0, 5));
        serve(&one.namespace, 80);
        serve(&other.namespace, 81);
        let (first, second) = (both(ANY, 8080, &one, 80), both(ANY, 8080, &other, 81));
        fixture.host.publish(&first).expect("published");
        fixture.host.publish(&first).expect("the same again changes nothing");
        let taken = fixture.host.publish(&second).expect_err("taken");
        assert!(
            matches!(&taken, NetworkError::PortTaken { port: 8080, by: Some(by), .. } if by.contains("10.42.48.5:80")),
            "{taken}"
        );
        assert_eq!(fixture.host.published().expect("a list"), first);

        fixture.host.unpublish(&second).expect("what is not published is passed over");
        fixture.host.unpublish(&first).expect("unpublished");
        fixture.host.unpublish(&first).expect("twice is as good");
        assert_eq!(fixture.host.published().expect("a list"), []);
        let host = current_namespace();
        assert!(is_refused_or_silent(ask_tcp(&host, LOOPBACK, 8080, REFUSAL)));
        assert!(is_refused_or_silent(ask_udp(&host, LOOPBACK, 8080, REFUSAL)));
        fixture.host.publish(&second).expect("published anew");
        assert_reaches(&host, LOOPBACK, 8080, fixture.network.spec().host_address());
    });
}

#[test]
fn a_udp_client_that_keeps_sending_follows_its_port_to_another_container() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let client = UdpSocket::bind((ANY, 0)).expect("a socket");
        let ask = |patience| ask_udp_from(&client, LOOPBACK, 8080, patience);
        assert!(is_refused_or_silent(ask(REFUSAL)), "its flow begins before the port is published");
        let (one, other) = (fixture.task(48, 5), fixture.task(48, 6));
        for task in [&one, &other] {
            serve_udp(&task.namespace, 80);
            let mapping = PortMapping { protocol: Protocol::Udp, ..both(ANY, 8080, task, 80)[1] };
            fixture.host.publish(&[mapping]).expect("published");
            assert_eq!(ask(DEADLINE).expect("an answer"), fixture.network.spec().host_address().to_string());
            fixture.host.unpublish(&[mapping]).expect("unpublished");
            assert!(is_refused_or_silent(ask(REFUSAL)), "the flow ends with the port");
        }
    });
}

/// The link accepts loopback addresses, for answers. A task with every privilege could send some by itself.
#[test]
fn nothing_is_delivered_to_the_hosts_loopback_from_a_network() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let server = UdpSocket::bind((LOOPBACK, 2375)).expect("a socket");
        server.set_read_timeout(Some(REFUSAL)).expect("set");
        let kept: OwnedFd = File::open(fixture.folder.net().join("net0")).expect("the routing namespace").into();
        within(kept.as_fd(), || {
            ip("route del local 127.0.0.0/8 dev lo table local");
            ip("route del local 127.0.0.1 dev lo table local");
            ip("route add 127.0.0.1/32 via 10.42.255.253 dev up0 src 10.42.255.254");
        });
        let arrives = || {
            let send = || UdpSocket::bind((ANY, 0)).and_then(|socket| socket.send_to(b"hello", (LOOPBACK, 2375)));
            within(kept.as_fd(), send).expect("sent");
            server.recv_from(&mut [0; 8]).is_ok()
        };
        assert!(!arrives());
        read_command("nft", &format!("flush chain ip bayplan-{INSTANCE} guard"));
        assert!(arrives(), "without the rule it would arrive");
    });
}
