//! `bayplan env`: what clients have to know, for a shell or for a script; touches no dot-file.

use super::output;
use super::{Fault, admin};
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use identity::Keys;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Env {
    #[arg(long, value_enum, default_value = "shell")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum, Debug)]
enum Format {
    Shell,
    Json,
}

/// The JSON form; keys are stable.
#[derive(Serialize)]
struct Settings {
    #[serde(flatten)]
    set: std::collections::BTreeMap<&'static str, String>,
    unset: [&'static str; 2],
    /// The default VPC, as the running server has it; null while none runs.
    network: Option<serde_json::Value>,
}

/// Variables that would override ours.
const UNSET: [&str; 2] = ["AWS_SESSION_TOKEN", "AWS_PROFILE"];

pub(crate) fn run(data_dir: &Path, env: &Env) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let identity = installation.existing_identity()?;
    let keys = Keys::open(&installation.keys_file())?;
    let Some(address) = installation.aws_address() else {
        return Err(Fault::Unreachable.because("Bayplan is not running; start it with: bayplan up --detach"));
    };
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let set = [
        ("AWS_ENDPOINT_URL", format!("http://{host}:{}", address.port())),
        ("AWS_ACCESS_KEY_ID", keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ("AWS_REGION", identity.region.clone()),
        ("AWS_DEFAULT_REGION", identity.region),
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".to_owned()),
        ("NO_PROXY", no_proxy(&host)),
    ];
    match env.format {
        Format::Shell => {
            let exports: String = set.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
            output::say(&format!("{exports}unset {}\n", UNSET.join(" ")))?;
        }
        Format::Json => {
            let network = admin::get(&installation, "/v1/network").ok();
            output::json(&Settings { set: set.into_iter().collect(), unset: UNSET, network })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is set already stays; our host is added.
fn no_proxy(host: &str) -> String {
    let mut hosts: Vec<String> = std::env::var("NO_PROXY").unwrap_or_default().split(',').map(str::to_owned).collect();
    hosts.retain(|h| !h.is_empty());
    for ours in [host, "localhost", "127.0.0.1"] {
        if !hosts.iter().any(|h| h == ours) {
            hosts.push(ours.to_owned());
        }
    }
    hosts.join(",")
}
