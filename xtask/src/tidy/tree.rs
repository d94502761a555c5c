//! The files of a checkout that people read: what is built or fetched is left out.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// A text file, by its path from the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Made by a program, as its first line says.
    pub(super) fn is_generated(&self) -> bool {
        self.text.lines().next().is_some_and(|line| line.contains("@generated"))
    }

    /// The crate's folder name, for a file below `crates/`.
    pub(super) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// Folders that hold nothing handwritten; a name with a dot in front is one of these unless listed in [`DOTTED`].
const SKIPPED: &[&str] = &["target", "dist", "__pycache__"];
const DOTTED: &[&str] = &[".ci", ".cargo"];

pub(super) fn read(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && !is_skipped(&name) {
                folders.push(entry.path());
            } else if kind.is_file() && name != ".git" {
                files.extend(read_text(root, entry.path())?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_skipped(name: &str) -> bool {
    SKIPPED.contains(&name) || (name.starts_with('.') && !DOTTED.contains(&name))
}

/// None for what is no text, or has gone while the tree was walked.
fn read_text(root: &Path, path: PathBuf) -> anyhow::Result<Option<SourceFile>> {
    let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    let path = path.strip_prefix(root).context("lies below the root")?.to_string_lossy().into_owned();
    Ok(Some(SourceFile { path, text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_or_fetched_is_no_source() {
        for skipped in ["target", "dist", ".git", ".venv", ".bayplan", "__pycache__"] {
            assert!(is_skipped(skipped), "{skipped}");
        }
        for kept in ["crates", ".ci", ".cargo", "tests"] {
            assert!(!is_skipped(kept), "{kept}");
        }
    }
}
