//! An actor's memory on disk: what its Unit is and how far it has come; written before it matters, read after a crash.

use model::Timestamp;
use model::unit::{ContainerState, Health, Observed, StopCause};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session::Assignment;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;

const FILE: &str = "journal.json";

/// Everything an agent has to know of a Unit to go on with it.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Journal {
    pub assignment: Assignment,
    /// Of the newest observation.
    pub sequence: u64,
    pub observed: Observed,
    /// In the order of the spec's containers.
    pub containers: Vec<Container>,
    /// Set once: from here on the Unit only ends.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// Published ports to take back at the end.
    #[serde(default)]
    pub published: Vec<Published>,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Stop {
    pub cause: StopCause,
    pub reason: String,
    pub since: Timestamp,
    #[serde(default)]
    pub grace_s: Option<u32>,
}

/// One container's progress.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
pub(crate) struct Container {
    /// Counts from 1; 0 was never tried.
    pub attempt: u32,
    pub runtime_id: String,
    pub state: ContainerState,
    #[serde(default)]
    pub image_digest: Option<String>,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub oom_killed: bool,
    /// It could not be started, or its end needs words.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub failed: bool,
    #[serde(default)]
    pub health: Option<Health>,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    #[serde(default)]
    pub log_drops: u64,
    /// As signal number, from the image or SIGTERM.
    #[serde(default)]
    pub stop_signal: i32,
    /// It is between two attempts.
    #[serde(default)]
    pub restarting: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Published {
    pub container: String,
    pub address: Ipv4Addr,
    pub container_port: u16,
    pub host_port: u16,
    pub protocol: model::unit::spec::Protocol,
}

impl Journal {
    pub(crate) fn new(assignment: Assignment) -> Self {
        let containers = assignment.spec.containers.iter().map(|_| Container::default()).collect();
        Self { assignment, sequence: 0, observed: Observed::default(), containers, stop: None, published: Vec::new() }
    }

    /// Replaces the file at once: a killed agent leaves the old or the new one. No sync: a reboot ends the Unit anyway.
    pub(crate) fn save(&self, dir: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        let next = dir.join("journal.next");
        File::create(&next)?.write_all(&bytes)?;
        fs::rename(&next, dir.join(FILE))
    }

    /// None where no journal is, or where one was never finished.
    pub(crate) fn load(dir: &Path) -> Option<Self> {
        parse(&fs::read(dir.join(FILE)).ok()?)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
