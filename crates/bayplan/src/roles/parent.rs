//! The parent: holds the lock and the listening sockets, starts server and agent, restarts whichever dies.
//!
//! Because the sockets are the parent's, clients of a server that is being restarted wait in the backlog instead of being
//! refused. The server gets them as its standard input (TCP, the AWS APIs) and output (Unix, sessions and command line).

use super::PARENT_VARIABLE;
use crate::cli::admin;
use crate::cli::output::say;
use crate::cli::up::{self, Settings};
use crate::installation::Installation;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// A role that lived this long is restarted at once; one that died sooner waits, longer each time.
const LIVED: Duration = Duration::from_secs(5);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long a role may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// `greeting` is how the word of readiness is broken into lines: for people, or in one line for whoever started us.
pub(crate) fn run(data_dir: &Path, settings: Settings, greeting: Greeting) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let Some(mut lock) = up::lock(&installation)? else { bail!("another Bayplan has just started here") };
    lock.set_len(0)?;
    write!(lock, "{}", std::process::id())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(supervise(&installation, settings, greeting));
    installation.forget_aws_address();
    done.map(|()| ExitCode::SUCCESS)
}

/// Who reads the word of readiness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Greeting {
    /// A person.
    Lines,
    /// `up --detach`: one line, a JSON string.
    OneLine,
}

struct Sockets {
    aws: TcpListener,
    local: UnixListener,
}

fn open_sockets(installation: &Installation, settings: &Settings) -> Result<Sockets> {
    let aws = TcpListener::bind(settings.aws_addr).with_context(|| {
        format!(
            "{} cannot be listened on; choose another address with --aws-addr, or port 0 for any free one",
            settings.aws_addr
        )
    })?;
    installation.write_aws_address(aws.local_addr()?)?;
    let path = installation.socket();
    // The lock is ours, so a socket that is there is a dead one's.
    let _ = std::fs::remove_file(&path);
    let dir = std::fs::File::open(installation.run_dir())?;
    let local = UnixListener::bind(admin::address_in(&dir, &path)?).context("the server's socket cannot be made")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Sockets { aws, local })
}

async fn supervise(installation: &Installation, settings: Settings, greeting: Greeting) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let sockets = open_sockets(installation, &settings)?;
    let mut server = Role::start("server", installation, &settings, Some(&sockets))?;
    let mut agent = Role::start("agent", installation, &settings, None)?;
    let mut is_ready = false;
    loop {
        let ready = async {
            match is_ready {
                false => admin::exchange(installation, "GET", "/v1/ready", &serde_json::Value::Null).await,
                true => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            ended = server.child.wait() => {
                if !is_ready {
                    bail!("the server ended while it started ({}); its words are above", ended?);
                }
                eprintln!("bayplan: the server ended ({}); starting it again", ended?);
                server.restart(installation, &settings, Some(&sockets)).await?;
            }
            ended = agent.child.wait() => {
                if !is_ready {
                    bail!("the agent ended while it started ({}); its words are above", ended?);
                }
                eprintln!("bayplan: the agent ended ({}); starting it again", ended?);
                agent.restart(installation, &settings, None).await?;
            }
            answer = ready => {
                answer?;
                is_ready = true;
                greet(installation, &sockets, greeting)?;
            }
        }
    }
    agent.stop().await;
    server.stop().await;
    Ok(())
}

fn greet(installation: &Installation, sockets: &Sockets, greeting: Greeting) -> Result<()> {
    let data = installation.data_dir.display();
    let is_default = installation.data_dir == Path::new("/var/lib/bayplan");
    let option = if is_default { String::new() } else { format!(" --data-dir {data}") };
    let version = env!("CARGO_PKG_VERSION");
    let address = sockets.aws.local_addr()?;
    let words = format!(
        "Bayplan {version} is ready: AWS APIs at http://{address} (data: {data}).\nNext: eval \"$(bayplan{option} env)\"\n"
    );
    match greeting {
        Greeting::Lines => say(&words),
        Greeting::OneLine => say(&format!("{}\n", serde_json::to_string(&words)?)),
    }
}

struct Role {
    name: &'static str,
    child: Child,
    started: Instant,
    backoff: Duration,
}

impl Role {
    fn start(
        name: &'static str,
        installation: &Installation,
        settings: &Settings,
        sockets: Option<&Sockets>,
    ) -> Result<Self> {
        let child = spawn(name, installation, settings, sockets)?;
        Ok(Self { name, child, started: Instant::now(), backoff: BACKOFF_MIN })
    }

    async fn restart(
        &mut self,
        installation: &Installation,
        settings: &Settings,
        sockets: Option<&Sockets>,
    ) -> Result<()> {
        if self.started.elapsed() < LIVED {
            tokio::time::sleep(self.backoff).await;
            self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        } else {
            self.backoff = BACKOFF_MIN;
        }
        self.child = spawn(self.name, installation, settings, sockets)?;
        self.started = Instant::now();
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            let pid = nix::unistd::Pid::from_raw(pid as i32);
            // It may have ended in this moment.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        if tokio::time::timeout(FAREWELL, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

fn spawn(
    name: &'static str,
    installation: &Installation,
    settings: &Settings,
    sockets: Option<&Sockets>,
) -> Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("bayplan")
        .arg(name)
        .arg("--data-dir")
        .arg(&installation.data_dir)
        .args(settings.to_args())
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .process_group(0);
    match sockets {
        Some(sockets) => {
            command.stdin(Stdio::from(OwnedFd::from(sockets.aws.try_clone()?)));
            command.stdout(Stdio::from(OwnedFd::from(sockets.local.try_clone()?)));
        }
        None => {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
    }
    command.spawn().with_context(|| format!("the {name} cannot be started"))
}
