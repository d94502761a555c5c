//! `bayplan exec`: runs a program in a running container, with a terminal when there is one.

use super::stream;
use crate::installation::Installation;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Exec {
    /// The task: an id, the beginning of one, or an ARN
    task: String,
    /// The container, where the task has several
    #[arg(long, short)]
    container: Option<String>,
    /// As this user of the container
    #[arg(long, short)]
    user: Option<String>,
    /// In this folder of the container
    #[arg(long, short)]
    workdir: Option<String>,
    /// No terminal, even when this is one
    #[arg(long)]
    no_tty: bool,
    /// The program and its arguments, after --
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub(crate) fn run(data_dir: &Path, exec: &Exec) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let tty = !exec.no_tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let question = json!({
        "kind": "exec",
        "unit": exec.task,
        "container": exec.container,
        "command": exec.command,
        "user": exec.user,
        "working_dir": exec.workdir,
        "env": if tty { vec![("TERM", std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()))] } else { Vec::new() },
        "tty": tty,
        "stdin": true,
    });
    stream::exec(&installation, &question, tty)
}
