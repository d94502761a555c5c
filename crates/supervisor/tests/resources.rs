//! Limits and what happens at them: memory, processes, cpu; stats; updates in place.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod support;

use runtime::cgroup::Host;
use runtime::protocol::{Reply, Request, Stats};
use runtime::spec::Limits;
use support::{Unit, until};

fn stats(unit: &mut Unit, name: &str) -> Stats {
    match unit.client.call(Request::Stats { container: name.into() }).unwrap() {
        Reply::Stats(stats) => stats,
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_above_the_limit_ends_the_container_and_is_told() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("hungry", &["eat", "200"]);
    spec.limits = Limits { memory_bytes: Some(32 << 20), swap_bytes: Some(0), ..Limits::default() };
    let (exit, lines) = unit.run(&spec);
    assert_eq!((exit.signal, exit.oom_killed), (Some(9), true));
    assert!(lines.is_empty());
    let mut spec = unit.spec("modest", &["eat", "10"]);
    spec.limits.memory_bytes = Some(32 << 20);
    let (exit, lines) = unit.run(&spec);
    assert_eq!((exit.code, exit.oom_killed, lines), (Some(0), false, vec!["ate 10".to_owned()]));
}

#[test]
fn a_unit_s_own_limit_counts_for_the_one_who_hits_it() {
    let mut unit = Unit::with(|sandbox| sandbox.limits.memory_bytes = Some(32 << 20));
    let bystander = unit.spec("bystander", &["sleep"]);
    unit.start(1, &bystander).unwrap();
    let hungry = unit.spec("hungry", &["eat", "200"]);
    let (exit, _) = unit.run(&hungry);
    assert_eq!((exit.signal, exit.oom_killed), (Some(9), true));
    unit.client.call(Request::Kill { container: "bystander".into(), attempt: 1 }).unwrap();
    let exit = unit.exit_of("bystander");
    assert_eq!((exit.signal, exit.oom_killed), (Some(9), false), "killed by us, not for memory");
}

#[test]
fn processes_are_limited() {
    let mut unit = Unit::new();
    let lines = unit.output("web", &["fork", "50"], |spec| spec.limits.pids = Some(10));
    assert_eq!(lines, ["forked 9"]);
}

#[test]
fn limits_are_in_force_and_change_in_place() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["sleep"]);
    spec.limits = Limits {
        cpu_shares: Some(512),
        memory_bytes: Some(64 << 20),
        memory_reservation_bytes: Some(32 << 20),
        swap_bytes: Some(0),
        swappiness: Some(7),
        pids: Some(20),
        ..Limits::default()
    };
    unit.start(1, &spec).unwrap();
    let seen = stats(&mut unit, "web");
    assert_eq!((seen.memory_limit_bytes, seen.pids), (Some(64 << 20), 1));
    assert!(seen.memory_bytes > 0 && seen.cpu_ns > 0);
    for memory_bytes in [128 << 20, 48 << 20] {
        let limits = Limits { memory_bytes: Some(memory_bytes), swap_bytes: Some(0), ..Limits::default() };
        unit.client.call(Request::Update { container: Some("web".into()), limits }).unwrap();
        assert_eq!(stats(&mut unit, "web").memory_limit_bytes, Some(memory_bytes));
    }
    let group = Host::probe().unwrap().unit(&unit.instance, &unit.unit).unwrap().child("web.1").unwrap();
    let file = |controller: &str, name: &str| {
        std::fs::read_to_string(group.controller_dir(controller).unwrap().join(name)).unwrap().trim().to_owned()
    };
    if Host::probe().unwrap().layout() == runtime::cgroup::Layout::V2 {
        assert_eq!(file("pids", "pids.max"), "20");
    } else {
        assert_eq!(file("cpu", "cpu.shares"), "512");
        assert_eq!(file("memory", "memory.soft_limit_in_bytes"), (32 << 20).to_string());
        assert_eq!(file("memory", "memory.swappiness"), "7");
    }
}

#[test]
fn a_cpu_quota_is_set_where_the_kernel_has_it() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["exit", "0"]);
    spec.limits.cpu_quota_us = Some(50_000);
    match unit.start(1, &spec) {
        Ok(_) => assert_eq!(unit.exit_of("web").code, Some(0)),
        Err(failure) => assert!(failure.message.contains("cpu.cfs"), "{failure}"),
    }
}

#[test]
fn removed_attempts_leave_no_group_behind() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["exit", "0"]);
    let group = Host::probe().unwrap().unit(&unit.instance, &unit.unit).unwrap();
    for attempt in 1..20 {
        unit.start(attempt, &spec).unwrap();
        unit.exit_of("web");
    }
    unit.remove("web", 19);
    let left = || {
        let folders = group.dirs().flat_map(|dir| std::fs::read_dir(dir).unwrap().flatten().collect::<Vec<_>>());
        folders.filter(|e| e.file_type().unwrap().is_dir()).count()
    };
    until(|| left() == 0);
}
