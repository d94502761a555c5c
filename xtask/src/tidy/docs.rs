//! Rules for the documents: every crate has its place in ARCHITECTURE.md, and a path that is named exists.

use super::Problem;
use super::packages::Package;
use super::tree::SourceFile;
use std::path::Path;

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// A word in backticks that begins so is a path from the root.
const ROOTS: &[&str] = &["crates/", "docs/", "models/", "scripts/", "tests/", "xtask/", "benches/"];

pub(super) fn check(root: &Path, files: &[SourceFile], packages: &[Package]) -> Vec<Problem> {
    let mut problems = undocumented(files, packages);
    let documents = files.iter().filter(|f| f.path.ends_with(".md"));
    for document in documents {
        for path in named_paths(&document.text).into_iter().filter(|path| !root.join(path).exists()) {
            problems.push(format!("{}: `{path}` does not exist", document.path));
        }
    }
    problems
}

fn undocumented(files: &[SourceFile], packages: &[Package]) -> Vec<Problem> {
    let Some(architecture) = files.iter().find(|f| f.path == ARCHITECTURE) else {
        return vec![format!("{ARCHITECTURE} is missing")];
    };
    let names = packages.iter().map(|package| &package.name);
    let missing = names.filter(|name| !architecture.text.contains(&format!("`{name}`")));
    missing.map(|name| format!("{ARCHITECTURE}: the crate `{name}` has no place in it")).collect()
}

/// Paths in backticks; one with a placeholder or a pattern names no file.
fn named_paths(text: &str) -> Vec<&str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let named = quoted.filter(|word| ROOTS.iter().any(|root| word.starts_with(root)));
    named.filter(|word| !word.contains(['<', '*', '{', ' ', '…'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_crate_without_a_place_is_named() {
        let package = |name: &str| Package { name: name.to_owned(), dependencies: Vec::new() };
        let files = [file(ARCHITECTURE, "`model` and `store`, storehouse")];
        let problems = undocumented(&files, &[package("model"), package("house")]);
        assert_eq!(problems, ["ARCHITECTURE.md: the crate `house` has no place in it"]);
        assert_eq!(undocumented(&[], &[]), ["ARCHITECTURE.md is missing"]);
    }

    #[test]
    fn a_path_that_is_named_must_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root");
        let files = [file(ARCHITECTURE, ""), file("README.md", "see `xtask/src/main.rs` and `crates/none/x.rs`")];
        assert_eq!(check(root, &files, &[]), ["README.md: `crates/none/x.rs` does not exist"]);
    }

    #[test]
    fn a_pattern_is_no_path() {
        assert!(named_paths("`crates/<name>/src`, `cargo test`, crates/x").is_empty());
    }
}
