//! Rules for every text file: nothing that is true on one machine only, and no package registry's host.

use super::Problem;
use super::tree::SourceFile;

/// Beginnings of paths that exist on somebody's machine and not on the next one.
const MACHINE_PATHS: &[&str] = &["/work/", "/home/", "/Users/", "/tmp/bash"];

/// A user of the images that tests make: a path inside a container.
const IN_A_CONTAINER: &str = "/home/app";

/// Package clients know their registries; a file that names one breaks behind a mirror. Names of images are no hosts here.
const REGISTRIES: &[&str] = &[
    "pypi.org",
    "pythonhosted.org",
    "crates.io/",
    "deb.debian.org",
    "static.rust-lang.org",
    "proxy.golang.org",
    "registry.npmjs.org",
    "registry-1.docker.io",
];

/// Where such words are the subject: the rules, a licence's text, and what cargo writes.
const EXEMPT: &[&str] = &["xtask/src/tidy/words.rs", "LICENSE", "NOTICE", "Cargo.lock", "deny.toml"];

pub(super) fn check(file: &SourceFile) -> Vec<Problem> {
    if EXEMPT.contains(&file.path.as_str()) || file.path.starts_with("models/") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(&line.replace(IN_A_CONTAINER, ""), path)) {
            problems.push(format!("{}:{}: {path}… is a path of one machine", file.path, at + 1));
        }
        if let Some(host) = REGISTRIES.iter().find(|host| line.contains(**host)) {
            problems.push(format!("{}:{}: {host} is a registry's host", file.path, at + 1));
        }
    }
    problems
}

/// Whether an absolute path begins so; a path inside a longer one does not count.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}$".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(line: &str) -> Vec<Problem> {
        check(&SourceFile { path: "docs/x.md".to_owned(), text: format!("ok\n{line}\n") })
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        assert_eq!(problems("see /work/main/x"), ["docs/x.md:2: /work/… is a path of one machine"]);
        assert_eq!(problems("`/home/me/x`").len(), 1);
    }

    #[test]
    fn a_path_inside_a_folder_is_not() {
        assert!(problems("overlay has upper/work/inner and $dir/work/x").is_empty());
        assert!(problems("data lies in /var/lib/bayplan, and app:/home/app:/bin/sh is a container's").is_empty());
    }

    #[test]
    fn a_registry_is_found_and_an_image_name_is_not() {
        assert_eq!(problems("pip --index-url x.pypi.org").len(), 1);
        assert!(problems("docker.io/library/app:1 and quay.io/a/b").is_empty());
    }
}
