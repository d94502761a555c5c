//! Making, adopting and removing: nothing is rebuilt that runs, and nothing is left that was made.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use network::{Host, NetworkError, PortMapping, Protocol, attach_none};
use support::*;

const OTHER: &str = "feedf00d";
const SETTING: &str = "/proc/sys/net/ipv4/ip_forward";

fn forwarding() -> String {
    fs::read_to_string(SETTING).expect("the setting").trim().to_owned()
}

/// Everything that the host's namespace has, to compare before and after.
fn everything() -> String {
    let commands = [("ip", "-o link"), ("ip", "-o -4 addr"), ("ip", "route show table all"), ("nft", "list ruleset")];
    let outputs: Vec<_> = commands.iter().map(|(program, arguments)| read_command(program, arguments)).collect();
    format!("{}\nip_forward {}\n{:?}", outputs.join("\n"), forwarding(), kept_namespaces())
}

fn kept_namespaces() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").expect("mounts");
    mounts.lines().filter(|line| line.contains(" nsfs ")).map(str::to_owned).collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a test's deadline")]
    let now = Instant::now;
    let deadline = now() + DEADLINE;
    while !condition() {
        assert!(now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn web(task: &Task, host_port: u16) -> PortMapping {
    let (host_ip, address) = (Ipv4Addr::UNSPECIFIED, task.address);
    PortMapping { protocol: Protocol::Tcp, host_ip, host_port, address, container_port: 80 }
}

#[test]
fn remove_leaves_the_host_as_it_was_and_may_be_repeated() {
    on_a_fresh_host(|| {
        fs::write(SETTING, "0").expect("set");
        let before = everything();
        let fixture = Fixture::new();
        let task = fixture.task(0, 5);
        fixture.network.prepare(2).expect("prepared");
        fixture.host.publish(&[web(&task, 8080)]).expect("published");
        assert_eq!(forwarding(), "1");
        let rules = read_command("nft", "list ruleset");
        for shown in [&format!("elements = {{ \"bp{INSTANCE}0\" }}"), "tcp . 8080 : 10.42.0.5 . 80"] {
            assert!(rules.contains(shown), "an operator sees {shown}: {rules}");
        }
        let leftovers = fixture.host.leftovers().expect("a list");
        assert_eq!(leftovers.len(), 3, "{leftovers:?}");
        assert!(leftovers.iter().all(|what| what.contains(INSTANCE) || what.contains("net0")), "{leftovers:?}");

        fixture.host.remove().expect("removed");
        assert_eq!(fixture.host.leftovers().expect("a list"), Vec::<String>::new());
        assert_eq!(everything(), before);
        fixture.host.remove().expect("removed twice");
        assert_eq!(everything(), before);
    });
}

#[test]
fn a_host_that_forwarded_before_goes_on_forwarding() {
    on_a_fresh_host(|| {
        fs::write(SETTING, "1").expect("set");
        Fixture::new().host.remove().expect("removed");
        assert_eq!(forwarding(), "1");
    });
}

#[test]
fn what_another_process_finds_is_adopted_and_its_endpoints_and_ports_go_on() {
    on_a_fresh_host(|| {
        let Fixture { folder, host, network } = Fixture::new();
        let task = Task::attach(&network, Ipv4Addr::new(10, 42, 0, 5));
        serve(&task.namespace, 80);
        let mapping = web(&task, 8080);
        host.publish(&[mapping]).expect("published");
        let namespace = current_namespace();
        let mut open =
            within(namespace.as_fd(), || std::net::TcpStream::connect((task.address, 80)).expect("connected"));
        drop((host, network));

        let host = Host::open(instance(INSTANCE), folder.net()).expect("a host");
        let before = everything();
        let network = host.ensure_network(spec(0, "10.42.0.0/16")).expect("adopted");
        let without_handles = |text: String| text.replace(|letter: char| letter.is_whitespace(), " ");
        assert_eq!(without_handles(everything()), without_handles(before));
        assert_eq!(network.attached().expect("a list"), [task.address]);
        assert_eq!(host.published().expect("a list"), [mapping]);
        use std::io::{Read, Write};
        open.write_all(b"who?").expect("the open connection still works");
        let mut answer = String::new();
        open.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer, network.spec().host_address().to_string());
        let neighbour = Task::attach(&network, Ipv4Addr::new(10, 42, 0, 6));
        assert_reaches(&neighbour.namespace, task.address, 80, neighbour.address);
    });
}

#[test]
fn half_of_what_a_crash_left_is_completed_and_half_of_it_can_be_removed() {
    on_a_fresh_host(|| {
        fs::write(SETTING, "0").expect("set");
        let before = everything();
        let Fixture { folder, host, network } = Fixture::new();
        let link = format!("bp{INSTANCE}0");
        let kept = folder.net().join("net0");
        let damages: [(&str, &dyn Fn()); 4] = [
            ("the link is gone", &|| ip(&format!("link del {link}"))),
            ("the rules are gone", &|| assert_eq!(read_command("nft", "flush ruleset"), "")),
            ("the namespace was unmounted", &|| {
                nix::mount::umount2(&kept, nix::mount::MntFlags::MNT_DETACH).expect("unmounted")
            }),
            ("only an empty file is left", &|| {
                ip(&format!("link del {link}"));
                nix::mount::umount2(&kept, nix::mount::MntFlags::MNT_DETACH).expect("unmounted");
            }),
        ];
        let mut network = network;
        for (what, damage) in damages {
            damage();
            network = host.ensure_network(spec(0, "10.42.0.0/16")).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let task = Task::attach(&network, Ipv4Addr::new(10, 42, 0, 5));
            serve_tcp(&task.namespace, 80);
            let seen = ask_tcp(&current_namespace(), task.address, 80, DEADLINE);
            assert_eq!(
                seen.unwrap_or_else(|error| panic!("{what}: {error}")),
                network.spec().host_address().to_string()
            );
        }
        drop(network);
        for (what, damage) in damages {
            damage();
            host.remove().unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(host.leftovers().expect("a list"), Vec::<String>::new(), "{what}");
            assert_eq!(everything(), before, "{what}");
            host.ensure_network(spec(0, "10.42.0.0/16")).expect("made anew");
        }
        host.remove().expect("removed");
    });
}

#[test]
fn two_instances_and_two_networks_live_side_by_side_and_the_last_restores_the_host() {
    on_a_fresh_host(|| {
        fs::write(SETTING, "0").expect("set");
        let before = everything();
        let one = Fixture::new();
        let twice = one.host.ensure_network(spec(1, "10.42.128.0/17")).expect_err("the first Network has it");
        assert!(matches!(&twice, NetworkError::RangeTaken { .. }), "{twice}");
        let second = one.host.ensure_network(spec(1, "10.43.0.0/16")).expect("a second Network");
        let folder = Folder::new();
        let other = Host::open(instance(OTHER), folder.net()).expect("a host");
        let taken = other.ensure_network(spec(0, "10.42.0.0/16")).expect_err("the range is the first instance's");
        assert!(matches!(&taken, NetworkError::RangeTaken { .. }), "{taken}");
        assert_eq!(
            network::choose_range(network::DEFAULT_RANGE, &other.routes().expect("routes"))
                .expect("a range")
                .to_string(),
            "10.44.0.0/16"
        );
        let theirs = other.ensure_network(spec(0, "10.44.0.0/16")).expect("a Network beside it");

        let task = one.task(0, 5);
        let elsewhere = Task::attach(&second, Ipv4Addr::new(10, 43, 0, 5));
        let foreign = Task::attach(&theirs, Ipv4Addr::new(10, 44, 0, 5));
        for task in [&task, &elsewhere, &foreign] {
            serve(&task.namespace, 80);
        }
        for client in [&elsewhere, &foreign] {
            let direct = ask_tcp(&client.namespace, task.address, 80, REFUSAL);
            assert!(is_refused_or_silent(direct), "Networks are apart");
        }
        one.host.publish(&[web(&task, 8080)]).expect("published");
        other.publish(&[web(&foreign, 8081)]).expect("published");
        let outside_address = second.spec().host_address();
        assert!(ask_tcp(&foreign.namespace, outside_address, 8080, DEADLINE).is_ok(), "published ports connect them");
        assert!(ask_tcp(&elsewhere.namespace, outside_address, 8080, DEADLINE).is_ok());

        one.host.remove().expect("removed");
        assert_eq!(forwarding(), "1", "the other instance still needs it");
        assert!(ask_tcp(&current_namespace(), Ipv4Addr::LOCALHOST, 8081, DEADLINE).is_ok());
        assert_eq!(other.leftovers().expect("a list").len(), 3);
        other.remove().expect("removed");
        drop((one, second, theirs, task, elsewhere, foreign));
        assert_eq!(everything(), before);
    });
}

#[test]
fn a_flushed_ruleset_is_put_right_by_the_next_published_port() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let task = fixture.task(0, 5);
        serve_tcp(&task.namespace, 80);
        assert_eq!(read_command("nft", "flush ruleset"), "");
        fixture.host.publish(&[web(&task, 8080)]).expect("published");
        assert!(ask_tcp(&current_namespace(), Ipv4Addr::LOCALHOST, 8080, DEADLINE).is_ok());
    });
}

#[test]
fn remove_touches_nothing_in_its_folder_that_it_did_not_make() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let foreign = fixture.folder.net().join("notes.txt");
        fs::write(&foreign, "keep me").expect("written");
        fixture.host.remove().expect("removed");
        assert_eq!(fs::read_to_string(foreign).expect("still there"), "keep me");
        assert_eq!(fixture.host.leftovers().expect("a list"), Vec::<String>::new());
    });
}

#[test]
fn this_kernel_has_what_networking_needs_and_a_firewall_in_the_way_is_named() {
    on_a_fresh_host(|| {
        let before = everything();
        network::probe().expect("a kernel with all features");
        assert_eq!(everything(), before);
        let fixture = Fixture::new();
        assert_eq!(fixture.host.firewalls_in_the_way().expect("a list"), Vec::<String>::new());
        read_command("nft", "add table ip filter");
        read_command("nft", "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }");
        assert_eq!(fixture.host.firewalls_in_the_way().expect("a list"), ["chain FORWARD of table filter"]);
        assert_eq!(fixture.host.mtu().expect("a number"), 1500);
    });
}

#[test]
fn a_range_that_the_host_routes_elsewhere_is_refused_and_nothing_is_made() {
    on_a_fresh_host(|| {
        let _outside = outside_world();
        ip("route add 10.42.7.0/24 via 198.51.100.2");
        let before = everything();
        let folder = Folder::new();
        let host = Host::open(instance(INSTANCE), folder.net()).expect("a host");
        let error = host.ensure_network(spec(0, "10.42.0.0/16")).expect_err("taken");
        assert!(error.to_string().contains("10.42.7.0/24"), "{error}");
        assert_eq!(everything(), before);
    });
}

#[test]
fn an_endpoint_ends_with_its_namespace_or_by_detach() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let (one, other) = (fixture.task(0, 5), fixture.task(0, 6));
        assert_eq!(fixture.network.attached().expect("a list"), [one.address, other.address]);
        assert!(fixture.network.detach(one.address).expect("detached"));
        assert!(!fixture.network.detach(one.address).expect("nothing to detach"));
        drop(other);
        eventually("the end of the second endpoint", || fixture.network.attached().expect("a list").is_empty());
    });
}

#[test]
fn an_address_belongs_to_whom_it_was_given_last() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let older = fixture.task(0, 5);
        let newer = fixture.task(0, 5);
        serve_tcp(&older.namespace, 80);
        serve_tcp(&newer.namespace, 81);
        let host = current_namespace();
        assert!(ask_tcp(&host, newer.address, 81, DEADLINE).is_ok());
        assert!(is_refused_or_silent(ask_tcp(&host, newer.address, 80, REFUSAL)));
    });
}

#[test]
fn a_container_finds_the_settings_it_expects() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        fixture.network.prepare(1).expect("prepared");
        let made_ahead = fixture.task(0, 5);
        assert_eq!(fixture.network.prepared(), 0);
        let made_now = fixture.task(0, 6);
        for task in [&made_ahead, &made_now] {
            within(task.namespace.as_fd(), || {
                let read = |name: &str| fs::read_to_string(Path::new("/proc/sys/net").join(name)).expect("a setting");
                assert_eq!(read("ipv4/ip_unprivileged_port_start"), "0\n");
                assert_eq!(read("ipv4/ping_group_range"), "0\t2147483647\n");
                let addresses = read_command("ip", "-o addr");
                assert!(
                    addresses.contains("127.0.0.1/8") && addresses.contains(&format!("{}/20", task.address)),
                    "{addresses}"
                );
                assert!(!addresses.contains("fe80"), "no IPv6 but on loopback: {addresses}");
                let [_, _, a, b, c, d] = network::mac_of(task.address);
                let mac = format!("02:b9:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
                assert!(read_command("ip", "link show eth0").contains(&mac));
            });
        }
        let none = attach_none().expect("a namespace");
        within(none.as_fd(), || {
            let addresses = read_command("ip", "-o addr");
            assert!(addresses.contains("127.0.0.1/8") && !addresses.contains("eth0"), "{addresses}");
        });
    });
}

#[test]
fn several_threads_attach_publish_and_detach_at_once() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let kept = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for third in [0, 16, 32, 48] {
                let (fixture, kept) = (&fixture, &kept);
                scope.spawn(move || {
                    for fourth in 10..25 {
                        let task = fixture.task(third, fourth);
                        let mapping = web(&task, 1000 + u16::from(third) * 100 + u16::from(fourth));
                        fixture.host.publish(&[mapping]).expect("published");
                        if fourth % 2 == 0 {
                            fixture.host.unpublish(&[mapping]).expect("unpublished");
                            assert!(fixture.network.detach(task.address).expect("detached"));
                        } else {
                            kept.lock().expect("no thread panicked").push((task, mapping));
                        }
                    }
                });
            }
        });
        let kept = kept.into_inner().expect("no thread panicked");
        let (addresses, mappings): (BTreeSet<_>, BTreeSet<_>) =
            kept.iter().map(|(task, mapping)| (task.address, *mapping)).unzip();
        assert_eq!(BTreeSet::from_iter(fixture.network.attached().expect("a list")), addresses);
        assert_eq!(BTreeSet::from_iter(fixture.host.published().expect("a list")), mappings);
    });
}

#[test]
fn thousands_of_ports_are_published_in_one_change() {
    on_a_fresh_host(|| {
        let fixture = Fixture::new();
        let task = fixture.task(0, 5);
        let many: Vec<_> = (20_000..25_000).map(|port| web(&task, port)).collect();
        fixture.host.publish(&many).expect("published");
        assert_eq!(fixture.host.published().expect("a list"), many);
        fixture.host.unpublish(&many).expect("unpublished");
        assert_eq!(fixture.host.published().expect("a list"), []);
    });
}

#[test]
fn two_hundred_endpoints_are_made_and_found() {
    on_a_fresh_host(|| {
        #[expect(clippy::disallowed_methods, reason = "a test measures")]
        let now = Instant::now;
        let fixture = Fixture::new();
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            (times[times.len() / 2], times[times.len() * 95 / 100])
        };
        let measure = |third: u8| -> (Vec<Task>, Vec<Duration>) {
            let timed = |fourth| {
                let start = now();
                (fixture.task(third, fourth), start.elapsed())
            };
            (10..110).map(timed).unzip()
        };
        let (made_now, times) = measure(0);
        println!("attach: median and p95 {:?}", median(times));
        let start = now();
        fixture.network.prepare(100).expect("prepared");
        println!("prepare: {:?} each", start.elapsed() / 100);
        let (made_ahead, times) = measure(16);
        println!("attach of one made ahead: median and p95 {:?}", median(times));
        assert_eq!(fixture.network.attached().expect("a list").len(), made_now.len() + made_ahead.len());
    });
}
