//! An actor's memory on disk: what its Unit is and how far it has come; written before it matters, read after a crash.

use model::Timestamp;
use model::unit::{ContainerState, Health, Observed, StopCause};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session::Assignment;
use std::fs::{self, OpenOptions};
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
        let (next, current) = (dir.join("journal.next"), dir.join(FILE));
        // Two files that change places: a rename over a file, and a file cut to nothing, make ext4 begin to write at once what
        // is hardly ever to reach the disk.
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&next)?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)?;
        match renameat_with(CWD, &next, CWD, &current, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            // The first time there is nothing to change places with; some file systems cannot do it.
            Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => fs::rename(&next, &current),
            Err(error) => Err(error.into()),
        }
    }

    /// None where no journal is, or where one was never finished.
    pub(crate) fn load(dir: &Path) -> Option<Self> {
        parse(&fs::read(dir.join(FILE)).ok()?)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_read_however_long_it_was_before() {
        let dir = tempfile::tempdir().unwrap();
        let assignment = serde_json::json!({
            "unit": test_support::Wish::default().unit("1", Timestamp::default()),
            "spec": test_support::Wish::default().spec(),
            "revision": 1,
        });
        let mut journal = Journal::new(serde_json::from_value(assignment).unwrap());
        for (sequence, length) in [(1, 10), (2, 1000), (3, 0), (4, 100), (5, 1)] {
            journal.sequence = sequence;
            journal.containers = vec![Container { reason: Some("x".repeat(length)), ..Container::default() }];
            journal.save(dir.path()).unwrap();
            let read = Journal::load(dir.path()).unwrap();
            assert_eq!((read.sequence, read.containers[0].reason.clone().unwrap().len()), (sequence, length));
        }
    }

    #[test]
    fn one_that_was_never_finished_is_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal.next"), "{").unwrap();
        assert!(Journal::load(dir.path()).is_none());
    }
}
