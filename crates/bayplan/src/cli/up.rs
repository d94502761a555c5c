//! `bayplan up`: checks, makes the installation if there is none, starts the parent, waits until everything is ready.

use super::Fault;
use super::output::say;
use crate::installation::{Identity, Installation, random_hex};
use anyhow::{Context, Result, bail};
use clap::Args;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

#[derive(Args, Clone, Debug)]
pub(crate) struct Up {
    /// Return once Bayplan is ready, and leave it running
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub settings: Settings,
}

/// What may be set for one run, and for the installation when it is made.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Where the AWS APIs answer; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "IP:PORT")]
    pub aws_addr: SocketAddr,
    /// The AWS region this installation is (default: us-east-1)
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The AWS account this installation is (default: 000000000000)
    #[arg(long, value_name = "N", value_parser = account_id)]
    pub account_id: Option<String>,
    /// What this machine registers, e.g. cpu=4096,memory=8192 (CPU units, MiB)
    #[arg(long, value_name = "cpu=N,memory=N")]
    pub capacity: Option<Capacity>,
    /// The /16 that tasks get addresses from (default: the first free one from 10.42.0.0/16 on)
    #[arg(long, value_name = "CIDR")]
    pub network_cidr: Option<String>,
    /// How long a stopped task stays describable, in hours
    #[arg(long, default_value_t = 168, value_name = "HOURS")]
    pub keep_stopped: u64,
    /// How long a service's task without a health check runs before it counts as healthy, in seconds
    #[arg(long, default_value_t = 40, value_name = "SECONDS")]
    pub healthy_after: u64,
    /// error, warn, info, debug or trace
    #[arg(long, default_value = "info", value_name = "L")]
    pub log_level: String,
}

/// An override of what the machine has.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Capacity {
    pub cpu: Option<u64>,
    pub memory: Option<u64>,
}

impl std::str::FromStr for Capacity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut capacity = Capacity::default();
        for part in text.split(',') {
            let wrong = || format!("\"{part}\" is neither cpu=N (CPU units, 1024 a core) nor memory=N (MiB)");
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let value: u64 = value.trim().parse().ok().filter(|v| *v > 0).ok_or_else(wrong)?;
            match name.trim() {
                "cpu" => capacity.cpu = Some(value),
                "memory" => capacity.memory = Some(value),
                _ => return Err(wrong()),
            }
        }
        Ok(capacity)
    }
}

impl std::fmt::Display for Capacity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("cpu", self.cpu), ("memory", self.memory)];
        let said: Vec<String> = parts.iter().filter_map(|(n, v)| v.map(|v| format!("{n}={v}"))).collect();
        f.write_str(&said.join(","))
    }
}

fn account_id(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { Ok(text.to_owned()) } else { Err("an AWS account id has twelve digits".to_owned()) }
}

impl Settings {
    /// The same settings as arguments for a process that `up` starts.
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args =
            vec!["--aws-addr".to_owned(), self.aws_addr.to_string(), "--log-level".to_owned(), self.log_level.clone()];
        args.extend(["--keep-stopped".to_owned(), self.keep_stopped.to_string()]);
        args.extend(["--healthy-after".to_owned(), self.healthy_after.to_string()]);
        if let Some(capacity) = &self.capacity {
            args.extend(["--capacity".to_owned(), capacity.to_string()]);
        }
        args
    }
}

pub(crate) fn run(data_dir: &Path, up: Up) -> Result<ExitCode> {
    must_be_root(data_dir)?;
    let installation = Installation::at(data_dir)?;
    installation.create_folders()?;
    super::doctor::must_be_able(&installation)?;
    let Some(lock) = lock(&installation)? else { return already_running(&installation) };
    identify(&installation, &up.settings)?;
    if up.detach {
        // The parent takes the lock anew; nobody else can slip in between, since a second `up` would find it ready or wait.
        drop(lock);
        detach(&installation, &up.settings)
    } else {
        drop(lock);
        let settings = up.settings;
        crate::roles::parent::run(data_dir, settings, crate::roles::parent::Greeting::Lines)
    }
}

fn must_be_root(data_dir: &Path) -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let program = std::env::current_exe().map_or_else(|_| "bayplan".to_owned(), |p| p.display().to_string());
    Err(Fault::Denied
        .because(format!("starting containers needs root. Type: sudo {program} --data-dir {} up", data_dir.display())))
}

/// The installation's lock; None while another Bayplan runs here.
pub(crate) fn lock(installation: &Installation) -> Result<Option<Flock<File>>> {
    let path = installation.lock_file();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno).with_context(|| format!("{} cannot be locked", path.display())),
    }
}

fn already_running(installation: &Installation) -> Result<ExitCode> {
    let endpoint = installation.aws_address().map_or_else(String::new, |a| format!(" at http://{a}"));
    say(&format!("Bayplan is already running{endpoint} (data: {}).\n", installation.data_dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the installation, or checks that what is asked for is what it is.
fn identify(installation: &Installation, settings: &Settings) -> Result<Identity> {
    if let Some(known) = installation.identity()? {
        let asked =
            [("--region", &settings.region, &known.region), ("--account-id", &settings.account_id, &known.account_id)];
        for (flag, wanted, has) in asked {
            if wanted.as_ref().is_some_and(|w| w != has) {
                bail!(
                    "this installation was made with {flag} {has}, which cannot change; use another --data-dir, or `bayplan down --purge` first"
                );
            }
        }
        return Ok(known);
    }
    let identity = Identity {
        instance: random_hex(4),
        node: random_hex(16),
        account_id: settings.account_id.clone().unwrap_or_else(|| "000000000000".to_owned()),
        region: settings.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        network_base: choose_network(installation, settings)?,
    };
    installation.write_identity(&identity)?;
    Ok(identity)
}

fn choose_network(installation: &Installation, settings: &Settings) -> Result<Ipv4Addr> {
    let asked = settings.network_cidr.as_deref();
    let preferred: network::Cidr = asked.unwrap_or("10.42.0.0/16").parse()?;
    if preferred.prefix_len() != 16 {
        bail!("--network-cidr must be a /16, for example 10.42.0.0/16");
    }
    let instance: network::InstanceId = random_hex(4).parse()?;
    let routes = network::Host::open(instance, installation.run_dir().join("net"))?.routes()?;
    if asked.is_some() {
        network::check_range(preferred, &routes)?;
        return Ok(preferred.address());
    }
    Ok(network::choose_range(preferred, &routes)?.address())
}

/// Starts the parent in its own session and waits for its word.
fn detach(installation: &Installation, settings: &Settings) -> Result<ExitCode> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(installation.log_file());
    let log = log.with_context(|| format!("{} cannot be written", installation.log_file().display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg0("bayplan")
        .arg("parent")
        .arg("--data-dir")
        .arg(&installation.data_dir)
        .args(settings.to_args())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    let mut parent = command.spawn().context("Bayplan cannot be started")?;
    let mut line = String::new();
    if let Some(pipe) = parent.stdout.take() {
        BufReader::new(pipe).read_line(&mut line)?;
    }
    if line.is_empty() {
        let status = parent.wait()?;
        bail!("Bayplan ended while it started ({status}). Its last words:\n{}", last_lines(&installation.log_file()));
    }
    say(&serde_json::from_str::<String>(&line).context("Bayplan said something else than that it is ready")?)?;
    Ok(ExitCode::SUCCESS)
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].iter().map(|l| format!("  {l}\n")).collect()
}
