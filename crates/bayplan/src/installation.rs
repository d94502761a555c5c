//! An installation: its data folder, what was decided when it was made, and where its processes meet.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What never changes once an installation exists.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Identity {
    /// Eight hex digits; part of every name on the host.
    pub instance: String,
    /// This machine's node id.
    pub node: String,
    pub account_id: String,
    pub region: String,
    /// The base of the /16 that tasks get addresses from.
    pub network_base: Ipv4Addr,
}

/// A data folder.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub data_dir: PathBuf,
}

impl Installation {
    pub(crate) fn at(data_dir: &Path) -> Result<Self> {
        let data_dir = std::path::absolute(data_dir).context("the data folder's path cannot be read")?;
        Ok(Self { data_dir })
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.data_dir.join("run")
    }
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.data_dir.join("lock")
    }
    /// Where the agent and the command line meet the server.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().join("server.sock")
    }
    pub(crate) fn log_file(&self) -> PathBuf {
        self.data_dir.join("bayplan.log")
    }
    pub(crate) fn keys_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }
    pub(crate) fn images_dir(&self) -> PathBuf {
        self.data_dir.join("images")
    }
    fn identity_file(&self) -> PathBuf {
        self.data_dir.join("installation.json")
    }
    fn address_file(&self) -> PathBuf {
        self.run_dir().join("aws-addr")
    }

    /// What was decided when the installation was made; None if there is none here.
    pub(crate) fn identity(&self) -> Result<Option<Identity>> {
        let path = self.identity_file();
        match fs::read(&path) {
            Ok(bytes) => {
                let identity = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged; `bayplan down --purge` starts afresh", path.display()))?;
                Ok(Some(identity))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    pub(crate) fn existing_identity(&self) -> Result<Identity> {
        match self.identity()? {
            Some(identity) => Ok(identity),
            None => bail!("there is no Bayplan in {}; start one with: bayplan up", self.data_dir.display()),
        }
    }

    pub(crate) fn create_folders(&self) -> Result<()> {
        for dir in [self.data_dir.clone(), self.run_dir()] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .with_context(|| format!("the folder {} cannot be made", dir.display()))?;
        }
        Ok(())
    }

    pub(crate) fn write_identity(&self, identity: &Identity) -> Result<()> {
        let path = self.identity_file();
        replace(&path, &serde_json::to_vec_pretty(identity)?)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The process that holds the lock, as it has written itself down.
    pub(crate) fn parent_pid(&self) -> Option<i32> {
        fs::read_to_string(self.lock_file()).ok()?.trim().parse().ok()
    }

    /// Where the AWS APIs answer, as the running server has said.
    pub(crate) fn aws_address(&self) -> Option<SocketAddr> {
        fs::read_to_string(self.address_file()).ok()?.trim().parse().ok()
    }

    pub(crate) fn write_aws_address(&self, address: SocketAddr) -> Result<()> {
        replace(&self.address_file(), address.to_string().as_bytes()).context("the endpoint cannot be written down")
    }

    pub(crate) fn forget_aws_address(&self) {
        // Not there is as good as removed.
        let _ = fs::remove_file(self.address_file());
    }
}

/// Eight or more random hex digits.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0u8; bytes];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    hex::encode(random)
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension("next");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(next, path)
}
