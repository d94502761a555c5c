//! A Unit of its own for one test: a root file system from the probe, a supervisor, a client; and nothing left behind.

#![allow(dead_code, reason = "each test file uses its part")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runtime::cgroup::{self, Host};
use runtime::client::{Client, ClientError};
use runtime::launch::{Launch, Launched, SealedImage, launch};
use runtime::protocol::{Event, ExecExit, ExecSpec, Exit, Failure, Reply, Request};
use runtime::spec::{ContainerSpec, Namespace, RootFs, SandboxSpec};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The program that tests run inside containers: static, as images there have no libraries.
pub(crate) fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let dir = root.join("target/supervisor");
        let built = Command::new(env!("CARGO"))
            .current_dir(&root)
            .args(["build", "--quiet", "--release", "--package", "supervisor", "--bin", "probe", "--target", &target])
            .arg("--target-dir")
            .arg(&dir)
            .env("RUSTFLAGS", "-C relocation-model=static -C target-feature=+crt-static")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status();
        assert!(built.unwrap().success());
        dir.join(target).join("release/probe").canonicalize().unwrap()
    })
}

fn image() -> &'static SealedImage {
    static IMAGE: OnceLock<SealedImage> = OnceLock::new();
    IMAGE.get_or_init(|| SealedImage::new(supervisor_image::SUPERVISOR).unwrap())
}

/// One Unit.
pub(crate) struct Unit {
    pub(crate) instance: String,
    pub(crate) unit: String,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) launched: Launched,
    pub(crate) client: Client,
    roots: AtomicU32,
}

impl Unit {
    /// A Unit with a plain sandbox: host network, nothing shared.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A Unit whose sandbox is changed before it is made.
    pub(crate) fn with(change: impl FnOnce(&mut SandboxSpec)) -> Self {
        let mut unit = Self::bare();
        let mut spec =
            SandboxSpec { instance: unit.instance.clone(), unit: unit.unit.clone(), ..SandboxSpec::default() };
        change(&mut spec);
        assert_eq!(unit.client.call(Request::CreateSandbox { spec }).unwrap(), Reply::Done);
        unit
    }

    /// A Unit without its sandbox.
    pub(crate) fn bare() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let (instance, unit) = (format!("t{}-{n}", std::process::id()), "u1".to_owned());
        // Longer than a socket's address may be, as real data folders are.
        let dir = tempfile::Builder::new().prefix(&format!("bayplan-{}-", "long-".repeat(20))).tempdir().unwrap();
        let run_dir = dir.path().join("run");
        std::fs::create_dir(&run_dir).unwrap();
        let launched = launch(image(), &Launch { instance: instance.clone(), unit: unit.clone(), run_dir }).unwrap();
        let (client, _) = Client::connect(&launched.socket).unwrap();
        Self { instance, unit, dir, launched, client, roots: AtomicU32::new(0) }
    }

    /// A fresh writable root with the probe in it.
    pub(crate) fn rootfs(&self) -> RootFs {
        let n = self.roots.fetch_add(1, Ordering::Relaxed);
        let at = |name: &str| self.dir.path().join(format!("{name}{n}"));
        let (layer, upper, work) = (at("layer"), at("upper"), at("work"));
        make_layer(&layer);
        for dir in [&upper, &work] {
            std::fs::create_dir(dir).unwrap();
        }
        RootFs { lower: vec![layer], upper: Some(upper), work: Some(work), readonly: false }
    }

    /// A container that runs the probe with these words.
    pub(crate) fn spec(&self, name: &str, words: &[&str]) -> ContainerSpec {
        let mut argv = vec!["probe"];
        argv.extend(words);
        let mut spec = ContainerSpec::new(name, self.rootfs(), &argv);
        spec.namespaces.net = Namespace::Own;
        spec.log.path = self.dir.path().join(format!("{name}.log"));
        spec
    }

    /// Creates and starts an attempt; returns its pid.
    pub(crate) fn start(&mut self, attempt: u32, spec: &ContainerSpec) -> Result<i32, Failure> {
        refusal(self.client.call(Request::Create { attempt, spec: Box::new(spec.clone()) }))?;
        match refusal(self.client.call(Request::Start { container: spec.name.clone(), attempt }))? {
            Reply::Started { pid, .. } => Ok(pid),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a container's exit.
    pub(crate) fn exit_of(&mut self, name: &str) -> Exit {
        loop {
            if let Event::Exited(exit) = self.client.next_event(PATIENCE).unwrap()
                && exit.container == name
            {
                return exit;
            }
        }
    }

    /// Runs to the end: exit and the lines it wrote.
    pub(crate) fn run(&mut self, spec: &ContainerSpec) -> (Exit, Vec<String>) {
        self.start(1, spec).unwrap_or_else(|failure| panic!("{failure:?}"));
        let exit = self.exit_of(&spec.name);
        (exit, lines(&spec.log.path))
    }

    /// What the probe prints for these words in a container that `change` has changed.
    pub(crate) fn output(
        &mut self,
        name: &str,
        words: &[&str],
        change: impl FnOnce(&mut ContainerSpec),
    ) -> Vec<String> {
        let mut spec = self.spec(name, words);
        change(&mut spec);
        self.run(&spec).1
    }

    /// Waits until a container has written a line with this text.
    pub(crate) fn wait_for_line(&self, spec: &ContainerSpec, text: &str) {
        until(|| lines(&spec.log.path).iter().any(|line| line.contains(text)));
    }

    /// Runs a program in a container to its end.
    pub(crate) fn exec(&mut self, spec: ExecSpec) -> Result<ExecExit, Failure> {
        let id = spec.exec;
        refusal(self.client.call(Request::Exec(Box::new(spec))))?;
        loop {
            if let Event::ExecExited(exit) = self.client.next_event(PATIENCE).unwrap()
                && exit.exec == id
            {
                return Ok(exit);
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &str, attempt: u32) {
        self.client.call(Request::Remove { container: name.to_owned(), attempt }).unwrap();
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = self.launched.child.kill();
        let _ = self.launched.child.wait();
        cgroup::kill_unit(&self.instance, &self.unit, 5000).unwrap();
        cgroup::remove_unit(&self.instance, &self.unit, 5000).unwrap();
        Host::probe().unwrap().remove_instance(&self.instance).unwrap();
    }
}

/// A layer with the probe, a passwd file and the usual folders.
pub(crate) fn make_layer(layer: &Path) {
    for dir in ["bin", "etc", "proc", "sys", "dev", "tmp", "mnt"] {
        std::fs::create_dir_all(layer.join(dir)).unwrap();
    }
    for name in ["probe", "true"] {
        std::fs::hard_link(probe(), layer.join("bin").join(name))
            .or_else(|_| std::fs::copy(probe(), layer.join("bin").join(name)).map(drop))
            .unwrap();
    }
    std::fs::set_permissions(layer, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(layer.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv/web:/bin/sh\n")
        .unwrap();
    std::fs::write(layer.join("etc/group"), "root:x:0:\nweb:x:102:\nvideo:x:44:web\n").unwrap();
}

/// The `log` texts of a log file.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    entries(path).into_iter().map(|(_, text)| text.trim_end_matches(['\n', '\r']).to_owned()).collect()
}

/// Stream and text of every whole line of a log file.
pub(crate) fn entries(path: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| value[name].as_str().unwrap().to_owned();
        (field("stream"), field("log"))
    };
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(entry).collect()
}

/// Waits for a condition.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it did not happen within 10 s");
}

/// The supervisor's refusal; anything else than an answer or a refusal fails the test.
pub(crate) fn refusal(result: Result<Reply, ClientError>) -> Result<Reply, Failure> {
    match result {
        Ok(reply) => Ok(reply),
        Err(ClientError::Refused(failure)) => Err(failure),
        Err(other) => panic!("{other:?}"),
    }
}
