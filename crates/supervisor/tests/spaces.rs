//! What a container sees: namespaces, mounts, devices, users, environment, layers.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod support;

use runtime::protocol::{FailureKind, Request};
use runtime::spec::{ContainerSpec, Device, Mount, Namespace, Rlimit, RootFs, UnitNet};
use support::{Unit, lines, make_layer, refusal};

fn namespaces_of(unit: &mut Unit, spec: &ContainerSpec) -> Vec<String> {
    let (exit, lines) = unit.run(spec);
    assert_eq!(exit.code, Some(0), "{lines:?}");
    lines
}

fn host(kind: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string()
}

#[test]
fn own_namespaces_are_nobody_else_s_and_host_ones_the_host_s() {
    let mut unit = Unit::new();
    let mut spec = unit.spec("own", &["ns"]);
    let own = namespaces_of(&mut unit, &spec);
    spec = unit.spec("host", &["ns"]);
    for namespace in [
        &mut spec.namespaces.pid,
        &mut spec.namespaces.net,
        &mut spec.namespaces.ipc,
        &mut spec.namespaces.uts,
        &mut spec.namespaces.cgroup,
    ] {
        *namespace = Namespace::Host;
    }
    let shared = namespaces_of(&mut unit, &spec);
    for (at, kind) in ["pid", "net", "ipc", "uts", "mnt", "cgroup"].into_iter().enumerate() {
        assert_ne!(own[at], host(kind));
        assert_eq!(shared[at] == host(kind), kind != "mnt", "{kind}");
    }
}

#[test]
fn containers_of_a_unit_share_what_its_sandbox_made() {
    let mut unit = Unit::with(|sandbox| {
        (sandbox.pid, sandbox.ipc, sandbox.uts) = (true, true, true);
        (sandbox.net, sandbox.hostname) = (UnitNet::Own, "unit-host".into());
        sandbox.sysctls = vec![("net.core.somaxconn".into(), "77".into()), ("kernel.msgmax".into(), "4242".into())];
    });
    let share = |spec: &mut ContainerSpec| {
        let all = &mut spec.namespaces;
        for namespace in [&mut all.pid, &mut all.net, &mut all.ipc, &mut all.uts] {
            *namespace = Namespace::Unit;
        }
    };
    let mut first = unit.spec("first", &["ns"]);
    share(&mut first);
    let mut second = unit.spec("second", &["ns"]);
    share(&mut second);
    let (one, two) = (namespaces_of(&mut unit, &first), namespaces_of(&mut unit, &second));
    assert_eq!(one[..4], two[..4]);
    assert_ne!(two[4], host("mnt"), "the mount namespace is always its own");
    assert_ne!(one[1], host("net"));
    let seen = unit.output(
        "seen",
        &["cat", "/proc/sys/kernel/hostname", "/proc/sys/net/core/somaxconn", "/proc/sys/kernel/msgmax"],
        share,
    );
    assert_eq!(seen, ["unit-host", "77", "4242"]);
    assert_eq!(unit.output("writer", &["write", "/dev/shm/note", "hello"], share), ["done"]);
    assert_eq!(unit.output("reader", &["cat", "/dev/shm/note"], share), ["hello"]);
    let processes = unit.output("lister", &["cat", "/proc/1/comm"], share);
    assert_eq!(processes, ["bayplan-init"], "pid 1 is the sandbox's reaper");
    assert_eq!(unit.output("escape", &["ls", "/proc/1/root/etc"], share), ["/proc/1/root/etc: unreadable"]);
}

#[test]
fn a_container_may_join_another_s_namespaces_while_it_runs() {
    let mut unit = Unit::new();
    let mut db = unit.spec("db", &["sleep"]);
    db.hostname = "db-host".into();
    db.shm_bytes = Some(1 << 20);
    unit.start(1, &db).unwrap();
    let join = |spec: &mut ContainerSpec| {
        let all = &mut spec.namespaces;
        for namespace in [&mut all.pid, &mut all.net, &mut all.ipc, &mut all.uts] {
            *namespace = Namespace::Container("db".into());
        }
    };
    assert_eq!(unit.output("peek", &["cat", "/proc/sys/kernel/hostname", "/proc/1/comm"], join), ["db-host", "probe"]);
    assert_eq!(unit.output("put", &["write", "/dev/shm/x", "shared"], join), ["done"]);
    assert_eq!(unit.output("get", &["cat", "/dev/shm/x"], join), ["shared"]);
    unit.client.call(Request::Kill { container: "db".into(), attempt: 1 }).unwrap();
    unit.exit_of("db");
    let mut late = unit.spec("late", &["exit", "0"]);
    join(&mut late);
    let failure = unit.start(1, &late).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.contains("`db`"), "{failure}");
}

#[test]
fn a_network_namespace_may_come_as_a_descriptor() {
    let mut unit = Unit::bare();
    let made = std::process::Command::new("unshare").args(["-n", "sleep", "60"]).spawn();
    let mut holder = made.unwrap();
    let path = format!("/proc/{}/ns/net", holder.id());
    support::until(|| std::fs::read_link(&path).is_ok_and(|link| link.display().to_string() != host("net")));
    let wanted = std::fs::read_link(&path).unwrap().display().to_string();
    let namespace = std::fs::File::open(&path).unwrap();
    let fds = [std::os::fd::AsRawFd::as_raw_fd(&namespace)];
    unit.client.call_with(Request::Hold { name: "net".into() }, &fds).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let spec = runtime::spec::SandboxSpec {
        instance: unit.instance.clone(),
        unit: unit.unit.clone(),
        net: UnitNet::Held("net".into()),
        ..Default::default()
    };
    unit.client.call(Request::CreateSandbox { spec }).unwrap();
    let mut spec = unit.spec("web", &["ns"]);
    spec.namespaces.net = Namespace::Unit;
    assert_eq!(namespaces_of(&mut unit, &spec)[1], wanted);
    spec = unit.spec("direct", &["ns"]);
    spec.namespaces.net = Namespace::Held("net".into());
    assert_eq!(namespaces_of(&mut unit, &spec)[1], wanted);
}

#[test]
fn a_container_s_own_settings_apply() {
    let mut unit = Unit::new();
    let seen = unit.output(
        "web",
        &["cat", "/proc/sys/kernel/hostname", "/proc/sys/net/core/somaxconn", "/proc/self/oom_score_adj"],
        |spec| {
            spec.hostname = "web-1".into();
            spec.sysctls = vec![("net.core.somaxconn".into(), "99".into())];
            spec.oom_score_adj = 321;
        },
    );
    assert_eq!(seen, ["web-1", "99", "321"]);
    let limits = unit.output("limits", &["cat", "/proc/self/limits"], |spec| {
        spec.rlimits = vec![Rlimit { name: "nofile".into(), soft: 100, hard: 200 }];
    });
    assert!(
        limits
            .iter()
            .any(|l| l.split_whitespace().collect::<Vec<_>>() == ["Max", "open", "files", "100", "200", "files"])
    );
}

#[test]
fn users_groups_and_home_are_the_image_s() {
    let mut unit = Unit::new();
    let mut id = |name: &str, user: &str| unit.output(name, &["id"], |spec| spec.user = user.into()).remove(0);
    assert_eq!(id("root", ""), "uid=0 gid=0 groups=[] home=/root");
    assert_eq!(id("named", "web"), "uid=101 gid=102 groups=[44] home=/srv/web");
    assert_eq!(id("number", "5000"), "uid=5000 gid=0 groups=[] home=/");
    assert_eq!(id("both", "5000:video"), "uid=5000 gid=44 groups=[] home=/");
    let mut spec = unit.spec("missing", &["id"]);
    spec.user = "ghost".into();
    let failure = unit.start(1, &spec).unwrap_err();
    assert_eq!((failure.kind, failure.stage.as_deref()), (FailureKind::Invalid, Some("user")));
    assert_eq!(failure.message, "the container's /etc/passwd has no user `ghost`");
}

#[test]
fn environment_and_working_directory_are_as_told() {
    let mut unit = Unit::new();
    let env = unit.output("env", &["env"], |spec| spec.env = vec!["A=1".into(), "EMPTY=".into()]);
    assert_eq!(env, ["A=1", "EMPTY=", &format!("PATH={}", runtime::spec::DEFAULT_PATH), "HOME=/root"]);
    assert_eq!(unit.output("pwd", &["pwd"], |spec| spec.cwd = "/srv/made/for/it".into()), ["/srv/made/for/it"]);
}

#[test]
fn dev_has_the_standard_nodes_and_no_others() {
    let mut unit = Unit::new();
    assert_eq!(
        unit.output("web", &["ls", "/dev"], |_| {}),
        ["fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"]
    );
    let seen = unit.output("device", &["try", "open=/dev/loop0", "open=/dev/other", "write=/dev/other"], |spec| {
        let device = |path: &str, permissions: &str| Device {
            host_path: "/dev/loop0".into(),
            container_path: path.into(),
            permissions: permissions.into(),
        };
        spec.devices = vec![device("", "r"), device("/dev/other", "r")];
    });
    assert_eq!(seen, ["open=/dev/loop0: done", "open=/dev/other: done", "write=/dev/other: errno 1"]);
    let mut spec = unit.spec("bad", &["exit", "0"]);
    spec.devices =
        vec![Device { host_path: "/etc/passwd".into(), container_path: String::new(), permissions: "r".into() }];
    assert_eq!(unit.start(1, &spec).unwrap_err().kind, FailureKind::Invalid);
}

#[test]
fn tmpfs_and_binds_have_their_options() {
    let mut unit = Unit::new();
    let shared = unit.dir.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "from the host").unwrap();
    let tmpfs = |target: &str, options: &[&str]| Mount::Tmpfs {
        target: target.into(),
        size_bytes: Some(1 << 20),
        mode: Some(0o750),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
    };
    let bind =
        |source: std::path::PathBuf, target: &str, readonly| Mount::Bind { source, target: target.into(), readonly };
    let mounts = vec![
        bind(shared.join("file"), "/deep/in/file", true),
        bind(shared.clone(), "/rw", false),
        tmpfs("/scratch", &["exec", "uid=101", "noatime"]),
        tmpfs("/scratch/inner", &["ro"]),
    ];
    let table = unit.output("table", &["cat", "/proc/self/mountinfo"], |spec| spec.mounts = mounts.clone());
    let row = |at: &str| {
        table.iter().find(|l| l.split(' ').nth(4) == Some(at)).unwrap_or_else(|| panic!("{at}: {table:#?}")).clone()
    };
    assert!(
        row("/scratch").contains("rw,nosuid,nodev,noatime - tmpfs")
            && row("/scratch").contains("size=1024k,mode=750,uid=101")
    );
    assert!(row("/scratch/inner").contains(" ro,nosuid,nodev,noexec"));
    assert!(row("/deep/in/file").contains(" ro,"));
    assert!(table.iter().all(|line| !line.contains("shared:") && !line.contains("master:")), "nothing propagates");
    assert!(row("/").contains(" - overlay ") && row("/dev/shm").contains("size=65536k"));
    let done =
        unit.output("write", &["try", "write=/deep/in/file", "create=/rw/new", "create=/scratch/inner/x"], |spec| {
            spec.mounts = mounts
        });
    assert_eq!(done, ["write=/deep/in/file: errno 30", "create=/rw/new: done", "create=/scratch/inner/x: errno 30"]);
    assert!(shared.join("new").exists());
    let mut spec = unit.spec("bad", &["exit", "0"]);
    spec.mounts = vec![tmpfs("/x", &["colour=red"])];
    let failure = unit.start(1, &spec).unwrap_err();
    assert!(failure.message.contains("`colour=red`"), "{failure}");
    spec.mounts = vec![bind(shared.join("nowhere"), "/x", false)];
    unit.remove("bad", 1);
    let failure = unit.start(2, &spec).unwrap_err();
    assert!(failure.message.contains("nowhere") && failure.message.contains("No such file"), "{failure}");
}

#[test]
fn more_layers_than_an_option_page_holds() {
    let mut unit = Unit::new();
    let base = unit.dir.path().join("a-folder-with-a-long-name-so-that-the-options-do-not-fit").join("x".repeat(60));
    let layers: Vec<_> = (0..150).map(|n| base.join(format!("layer-{n:03}"))).collect();
    for (n, layer) in layers.iter().enumerate() {
        std::fs::create_dir_all(layer).unwrap();
        std::fs::write(layer.join("top"), n.to_string()).unwrap();
        std::fs::write(layer.join(format!("only-{n}")), "").unwrap();
    }
    make_layer(&layers[149]);
    let spec = |unit: &Unit, name: &str, words: &[&str]| {
        let mut spec = unit.spec(name, words);
        spec.rootfs.lower = layers.clone();
        spec
    };
    let seen = spec(&unit, "web", &["cat", "/top", "/only-0", "/only-77", "/only-149"]);
    assert_eq!(unit.run(&seen).1, ["0", "", "", ""], "the topmost wins, all are there");
    assert!(layers.iter().map(|l| l.as_os_str().len()).sum::<usize>() > 4 * 4096);
}

#[test]
fn a_single_layer_without_upper_is_read_only() {
    let mut unit = Unit::new();
    let layer = unit.rootfs().lower[0].clone();
    let change = |spec: &mut ContainerSpec| spec.rootfs = RootFs { lower: vec![layer.clone()], ..RootFs::default() };
    assert_eq!(unit.output("web", &["try", "create=/x"], change), ["create=/x: errno 30"]);
    assert!(!layer.join("x").exists());
}

#[test]
fn a_container_finds_its_own_limits_in_its_control_group() {
    let mut unit = Unit::new();
    let host = runtime::cgroup::Host::probe().unwrap();
    let path = if host.layout() == runtime::cgroup::Layout::V2 {
        "/sys/fs/cgroup/memory.max"
    } else {
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    };
    let seen =
        unit.output("web", &["cat", path, "/proc/self/cgroup"], |spec| spec.limits.memory_bytes = Some(64 << 20));
    assert_eq!(seen[0], (64 << 20).to_string());
    assert!(seen[1..].iter().filter(|l| l.contains("memory")).all(|l| l.ends_with(":/")), "{seen:?}");
}

#[test]
fn nonsense_is_refused_in_words() {
    let mut unit = Unit::new();
    let mut refused = |change: &dyn Fn(&mut ContainerSpec)| {
        let mut spec = unit.spec("web", &["exit", "0"]);
        change(&mut spec);
        let created = refusal(unit.client.call(Request::Create { attempt: 1, spec: Box::new(spec.clone()) }));
        let failure = created.and_then(|_| unit.start(1, &spec).map(drop)).unwrap_err();
        let _ = unit.client.call(Request::Remove { container: "web".into(), attempt: 1 });
        assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
        failure.message
    };
    assert!(refused(&|s| s.argv.clear()).contains("no command"));
    assert!(refused(&|s| s.rootfs.lower.clear()).contains("no layer"));
    assert!(refused(&|s| s.security.cap_add = vec!["FLY".into()]).contains("`FLY`"));
    assert!(refused(&|s| s.name = "../x".into()).contains("../x"));
    assert!(refused(&|s| s.namespaces.pid = Namespace::Unit).contains("no pid namespace"));
    assert!(refused(&|s| s.namespaces.net = Namespace::Held("n".into())).contains("`n`"));
    assert!(refused(&|s| s.rlimits = vec![Rlimit { name: "wishes".into(), soft: 3, hard: 3 }]).contains("`wishes`"));
    assert!(lines(&unit.dir.path().join("web.log")).is_empty());
}
