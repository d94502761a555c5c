//! A container from start to end: exit codes, signals, failures to start, attempts, reconnects, what is left behind.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod support;

use std::os::fd::AsRawFd;

use runtime::cgroup;
use runtime::client::{Client, ClientError};
use runtime::protocol::{Event, ExecIo, ExecSpec, FailureKind, Reply, Request, Status};
use runtime::spec::{Mount, Namespace};
use support::{PATIENCE, Unit, lines, refusal, until};

#[test]
fn a_program_s_output_and_exit_code_come_back() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["echo", "hello", "world"]);
    let (exit, lines) = unit.run(&spec);
    assert_eq!(lines, ["hello world"]);
    assert_eq!((exit.code, exit.signal, exit.oom_killed, exit.seq), (Some(0), None, false, 1));
    let spec = unit.spec("other", &["exit", "37"]);
    let (exit, _) = unit.run(&spec);
    assert_eq!((exit.code, exit.seq), (Some(37), 2));
}

#[test]
fn signals_reach_the_program_real_time_ones_too() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["signals"]);
    unit.start(1, &spec).unwrap();
    unit.wait_for_line(&spec, "ready");
    for (signal, line) in [(10, "signal 10"), (37, "signal 37"), (15, "signal 15")] {
        unit.client.call(Request::Signal { container: "web".into(), attempt: 1, signal }).unwrap();
        unit.wait_for_line(&spec, line);
    }
    assert_eq!(unit.exit_of("web").code, Some(0));
}

#[test]
fn kill_ends_the_whole_container_with_its_signal() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["fork", "3"]);
    let mut sleeper = unit.spec("sleeper", &["sleep"]);
    sleeper.namespaces.pid = runtime::spec::Namespace::Host;
    unit.start(1, &sleeper).unwrap();
    unit.client.call(Request::Kill { container: "sleeper".into(), attempt: 1 }).unwrap();
    let exit = unit.exit_of("sleeper");
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    assert_eq!(unit.run(&spec).0.code, Some(0), "children of pid 1 do not hold its end up");
}

#[test]
fn a_program_that_cannot_run_is_a_failed_start_and_no_exit() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &[]);
    spec.argv = vec!["no-such-program".into()];
    let failure = unit.start(1, &spec).unwrap_err();
    assert_eq!(failure.kind, FailureKind::CommandNotFound);
    assert_eq!(failure.stage.as_deref(), Some("exec"));
    assert!(failure.message.contains("`no-such-program` is not in any folder of the container's PATH"), "{failure}");

    spec.argv = vec!["/etc/passwd".into()];
    let failure = unit.start(2, &spec).unwrap_err();
    assert_eq!(failure.kind, FailureKind::CommandNotExecutable);
    assert!(failure.message.contains("`/etc/passwd` cannot be executed: Permission denied"), "{failure}");

    spec.argv = vec!["/bin/script".into()];
    let script = spec.rootfs.lower[0].join("bin/script");
    std::fs::write(&script, "#!/bin/no-shell\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let failure = unit.start(3, &spec).unwrap_err();
    assert!(failure.message.contains("interpreter"), "{failure}");

    spec.init = true;
    spec.argv = vec!["nowhere".into()];
    assert_eq!(unit.start(4, &spec).unwrap_err().kind, FailureKind::CommandNotFound, "through init too");

    let (_, state) = Client::connect(&unit.launched.socket).unwrap();
    assert!(state.exits.is_empty());
    assert!(matches!(state.containers[0].status, Status::StartFailed(_)));
}

#[test]
fn a_start_is_idempotent_by_container_and_attempt() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    let pid = unit.start(1, &spec).unwrap();
    assert_eq!(unit.start(1, &spec).unwrap(), pid, "the same attempt is the same process");
    let failure = unit.start(2, &spec).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    unit.client.call(Request::Kill { container: "web".into(), attempt: 1 }).unwrap();
    unit.exit_of("web");
    assert_ne!(unit.start(2, &spec).unwrap(), pid);
    assert_eq!(unit.start(1, &spec).unwrap_err().kind, FailureKind::Conflict, "attempts only advance");
}

#[test]
fn exits_wait_for_an_agent_that_comes_back() {
    let mut unit = Unit::new();
    let shared = unit.dir.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let mut web = unit.spec("web", &["then", "/tmp/go", "exit", "5"]);
    web.mounts.push(Mount::Bind { source: shared.clone(), target: "/tmp".into(), readonly: true });
    unit.start(1, &web).unwrap();
    let socket = unit.launched.socket.clone();
    // The agent dies; the container ends meanwhile.
    let (placeholder, _) = Client::connect(&socket).unwrap();
    unit.client = placeholder;
    std::fs::write(shared.join("go"), "").unwrap();
    let mut seen = None;
    until(|| {
        let (client, state) = Client::connect(&socket).unwrap();
        unit.client = client;
        seen = state.exits.first().cloned();
        seen.is_some()
    });
    let exit = seen.unwrap();
    assert_eq!((exit.code, exit.attempt, exit.container.as_str()), (Some(5), 1, "web"));
    unit.client.call(Request::AckExits { seq: exit.seq }).unwrap();
    let (client, state) = Client::connect(&socket).unwrap();
    unit.client = client;
    assert!(state.exits.is_empty(), "acknowledged ones are forgotten");
    assert_eq!(state.containers[0].status, Status::Exited(exit));
}

#[test]
fn a_newer_connection_replaces_the_older() {
    let mut unit = Unit::new();
    let (mut newer, _) = Client::connect(&unit.launched.socket).unwrap();
    assert!(unit.client.call(Request::AckExits { seq: 0 }).is_err());
    assert_eq!(newer.call(Request::AckExits { seq: 0 }).unwrap(), Reply::Done);
    unit.client = newer;
}

#[test]
fn the_containers_of_a_killed_supervisor_die_with_it() {
    let mut unit = Unit::with(|sandbox| sandbox.pid = true);
    let mut pids = Vec::new();
    for (name, pid, user) in
        [("own", "own", ""), ("unit", "unit", "web"), ("host", "host", "web"), ("host-init", "host", "")]
    {
        let mut spec = unit.spec(name, &["sleep"]);
        spec.user = user.into();
        spec.init = ["unit", "host-init"].contains(&name);
        spec.namespaces.pid = match pid {
            "own" => runtime::spec::Namespace::Own,
            "unit" => runtime::spec::Namespace::Unit,
            _ => runtime::spec::Namespace::Host,
        };
        pids.push(unit.start(1, &spec).unwrap());
    }
    unit.launched.child.kill().unwrap();
    unit.launched.child.wait().unwrap();
    let gone = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    until(|| pids.iter().all(gone));
    // Init's program goes with init, with no help from the agent either.
    let group = cgroup::Host::probe().unwrap().unit(&unit.instance, &unit.unit).unwrap();
    until(|| !group.is_populated());
    cgroup::kill_unit(&unit.instance, &unit.unit, 5000).unwrap();
}

#[test]
fn kill_unit_ends_everything_without_asking_the_supervisor() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    cgroup::kill_unit(&unit.instance, &unit.unit, 5000).unwrap();
    assert_eq!(unit.exit_of("web").signal, Some(9), "the supervisor lives and tells");
}

#[test]
fn shutdown_leaves_nothing() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    assert_eq!(refusal(unit.client.call(Request::Shutdown)).unwrap_err().kind, FailureKind::Conflict);
    unit.client.call(Request::Kill { container: "web".into(), attempt: 1 }).unwrap();
    unit.exit_of("web");
    unit.remove("web", 1);
    unit.client.call(Request::Shutdown).unwrap();
    assert!(unit.launched.child.wait().unwrap().success());
    assert!(!unit.launched.socket.exists());
    let group = cgroup::Host::probe().unwrap().unit(&unit.instance, &unit.unit).unwrap();
    assert!(group.dirs().all(|dir| !dir.exists()));
}

#[test]
fn held_descriptors_outlive_the_agent() {
    let mut unit = Unit::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reply, _) = unit.client.call_with(Request::Hold { name: "port".into() }, &[listener.as_raw_fd()]).unwrap();
    assert_eq!(reply, Reply::Done);
    drop(listener);
    assert!(std::net::TcpListener::bind(address).is_err(), "the supervisor still holds the port");
    let (client, state) = Client::connect(&unit.launched.socket).unwrap();
    unit.client = client;
    assert_eq!(state.held, ["port"]);
    unit.client.call(Request::Release { name: "port".into() }).unwrap();
    std::net::TcpListener::bind(address).unwrap();
}

#[test]
fn a_supervisor_stands_alone() {
    let unit = Unit::new();
    let pid = unit.launched.child.id();
    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let stat = proc("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[2], pid.to_string(), "its own group");
    assert_eq!(fields[3], pid.to_string(), "its own session");
    assert!(proc("cmdline").starts_with(&format!("bayplan\0supervisor\0{}/{}\0", unit.instance, unit.unit)));
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
    assert!(proc("cgroup").contains("/supervisors"));
    assert_eq!(proc("status").lines().find(|l| l.starts_with("Threads")).unwrap(), "Threads:\t1");
    // Its own memory; the pages of the sealed program are shared by all supervisors of an agent.
    let memory = proc("smaps_rollup");
    let own = memory.lines().find(|l| l.starts_with("Anonymous:")).unwrap();
    let kib: u64 = own.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 100, "{kib} KiB of memory of its own");
    let exe = format!("/proc/{pid}/exe");
    assert!(std::fs::OpenOptions::new().write(true).open(&exe).is_err() || std::fs::write(&exe, "x").is_err());
}

#[test]
fn orphans_are_reaped_by_our_init_and_its_exit_code_is_the_program_s() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["orphan"]);
    spec.init = true;
    let (exit, lines) = unit.run(&spec);
    assert_eq!(exit.code, Some(0));
    assert_eq!(lines, ["zombies 0 processes 2"], "init and the program");
    let mut spec = unit.spec("killed", &["die", "11"]);
    spec.init = true;
    assert_eq!(unit.run(&spec).0.code, Some(139));
    let mut spec = unit.spec("forwarded", &["signals"]);
    spec.init = true;
    unit.start(1, &spec).unwrap();
    unit.wait_for_line(&spec, "ready");
    unit.client.call(Request::Signal { container: "forwarded".into(), attempt: 1, signal: 36 }).unwrap();
    unit.wait_for_line(&spec, "signal 36");
    unit.client.call(Request::Signal { container: "forwarded".into(), attempt: 1, signal: 15 }).unwrap();
    assert_eq!(unit.exit_of("forwarded").code, Some(0));
}

fn capture(exec: u64, container: &str, argv: &[&str]) -> ExecSpec {
    ExecSpec {
        exec,
        container: container.into(),
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        io: ExecIo::Capture { max_bytes: 4096 },
        ..ExecSpec::default()
    }
}

#[test]
fn exec_runs_inside_with_the_container_s_rules() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["sleep"]);
    spec.env = vec!["COLOUR=red".into(), "SHAPE=round".into()];
    spec.user = "web".into();
    unit.start(1, &spec).unwrap();
    let exit = unit.exec(capture(1, "web", &["probe", "id"])).unwrap();
    assert_eq!((exit.code, exit.output.trim()), (Some(0), "uid=101 gid=102 groups=[44] home=/srv/web"));
    let mut env = capture(2, "web", &["probe", "env"]);
    env.env = vec!["COLOUR=blue".into()];
    let exit = unit.exec(env).unwrap();
    assert!(exit.output.contains("COLOUR=blue") && exit.output.contains("SHAPE=round"), "{}", exit.output);
    let exit = unit.exec(capture(3, "web", &["probe", "threads"])).unwrap();
    for line in exit.output.lines() {
        assert!(line.contains("CapEff:0000000000000000") && line.contains("CapBnd:00000000a80425fb"), "{line}");
        assert!(line.contains("Seccomp:2"), "{line}");
    }
    let failure = unit.exec(capture(4, "web", &["nope"])).unwrap_err();
    assert_eq!(failure.kind, FailureKind::CommandNotFound);
    assert_eq!(unit.exec(capture(5, "gone", &["probe"])).unwrap_err().kind, FailureKind::NotFound);
}

#[test]
fn exec_is_bounded_in_time_and_output() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    let mut slow = capture(1, "web", &["probe", "sleep"]);
    slow.timeout_ms = 30;
    let exit = unit.exec(slow).unwrap();
    assert_eq!((exit.timed_out, exit.signal, exit.code), (true, Some(9), None));
    let exit = unit.exec(capture(2, "web", &["probe", "flood", "100000"])).unwrap();
    assert_eq!((exit.output.len(), exit.truncated, exit.code), (4096, true, Some(0)));
    let (_, state) = Client::connect(&unit.launched.socket).unwrap();
    assert!(state.execs.is_empty());
}

#[test]
fn exec_can_hand_its_streams_over() {
    use std::io::{Read, Write};
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    let mut request = capture(1, "web", &["probe", "stdin"]);
    request.io = ExecIo::Returned;
    let (reply, fds) = unit.client.call_with(Request::Exec(Box::new(request)), &[]).unwrap();
    assert!(matches!(reply, Reply::ExecStarted { exec: 1, .. }));
    let mut files: Vec<std::fs::File> = fds.into_iter().map(Into::into).collect();
    files.remove(0).write_all(b"to the inside").unwrap();
    let mut text = String::new();
    files[0].read_to_string(&mut text).unwrap();
    assert_eq!(text.trim(), "read \"to the inside\"");
}

#[test]
fn stdin_is_fed_by_whoever_attaches() {
    use std::io::Write;
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["stdin"]);
    (spec.stdin_open, spec.stdin_once) = (true, true);
    unit.start(1, &spec).unwrap();
    let attach = Request::Attach { container: "web".into(), attempt: 1 };
    let (_, mut fds) = unit.client.call_with(attach, &[]).unwrap();
    let mut feed = std::fs::File::from(fds.remove(0));
    feed.write_all(b"words").unwrap();
    drop(feed);
    assert_eq!(unit.exit_of("web").code, Some(0));
    assert_eq!(lines(&spec.log.path), ["read \"words\""]);
}

#[test]
fn a_terminal_has_a_size_that_changes() {
    use runtime::spec::TtySize;
    use std::io::Write;
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["tty"]);
    (spec.tty, spec.tty_size) = (true, TtySize { rows: 24, cols: 80 });
    unit.start(1, &spec).unwrap();
    unit.wait_for_line(&spec, "tty 1 24x80 console true");
    let size = TtySize { rows: 50, cols: 132 };
    unit.client.call(Request::Resize { container: "web".into(), attempt: 1, exec: None, size }).unwrap();
    unit.wait_for_line(&spec, "resized 50x132");
    let attach = Request::Attach { container: "web".into(), attempt: 1 };
    let (_, mut fds) = unit.client.call_with(attach, &[]).unwrap();
    std::fs::File::from(fds.remove(0)).write_all(b"hello\n").unwrap();
    assert_eq!(unit.exit_of("web").code, Some(0));
    assert!(lines(&spec.log.path).contains(&"typed hello".to_owned()));
}

#[test]
fn an_exec_may_have_a_terminal_of_its_own_size() {
    use runtime::spec::TtySize;
    use std::io::{Read, Write};
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    let mut request = capture(7, "web", &["probe", "tty"]);
    (request.io, request.tty, request.tty_size) = (ExecIo::Returned, true, TtySize { rows: 10, cols: 20 });
    let (_, mut fds) = unit.client.call_with(Request::Exec(Box::new(request)), &[]).unwrap();
    let mut terminal = std::fs::File::from(fds.remove(0));
    let mut seen = String::new();
    let mut wait_for = |terminal: &mut std::fs::File, text: &str| {
        until(|| {
            let mut chunk = [0; 256];
            // The terminal does not wait: nothing there yet reads as an error.
            if let Ok(got) = terminal.read(&mut chunk) {
                seen.push_str(&String::from_utf8_lossy(&chunk[..got]));
            }
            seen.contains(text)
        });
    };
    wait_for(&mut terminal, "tty 1 10x20");
    let size = TtySize { rows: 33, cols: 44 };
    unit.client.call(Request::Resize { container: "web".into(), attempt: 1, exec: Some(7), size }).unwrap();
    wait_for(&mut terminal, "resized 33x44");
    terminal.write_all(b"bye\n").unwrap();
    wait_for(&mut terminal, "typed bye");
}

#[test]
fn who_attaches_may_watch_the_output_too() {
    use std::io::{Read, Write};
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["stdin"]);
    (spec.stdin_open, spec.stdin_once) = (true, true);
    unit.start(1, &spec).unwrap();
    let (watch, copy) = runtime::sys::pipe().unwrap();
    let attach = Request::Attach { container: "web".into(), attempt: 1 };
    let (_, mut fds) = unit.client.call_with(attach, &[copy.as_raw_fd()]).unwrap();
    drop(copy);
    std::fs::File::from(fds.remove(0)).write_all(b"seen twice").unwrap();
    let mut text = String::new();
    std::fs::File::from(watch).read_to_string(&mut text).unwrap();
    assert_eq!(text.trim(), "read \"seen twice\"");
    assert_eq!(unit.exit_of("web").code, Some(0));
    assert_eq!(lines(&spec.log.path), ["read \"seen twice\""]);
}

#[test]
fn an_exec_may_write_where_the_agent_says() {
    use std::io::Read;
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    let (read, write) = runtime::sys::pipe().unwrap();
    let null = runtime::sys::dev_null().unwrap();
    let mut request = capture(1, "web", &["probe", "echo", "passed"]);
    request.io = ExecIo::Passed;
    let fds = [null.as_raw_fd(), write.as_raw_fd(), write.as_raw_fd()];
    unit.client.call_with(Request::Exec(Box::new(request)), &fds).unwrap();
    drop(write);
    let mut text = String::new();
    std::fs::File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text.trim(), "passed");
}

#[test]
fn many_containers_start_at_once_without_mixing_anything_up() {
    let mut unit = Unit::new();
    let names: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let mut spec = unit.spec(name, &["exit", &n.to_string()]);
        spec.init = n % 3 == 0;
        if n % 4 == 0 {
            spec.argv = vec!["no-such-program".into()];
        }
        unit.client.send(Request::Create { attempt: 1, spec: Box::new(spec) }, &[]).unwrap();
        unit.client.send(Request::Start { container: name.clone(), attempt: 1 }, &[]).unwrap();
    }
    let mut exits = Vec::new();
    while exits.len() < 9 {
        if let Event::Exited(exit) = unit.client.next_event(PATIENCE).unwrap() {
            exits.push(exit);
        }
    }
    let mut seqs: Vec<u64> = exits.iter().map(|exit| exit.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>());
    for exit in exits {
        assert_eq!(format!("c{}", exit.code.unwrap()), exit.container);
    }
    let (client, state) = Client::connect(&unit.launched.socket).unwrap();
    unit.client = client;
    let failed = state.containers.iter().filter(|c| matches!(c.status, Status::StartFailed(_))).count();
    assert_eq!(failed, 3);
}

#[test]
fn a_supervisor_replaces_its_own_program_and_its_containers_notice_nothing() {
    use runtime::launch::SealedImage;
    let mut unit = Unit::with(|sandbox| (sandbox.pid, sandbox.ipc) = (true, true));
    let shared = unit.dir.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let mut spec = unit.spec("web", &["signals"]);
    (spec.namespaces.pid, spec.namespaces.ipc) = (Namespace::Unit, Namespace::Unit);
    let pid = unit.start(1, &spec).unwrap();
    unit.wait_for_line(&spec, "ready");
    let short = unit.spec("short", &["exit", "3"]);
    unit.run(&short);
    let (_, before) = Client::connect(&unit.launched.socket).unwrap();

    let newer = SealedImage::new(supervisor_image::SUPERVISOR).unwrap();
    let exe =
        || std::fs::metadata(format!("/proc/{}/exe", before.pid)).map(|m| std::os::unix::fs::MetadataExt::ino(&m));
    let old_exe = exe().unwrap();
    let (mut asking, _) = Client::connect(&unit.launched.socket).unwrap();
    let answer = asking.call_with(Request::Upgrade, &[newer.descriptor().as_raw_fd()]);
    assert!(matches!(answer, Err(ClientError::Closed | ClientError::Io(_))), "{answer:?}");

    let (client, after) = Client::connect(&unit.launched.socket).unwrap();
    unit.client = client;
    assert_ne!(exe().unwrap(), old_exe, "another program");
    assert_eq!((after.pid, after.started_at_unix_ms), (before.pid, before.started_at_unix_ms), "in the same process");
    assert_eq!((&after.exits, &after.sandbox, &after.containers), (&before.exits, &before.sandbox, &before.containers));
    unit.client.call(Request::Signal { container: "web".into(), attempt: 1, signal: 10 }).unwrap();
    unit.wait_for_line(&spec, "signal 10");
    let exit = unit.exec(capture(1, "web", &["probe", "echo", "still here"])).unwrap();
    assert_eq!(exit.output.trim(), "still here");
    let mut late = unit.spec("late", &["echo", "in"]);
    (late.namespaces.pid, late.namespaces.ipc) = (Namespace::Unit, Namespace::Container("web".into()));
    assert_eq!(unit.run(&late).1, ["in"]);
    unit.client.call(Request::Signal { container: "web".into(), attempt: 1, signal: 15 }).unwrap();
    let exit = unit.exit_of("web");
    assert_eq!((exit.code, exit.seq), (Some(0), 3));
    assert!(pid > 0);
    // And with it the containers still die.
    let sleeper = unit.spec("sleeper", &["sleep"]);
    let pid = unit.start(1, &sleeper).unwrap();
    unit.launched.child.kill().unwrap();
    unit.launched.child.wait().unwrap();
    until(|| std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z ")));
}
