//! What a container must not be able to do: the escape suite.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod support;

use runtime::protocol::{ExecIo, ExecSpec, FailureKind};
use runtime::spec::{ContainerSpec, Mount, Namespace, Seccomp};
use support::{Unit, lines, until};

const EPERM: &str = "errno 1";
const EROFS: &str = "errno 30";

fn tmpfs(target: impl Into<String>) -> Mount {
    Mount::Tmpfs { target: target.into(), size_bytes: None, mode: None, options: Vec::new() }
}

fn tries(unit: &mut Unit, name: &str, attempts: &[&str], change: impl FnOnce(&mut ContainerSpec)) -> Vec<String> {
    let words: Vec<&str> = ["try"].iter().chain(attempts).copied().collect();
    unit.output(name, &words, change)
}

#[test]
fn every_thread_has_exactly_the_fourteen_capabilities_and_the_filter() {
    let mut unit = Unit::new();
    let lines = unit.output("root", &["threads"], |_| {});
    assert_eq!(lines.len(), 2, "two threads");
    for line in lines {
        assert_eq!(
            line,
            "CapInh:0000000000000000 CapPrm:00000000a80425fb CapEff:00000000a80425fb \
             CapBnd:00000000a80425fb CapAmb:0000000000000000 NoNewPrivs:0 Seccomp:2"
        );
    }
    let lines = unit.output("user", &["threads"], |spec| {
        spec.user = "web".into();
        spec.security.no_new_privs = true;
    });
    for line in lines {
        assert_eq!(
            line,
            "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 \
             CapBnd:00000000a80425fb CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2"
        );
    }
    let lines = unit.output("none", &["threads"], |spec| {
        spec.security.cap_drop = vec!["ALL".into()];
        spec.security.cap_add = vec!["NET_BIND_SERVICE".into()];
        spec.security.seccomp = Seccomp::Unconfined;
    });
    assert!(lines[0].contains("CapEff:0000000000000400") && lines[0].contains("Seccomp:0"), "{}", lines[0]);
}

#[test]
fn only_three_descriptors_are_inherited() {
    let mut unit = Unit::new();
    // The fourth is the one that reads the list.
    assert_eq!(unit.output("web", &["fds"], |_| {}), ["0 1 2 3"]);
    assert_eq!(unit.output("init", &["fds"], |spec| spec.init = true), ["0 1 2 3"]);
    let spec = unit.spec("sleeper", &["sleep"]);
    unit.start(1, &spec).unwrap();
    let exec = ExecSpec {
        exec: 1,
        container: "sleeper".into(),
        argv: vec!["probe".into(), "fds".into()],
        io: ExecIo::Capture { max_bytes: 100 },
        ..ExecSpec::default()
    };
    assert_eq!(unit.exec(exec).unwrap().output.trim(), "0 1 2 3");
}

#[test]
fn host_disks_can_be_made_but_not_opened() {
    std::fs::File::open("/dev/loop0").expect("the host may open what the container may not");
    let mut unit = Unit::new();
    let lines = tries(&mut unit, "web", &["mknod-disk"], |_| {});
    assert_eq!(lines, ["mknod-disk: made, open errno 1"]);
}

#[test]
fn no_mounts_namespaces_or_foreign_families() {
    let mut unit = Unit::new();
    let attempts = ["mount", "umount=/proc/sys", "unshare-user", "unshare-mnt", "clone-user", "setns", "keyctl"];
    for line in tries(&mut unit, "web", &attempts, |_| {}) {
        assert!(line.ends_with(EPERM), "{line}");
    }
    let more = ["clone3", "socket=38", "socket=40", "syscall=9999", "chroot", "socket=1"];
    let lines = tries(&mut unit, "more", &more, |_| {});
    assert_eq!(
        lines,
        [
            "clone3: errno 38",
            "socket=38: errno 1",
            "socket=40: errno 1",
            "syscall=9999: errno 38",
            "chroot: done",
            "socket=1: done"
        ]
    );
    // The filter alone stops them: with the capability it lets them pass to the kernel.
    let lines = tries(&mut unit, "admin", &["mount", "unshare-mnt"], |spec| {
        spec.security.cap_add = vec!["SYS_ADMIN".into()];
    });
    assert_eq!(lines, ["mount: done", "unshare-mnt: done"]);
}

#[test]
fn kernel_knobs_are_read_only_and_secrets_masked() {
    let mut unit = Unit::new();
    let attempts = [
        "write=/proc/sys/kernel/core_pattern",
        "write=/proc/sysrq-trigger",
        "write=/proc/irq/default_smp_affinity",
        "create=/sys/kernel/x",
        "write=/sys/kernel/profiling",
        "write=/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "remount-rw=/proc/sys",
    ];
    for line in tries(&mut unit, "web", &attempts, |_| {}) {
        assert!([EROFS, EPERM, "errno 2", "errno 13"].iter().any(|e| line.ends_with(e)), "{line}");
    }
    let lines = unit.output("masked", &["cat", "/proc/keys", "/proc/timer_list"], |_| {});
    assert!(!std::fs::read_to_string("/proc/keys").unwrap().is_empty());
    assert!(lines.iter().all(String::is_empty), "{lines:?}");
    let lines = unit.output("folders", &["ls", "/proc/scsi", "/sys/firmware"], |_| {});
    assert!(lines.iter().all(|l| l.is_empty() || l.ends_with("unreadable")), "{lines:?}");
}

#[test]
fn a_working_directory_through_any_descriptor_is_refused() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["pwd"]);
    for number in 0..64 {
        for path in [format!("/proc/self/fd/{number}"), format!("/proc/self/fd/{number}/../..")] {
            spec.cwd = path;
            let failure = unit.start(number + 1, &spec).unwrap_err();
            assert!(["cwd", "mount"].contains(&failure.stage.as_deref().unwrap()), "{failure:?}");
            unit.remove("web", number + 1);
        }
    }
    let link = spec.rootfs.lower[0].join("link");
    std::os::unix::fs::symlink("/proc/self/fd/7", &link).unwrap();
    spec.cwd = "/link".into();
    assert!(unit.start(200, &spec).is_err(), "nor through a link of the image");
}

#[test]
fn exec_refuses_such_a_working_directory_too() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["sleep"]);
    unit.start(1, &spec).unwrap();
    for number in 0..64 {
        let exec = ExecSpec {
            exec: u64::from(number as u32) + 1,
            container: "web".into(),
            argv: vec!["probe".into(), "pwd".into()],
            cwd: format!("/proc/self/fd/{number}"),
            ..ExecSpec::default()
        };
        assert_eq!(unit.exec(exec).unwrap_err().stage.as_deref(), Some("cwd"));
    }
}

#[test]
fn the_runner_cannot_be_overwritten_during_start_or_exec() {
    let mut unit = Unit::with(|sandbox| sandbox.pid = true);
    let program = || {
        let bytes = std::fs::read(format!("/proc/{}/exe", unit_pid(&unit))).unwrap();
        assert_eq!(bytes, supervisor_image::SUPERVISOR);
    };
    fn unit_pid(unit: &Unit) -> u32 {
        unit.launched.child.id()
    }
    program();
    // It sees every process of the host, those being started included, and may trace them all.
    let mut attacker = unit.spec("attacker", &["overwrite-runner", "1"]);
    attacker.namespaces.pid = Namespace::Host;
    attacker.security.cap_add = vec!["SYS_PTRACE".into()];
    unit.start(1, &attacker).unwrap();
    let mut victim = unit.spec("victim", &["exit", "0"]);
    victim.namespaces.pid = Namespace::Unit;
    let mut exec = 1;
    let mut attempt = 1;
    until(|| {
        victim.init = attempt % 2 == 0;
        unit.start(attempt, &victim).unwrap();
        unit.exit_of("victim");
        attempt += 1;
        let request =
            ExecSpec { exec, container: "attacker".into(), argv: vec!["/proc/self/exe".into()], ..ExecSpec::default() };
        exec += 1;
        unit.exec(request).is_err() || !lines(&attacker.log.path).is_empty()
    });
    until(|| !lines(&attacker.log.path).is_empty());
    let said = lines(&attacker.log.path).remove(0);
    assert!(said.starts_with("overwrote 0 of "), "{said}");
    assert_ne!(said, "overwrote 0 of 0", "the attacker must have seen the runner");
    let bytes = std::fs::read(format!("/proc/{}/exe", unit_pid(&unit))).unwrap();
    assert_eq!(bytes, supervisor_image::SUPERVISOR);
}

#[test]
fn an_image_that_runs_the_runner_gains_nothing() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &[]);
    let script = spec.rootfs.lower[0].join("bin/trap");
    std::fs::write(&script, "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut spec = spec;
    spec.argv = vec!["trap".into()];
    let (exit, _) = unit.run(&spec);
    assert_eq!(exit.code, Some(1), "it only says how it is used");
}

#[test]
fn links_in_an_image_cannot_lead_a_mount_out_of_it() {
    let mut unit = Unit::new();
    let outside = unit.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let mut spec = unit.spec("web", &["ls", "/"]);
    let layer = spec.rootfs.lower[0].clone();
    std::os::unix::fs::symlink(&outside, layer.join("data")).unwrap();
    std::os::unix::fs::symlink("../../../../../..", layer.join("up")).unwrap();
    std::fs::write(unit.dir.path().join("secret"), "secret").unwrap();
    let volume = unit.dir.path().to_owned();
    spec.mounts.push(Mount::Bind { source: volume.join("secret"), target: "/up/etc/secret".into(), readonly: true });
    unit.run(&spec);
    assert!(!std::path::Path::new("/etc/secret").exists(), "`..` stays at the container's root");
    for target in ["/proc/self/fd", "/proc", "/", "/data/../../..", "/dev/fd/5"] {
        let mut spec = unit.spec("bad", &["exit", "0"]);
        spec.mounts.push(tmpfs(target));
        let failure = unit.start(1, &spec).unwrap_err();
        assert_eq!(failure.stage.as_deref(), Some("mount"), "{target}: {failure:?}");
        unit.remove("bad", 1);
    }
    assert!(std::fs::read_dir(&outside).unwrap().next().is_none());
}

#[test]
fn an_image_with_fake_device_nodes_changes_nothing() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["cat", "/proc/keys", "/dev/null"]);
    let dev = spec.rootfs.lower[0].join("dev");
    std::os::unix::fs::symlink("/proc/sysrq-trigger", dev.join("null")).unwrap();
    std::os::unix::fs::symlink("/etc", dev.join("pts")).unwrap();
    let (exit, lines) = unit.run(&spec);
    assert_eq!((exit.code, lines), (Some(0), vec![String::new(), String::new()]));
    // An image whose whole /dev or /proc is a link has it made inside the root, or fails; never outside.
    let mut spec = unit.spec("linked", &["exit", "0"]);
    spec.rootfs = unit.rootfs();
    let layer = spec.rootfs.lower[0].clone();
    std::fs::remove_dir(layer.join("proc")).unwrap();
    std::os::unix::fs::symlink("/etc", layer.join("proc")).unwrap();
    let failure = unit.start(1, &spec).err();
    assert!(failure.is_none() || failure.unwrap().stage.is_some());
    assert!(!std::path::Path::new("/etc/self").exists());
}

#[test]
fn two_containers_that_swap_paths_never_write_outside() {
    // One flips a name in a shared volume between a folder and a link to the root while others start with mounts in it.
    let mut unit = Unit::new();
    let volume = unit.dir.path().join("volume");
    std::fs::create_dir_all(volume.join("a/b")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, aside, link) = (volume.join("a"), volume.join("aside"), volume.join("link"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::rename(&a, &aside);
                let _ = std::os::unix::fs::symlink("/", &link);
                let _ = std::fs::rename(&link, &a);
                let _ = std::fs::remove_file(&a);
                let _ = std::fs::rename(&aside, &a);
            }
        });
        let mut spec = unit.spec("web", &["exit", "0"]);
        spec.mounts = vec![
            Mount::Bind { source: volume.clone(), target: "/v".into(), readonly: false },
            tmpfs("/v/a/bayplan-race"),
        ];
        spec.security.masked_paths.push("/v/a/b".into());
        spec.security.readonly_paths.push("/v/a".into());
        for attempt in 1..150 {
            if unit.start(attempt, &spec).is_ok() {
                unit.exit_of("web");
            }
            unit.remove("web", attempt);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(!std::path::Path::new("/bayplan-race").exists());
}

#[test]
fn a_read_only_root_stays_read_only() {
    let mut unit = Unit::new();
    let attempts = ["create=/x", "create=/tmp/x", "create=/dev/shm/x", "remount-rw=/"];
    let lines = tries(&mut unit, "web", &attempts, |spec| {
        spec.rootfs.readonly = true;
        spec.mounts.push(tmpfs("/tmp"));
    });
    assert_eq!(
        lines,
        ["create=/x: errno 30", "create=/tmp/x: done", "create=/dev/shm/x: done", "remount-rw=/: errno 1"]
    );
}

#[test]
fn the_host_s_network_settings_cannot_be_changed_by_a_spec() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("web", &["exit", "0"]);
    spec.namespaces.net = Namespace::Host;
    spec.sysctls = vec![("net.ipv4.ip_forward".into(), "0".into())];
    let failure = unit.start(1, &spec).unwrap_err();
    assert_eq!((failure.kind, failure.stage.as_deref()), (FailureKind::Invalid, Some("sysctl")));
    spec.sysctls = vec![("kernel.core_pattern".into(), "|/x".into())];
    unit.remove("web", 1);
    assert_eq!(unit.start(2, &spec).unwrap_err().kind, FailureKind::Invalid);
}

#[test]
fn a_privileged_container_has_it_all() {
    let mut unit = Unit::new();
    let lines = tries(&mut unit, "web", &["mknod-disk", "mount", "create=/proc/sys/kernel/x"], |spec| {
        spec.security.privileged = true;
    });
    assert_eq!(lines[0], "mknod-disk: made, open done");
    assert_eq!(lines[1], "mount: done");
    assert!(!lines[2].ends_with(EROFS), "{}", lines[2]);
    let lines = unit.output("threads", &["threads"], |spec| spec.security.privileged = true);
    assert!(lines[0].contains("Seccomp:0"));
}

#[test]
fn nothing_of_a_container_shows_in_the_host_s_mounts() {
    let mut unit = Unit::new();
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut spec = unit.spec("web", &["sleep"]);
    spec.mounts.push(tmpfs("/scratch"));
    unit.start(1, &spec).unwrap();
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    let supervisor = std::fs::read_to_string(format!("/proc/{}/mountinfo", unit.launched.child.id())).unwrap();
    assert_eq!(supervisor.lines().count(), before.lines().count());
}
