//! `cargo xtask tidy`: the house rules that no compiler knows; one module per kind of rule, each a pure function with tests.

mod docs;
mod edges;
mod packages;
mod rust;
mod tree;
mod words;

use crate::generate;
use packages::Package;
use std::path::Path;
use tree::SourceFile;

/// A broken rule: where, and in a sentence what.
type Problem = String;

/// Checks the whole checkout; says every broken rule before it fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let files = tree::read(root)?;
    let packages = packages::read(root)?;
    for report in rust::long_files(&files) {
        println!("tidy: {report}");
    }
    let problems = check(root, &files, &packages);
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    generate::run(root, &["--check"])?;
    if !problems.is_empty() {
        anyhow::bail!("{} house rules are broken", problems.len());
    }
    println!("tidy: {} files and {} crates keep the house rules", files.len(), packages.len());
    Ok(())
}

fn check(root: &Path, files: &[SourceFile], packages: &[Package]) -> Vec<Problem> {
    let mut problems = edges::check(packages);
    problems.extend(files.iter().flat_map(rust::check));
    problems.extend(files.iter().flat_map(words::check));
    problems.extend(docs::check(root, files, packages));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_checkout_keeps_the_house_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root");
        let files = tree::read(root).expect("the checkout can be read");
        let packages = packages::read(root).expect("cargo describes the workspace");
        assert_eq!(check(root, &files, &packages), Vec::<Problem>::new());
    }
}
