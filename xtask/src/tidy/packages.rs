//! The workspace's crates and what each manifest names, as cargo understands them.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// A crate of the workspace.
#[derive(Deserialize, Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependencies.
#[derive(Deserialize, Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `None` in `[dependencies]`, else "dev" or "build".
    pub(super) kind: Option<String>,
    /// Set where the other crate is one of ours.
    pub(super) path: Option<String>,
}

impl Dependency {
    pub(super) fn is_ours(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo
        .current_dir(root)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .context("cargo cannot be run")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not understood")?;
    Ok(metadata.packages)
}
