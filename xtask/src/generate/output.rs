//! The set of files a run makes: formatted together, then written, or compared with what is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

#[derive(Default)]
pub(crate) struct Output {
    files: BTreeMap<PathBuf, String>,
    /// Folders in which every file is ours, so that a file no longer made is removed.
    owned: Vec<PathBuf>,
}

impl Output {
    pub(crate) fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        let path = path.into();
        assert!(self.files.insert(path.clone(), text).is_none(), "{} is made twice", path.display());
    }

    pub(crate) fn own(&mut self, folder: &str) {
        self.owned.push(PathBuf::from(folder));
    }

    /// Puts the Rust files through rustfmt, with the workspace's settings.
    pub(crate) fn format(&mut self, root: &Path) -> anyhow::Result<()> {
        let scratch = root.join(format!("target/generate-{}", std::process::id()));
        let result = self.format_in(root, &scratch);
        std::fs::remove_dir_all(&scratch).ok();
        result
    }

    fn format_in(&mut self, root: &Path, scratch: &Path) -> anyhow::Result<()> {
        let rust: Vec<PathBuf> =
            self.files.keys().filter(|path| path.extension().is_some_and(|end| end == "rs")).cloned().collect();
        let mut command = Command::new("rustfmt");
        command.args(["--edition", "2024", "--config-path"]).arg(root.join("rustfmt.toml"));
        for path in &rust {
            let target = scratch.join(path);
            std::fs::create_dir_all(target.parent().context("has a parent")?)?;
            std::fs::write(&target, &self.files[path])?;
            // From a file outside the owned folders rustfmt finds the others by its `mod` lines.
            if !self.owned.iter().any(|folder| path.starts_with(folder)) {
                command.arg(target);
            }
        }
        let status = command.status().context("start rustfmt")?;
        if !status.success() {
            bail!("rustfmt ended with {status}: the generator wrote code that is not Rust");
        }
        for path in rust {
            let text = std::fs::read_to_string(scratch.join(&path))?;
            self.files.insert(path, text);
        }
        Ok(())
    }

    /// Writes what differs and removes what is no longer made; says how many files changed.
    pub(crate) fn write(&self, root: &Path) -> anyhow::Result<usize> {
        let stale = self.stale(root)?;
        for path in &stale {
            let target = root.join(path);
            match self.files.get(path) {
                Some(text) => {
                    std::fs::create_dir_all(target.parent().context("has a parent")?)?;
                    std::fs::write(&target, text).with_context(|| format!("write {}", target.display()))?;
                }
                None => std::fs::remove_file(&target).with_context(|| format!("remove {}", target.display()))?,
            }
        }
        Ok(stale.len())
    }

    /// Fails with the list of files that differ.
    pub(crate) fn check(&self, root: &Path) -> anyhow::Result<()> {
        let stale = self.stale(root)?;
        if let Some(first) = stale.first() {
            bail!("{} generated files are stale, {} first: run `cargo xtask generate`", stale.len(), first.display());
        }
        Ok(())
    }

    fn stale(&self, root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
        let mut stale = BTreeSet::new();
        for (path, text) in &self.files {
            if std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(text) {
                stale.insert(path.clone());
            }
        }
        for folder in &self.owned {
            for path in files_under(&root.join(folder))? {
                let path = path.strip_prefix(root).context("lies under the root")?.to_path_buf();
                if !self.files.contains_key(&path) {
                    stale.insert(path);
                }
            }
        }
        Ok(stale)
    }
}

fn files_under(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { files.extend(files_under(&path)?) } else { files.push(path) }
        }
    }
    Ok(files)
}
