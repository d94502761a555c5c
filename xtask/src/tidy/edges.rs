//! Which crate may depend on which: the arrows of the design, and what keeps the pure crates pure.

use super::Problem;
use super::packages::{Dependency, Package};

/// Each crate with all crates of ours that it may name. Arrows go down only; an edge that is not here is a defect of the
/// crate or, with a reason in ARCHITECTURE.md, a line that is added here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("policy", &["model"]),
    ("planner", &["model"]),
    ("aws-api", &[]),
    ("aws-protocol", &["aws-api"]),
    ("store", &[]),
    ("records", &["model", "store"]),
    ("identity", &[]),
    ("controllers", &["model", "planner", "records", "session"]),
    ("session", &["model"]),
    ("runtime", &[]),
    ("supervisor", &["runtime"]),
    ("supervisor-image", &[]),
    ("image", &[]),
    ("volume", &[]),
    ("network", &[]),
    ("observe", &[]),
    ("agent", &["model", "session", "runtime", "supervisor-image", "image", "volume", "network"]),
    ("aws-frontend", &["aws-api", "aws-protocol", "identity", "model", "observe", "policy", "records"]),
    (
        "bayplan",
        &[
            "agent",
            "aws-frontend",
            "controllers",
            "identity",
            "image",
            "model",
            "network",
            "observe",
            "planner",
            "records",
            "runtime",
            "session",
            "store",
        ],
    ),
    ("sim", &["controllers", "model", "planner", "records", "session", "store", "test-support"]),
    ("benches", &["aws-protocol", "model", "session", "store"]),
    ("test-support", &["model", "records", "store"]),
    ("xtask", &[]),
];

/// What any crate's tests may use besides.
const FOR_TESTS: &[&str] = &["store", "test-support"];

/// Tests that need a crate above or beside their own: the supervisor's run the very program that is shipped.
const FOR_TESTS_OF: &[(&str, &str)] = &[("supervisor", "supervisor-image")];

/// Crates without I/O, clock or async.
pub(super) const PURE: &[&str] = &["model", "policy", "planner", "aws-api"];

/// The only foreign crates that a pure crate may name: none of them opens, waits or knows the time by itself.
const PURE_MAY_USE: &[&str] =
    &["base64", "foldhash", "imbl", "indexmap", "jiff", "rand", "regex", "serde", "serde_json", "thiserror"];

pub(super) fn check(packages: &[Package]) -> Vec<Problem> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Problem> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("{}: a new crate needs a line in xtask/src/tidy/edges.rs", package.name)];
    };
    package.dependencies.iter().filter_map(|dependency| of_dependency(&package.name, allowed, dependency)).collect()
}

fn of_dependency(package: &str, allowed: &[&str], dependency: &Dependency) -> Option<Problem> {
    let name = dependency.name.as_str();
    if !dependency.is_ours() {
        let taints = PURE.contains(&package) && !dependency.is_for_tests() && !PURE_MAY_USE.contains(&name);
        return taints.then(|| format!("{package}: a pure crate may not depend on {name}"));
    }
    let for_tests = FOR_TESTS.contains(&name) || FOR_TESTS_OF.contains(&(package, name));
    let may = allowed.contains(&name) || (dependency.is_for_tests() && for_tests);
    (!may).then(|| format!("{package} -> {name}: this edge is not in the design"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>, bool)]) -> Package {
        let dependency = |&(name, kind, ours): &(&str, Option<&str>, bool)| Dependency {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            path: ours.then(String::new),
        };
        Package { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
    }

    #[test]
    fn an_arrow_of_the_design_passes() {
        let records = package("records", &[("model", None, true), ("store", None, true), ("tokio", None, false)]);
        assert_eq!(check(&[records]), Vec::<Problem>::new());
    }

    #[test]
    fn an_arrow_upwards_or_sideways_is_refused() {
        let frontend = package("aws-frontend", &[("planner", None, true)]);
        let store = package("store", &[("records", None, true), ("model", Some("build"), true)]);
        assert_eq!(
            check(&[frontend, store]),
            [
                "aws-frontend -> planner: this edge is not in the design",
                "store -> records: this edge is not in the design",
                "store -> model: this edge is not in the design"
            ]
        );
    }

    #[test]
    fn tests_may_use_the_store_and_nothing_else_from_above() {
        let controllers = package("controllers", &[("store", Some("dev"), true), ("agent", Some("dev"), true)]);
        assert_eq!(check(&[controllers]), ["controllers -> agent: this edge is not in the design"]);
        let shipped = package("controllers", &[("store", None, true)]);
        assert_eq!(check(&[shipped]), ["controllers -> store: this edge is not in the design"]);
    }

    #[test]
    fn a_pure_crate_stays_pure_except_in_its_tests() {
        for pure in PURE {
            for taint in ["tokio", "rusqlite", "hyper", "nix", "libc", "rustix"] {
                let problem = format!("{pure}: a pure crate may not depend on {taint}");
                assert_eq!(check(&[package(pure, &[(taint, None, false)])]), [problem]);
            }
            assert!(check(&[package(pure, &[("proptest", Some("dev"), false)])]).is_empty());
        }
    }

    #[test]
    fn a_crate_that_nobody_planned_is_named() {
        let problems = check(&[package("util", &[])]);
        assert_eq!(problems, ["util: a new crate needs a line in xtask/src/tidy/edges.rs"]);
    }

    #[test]
    fn the_table_has_no_cycle() {
        fn reaches(from: &str, to: &str) -> bool {
            let edges = ALLOWED.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, allowed)| allowed);
            edges.iter().any(|next| *next == to || reaches(next, to))
        }
        for (name, _) in ALLOWED {
            assert!(!reaches(name, name), "{name} can reach itself");
        }
    }
}
