//! `bayplan doctor`: what this machine and this installation lack, each with the next step; changes nothing.

use super::output::{self, Format};
use super::{admin, up};
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// One thing that was looked at; the JSON keys are stable.
#[derive(Serialize, Debug)]
struct Finding {
    check: &'static str,
    ok: bool,
    /// What was seen.
    found: String,
    /// What to do about it; None when all is well.
    fix: Option<String>,
}

/// Less free space than this, in MiB, is a finding.
const FREE_MIB: u64 = 512;

pub(crate) fn run(data_dir: &Path, doctor: &Doctor) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let mut findings = vec![root(), cgroups(), network(), overlay(), disk(&installation)];
    findings.extend(running(&installation));
    let all_well = findings.iter().all(|f| f.ok);
    match doctor.output {
        Format::Json => output::json(&findings)?,
        Format::Table => {
            let mut text = String::new();
            for finding in &findings {
                let mark = if finding.ok { "ok  " } else { "FAIL" };
                text.push_str(&format!("{mark}  {:<9} {}\n", finding.check, finding.found));
                if let Some(fix) = &finding.fix {
                    text.push_str(&format!("                {fix}\n"));
                }
            }
            output::say(&text)?;
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses to start where the machine lacks something, in the words of the finding.
pub(super) fn must_be_able(installation: &Installation) -> Result<()> {
    match [cgroups(), network(), overlay(), disk(installation)].into_iter().find(|f| !f.ok) {
        None => Ok(()),
        Some(finding) => {
            anyhow::bail!("{}: {}. {}", finding.check, finding.found, finding.fix.unwrap_or_default())
        }
    }
}

fn well(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, ok: true, found: found.into(), fix: None }
}

fn ill(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { check, ok: false, found: found.into(), fix: Some(fix.into()) }
}

fn root() -> Finding {
    match nix::unistd::geteuid().is_root() {
        true => well("privilege", "running as root"),
        false => ill("privilege", "not running as root", "start it with: sudo bayplan up"),
    }
}

fn cgroups() -> Finding {
    match runtime::cgroup::Host::probe() {
        Ok(host) => {
            let needed = ["memory", "cpu", "pids"];
            let missing: Vec<&str> = needed.into_iter().filter(|c| host.controller(c).is_none()).collect();
            let layout = format!("{:?}", host.layout()).to_lowercase();
            match missing.is_empty() {
                true => well("cgroups", format!("layout {layout}, with memory, cpu and pids")),
                false => ill(
                    "cgroups",
                    format!("layout {layout}, without {}", missing.join(", ")),
                    "enable these controllers on the kernel's command line (cgroup_enable=memory)",
                ),
            }
        }
        Err(error) => ill("cgroups", error.to_string(), "mount the control groups below /sys/fs/cgroup"),
    }
}

fn network() -> Finding {
    match network::probe() {
        Ok(()) => well("network", "namespaces, veth, bridges, nftables"),
        Err(error) => ill("network", error.to_string(), "see the words above; a container host needs all of these"),
    }
}

fn overlay() -> Finding {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    match known.lines().any(|line| line.split_whitespace().last() == Some("overlay")) {
        true => well("overlay", "the kernel has overlayfs"),
        false => ill("overlay", "the kernel has no overlayfs", "load it with: modprobe overlay"),
    }
}

fn disk(installation: &Installation) -> Finding {
    let mut place = installation.data_dir.as_path();
    while !place.exists() {
        match place.parent() {
            Some(parent) => place = parent,
            None => break,
        }
    }
    match nix::sys::statvfs::statvfs(place) {
        Ok(stat) => {
            let free_mib = (stat.blocks_available() * stat.fragment_size()) >> 20;
            let found = format!("{free_mib} MiB free at {}", place.display());
            match free_mib >= FREE_MIB {
                true => well("disk", found),
                false => ill("disk", found, format!("free at least {FREE_MIB} MiB, or choose another --data-dir")),
            }
        }
        Err(errno) => ill("disk", format!("{} cannot be read: {errno}", place.display()), "choose another --data-dir"),
    }
}

/// What a running Bayplan says of itself, and what a dead one has left.
fn running(installation: &Installation) -> Vec<Finding> {
    let Ok(Some(identity)) = installation.identity() else {
        return vec![well("instance", format!("none yet in {}", installation.data_dir.display()))];
    };
    if matches!(up::lock(installation), Ok(Some(_)) | Err(_)) {
        let leftovers = identity
            .instance
            .parse()
            .and_then(|id| network::Host::open(id, installation.run_dir().join("net")))
            .and_then(|host| host.leftovers())
            .unwrap_or_default();
        return vec![match leftovers.is_empty() {
            true => well("instance", "not running; nothing of it is on the host"),
            false => ill(
                "instance",
                format!("not running, but on the host: {}", leftovers.join(", ")),
                "bayplan up goes on with it; bayplan down removes it",
            ),
        }];
    }
    match admin::get(installation, "/v1/check") {
        Ok(check) => {
            let broken: Vec<String> = check["brokenInvariants"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|b| b.as_str().map(str::to_owned))
                .collect();
            let nodes = check["nodes"].as_array().cloned().unwrap_or_default();
            let absent = nodes.iter().filter(|n| n["connected"] != true).count();
            vec![
                match broken.is_empty() {
                    true => well(
                        "records",
                        format!(
                            "consistent at revision {}, {} KiB",
                            check["revision"],
                            check["storeBytes"].as_u64().unwrap_or(0) >> 10
                        ),
                    ),
                    false => ill(
                        "records",
                        broken.join("; "),
                        "this is a defect of Bayplan: please report it with this output",
                    ),
                },
                match absent {
                    0 => well("nodes", format!("{} connected", nodes.len())),
                    _ => ill(
                        "nodes",
                        format!("{absent} of {} not connected", nodes.len()),
                        format!("look into {}", installation.log_file().display()),
                    ),
                },
            ]
        }
        Err(error) => vec![ill(
            "instance",
            format!("it runs, but its server does not answer: {error:#}"),
            format!("look into {}", installation.log_file().display()),
        )],
    }
}
