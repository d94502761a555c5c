//! What an agent is told when it starts.

use model::Node;
use std::path::PathBuf;

/// Where an agent lives and whom it serves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The installation's data folder.
    pub data_dir: PathBuf,
    /// Eight hex digits; part of every name on the host.
    pub instance: String,
    /// The server's Unix socket.
    pub server_socket: PathBuf,
    /// What this machine says of itself.
    pub node: Node,
}

impl Config {
    /// What belongs to running Units and is worthless after a reboot.
    pub fn run_dir(&self) -> PathBuf {
        self.data_dir.join("run")
    }
    pub fn units_dir(&self) -> PathBuf {
        self.run_dir().join("units")
    }
    /// Writable layers of containers.
    pub fn scratch_dir(&self) -> PathBuf {
        self.data_dir.join("scratch")
    }
    /// The lowest layer of every container: what something is mounted on in each, so that writable layers need not have it.
    pub fn mountpoints_dir(&self) -> PathBuf {
        self.data_dir.join("mountpoints")
    }
    pub fn logs_dir(&self) -> PathBuf {
        self.data_dir.join("logs")
    }
    pub fn images_dir(&self) -> PathBuf {
        self.data_dir.join("images")
    }
    pub fn volumes_dir(&self) -> PathBuf {
        self.data_dir.join("volumes")
    }
}
