//! Who reaches whom: tasks, the host and the outside, by real transfers.

mod support;

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use support::*;

#[test]
fn the_host_and_a_task_reach_each_other() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let task = fixture.task(0, 5);
        serve(&task.namespace, 80);
        let host = current_namespace();
        let host_address = fixture.network.spec().host_address();
        assert_reaches(&host, task.address, 80, host_address);

        serve(&host, 8080);
        assert_reaches(&task.namespace, host_address, 8080, task.address);
    });
}

#[test]
fn a_task_reaches_the_host_at_its_gateway_and_at_any_address_of_the_host() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let _outside = outside_world();
        let task = fixture.task(16, 5);
        serve(&current_namespace(), 8080);
        for address in [Ipv4Addr::new(10, 42, 16, 1), Ipv4Addr::new(10, 42, 0, 1)] {
            assert_reaches(&task.namespace, address, 8080, task.address);
        }
        // Over TCP only: a UDP server on 0.0.0.0 answers from the address nearest to the caller, on any Linux host.
        let seen = ask_tcp(&task.namespace, Ipv4Addr::new(198, 51, 100, 1), 8080, DEADLINE).expect("an answer");
        assert_eq!(seen, task.address.to_string());
    });
}

#[test]
fn tasks_reach_each_other_in_the_same_and_in_another_subnet_under_their_own_addresses() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let server = fixture.task(0, 5);
        serve(&server.namespace, 80);
        for client in [fixture.task(0, 6), fixture.task(16, 6), fixture.task(48, 6)] {
            assert_reaches(&client.namespace, server.address, 80, client.address);
        }
    });
}

#[test]
fn a_task_reaches_the_outside_under_the_hosts_address_but_not_the_other_way_round() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let outside = outside_world();
        let task = fixture.task(0, 5);
        serve(&outside, 53);
        assert_reaches(&task.namespace, Ipv4Addr::new(198, 51, 100, 2), 53, Ipv4Addr::new(198, 51, 100, 1));

        serve(&task.namespace, 80);
        within(outside.as_fd(), || ip("route add 10.42.0.0/16 via 198.51.100.1"));
        assert!(is_refused_or_silent(ask_tcp(&outside, task.address, 80, REFUSAL)));
    });
}

#[test]
fn a_task_does_not_reach_the_clouds_credentials_nor_addresses_that_nobody_has() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let outside = outside_world();
        within(outside.as_fd(), || {
            ip("addr add 169.254.169.254/32 dev lo");
            ip("addr add 203.0.113.9/32 dev lo");
        });
        serve_tcp(&outside, 80);
        let task = fixture.task(0, 5);
        let elsewhere = Ipv4Addr::new(203, 0, 113, 9);
        assert!(ask_tcp(&task.namespace, elsewhere, 80, DEADLINE).is_ok(), "the outside serves its other addresses");
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        assert!(is_refused_or_silent(ask_tcp(&task.namespace, metadata, 80, REFUSAL)));
        let nobody = Ipv4Addr::new(10, 42, 200, 1);
        assert!(is_refused_or_silent(ask_tcp(&task.namespace, nobody, 80, REFUSAL)));
    });
}
