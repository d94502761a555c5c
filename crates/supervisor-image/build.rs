//! Builds the supervisor as a program of its own: static musl, fixed address, small; a nested cargo in its own target
//! folder, because its code model and panic strategy differ from those of the binary that embeds it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let crates = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let root = crates.join("..").canonicalize().expect("the crate lies two folders below the workspace");
    for watched in ["runtime/src", "runtime/Cargo.toml", "supervisor/src", "supervisor/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", crates.join(watched).display());
    }
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let target = format!("{arch}-unknown-linux-musl");
    // Outside `target/<profile>`, so that debug and release builds share it; an own folder, so that the nested cargo
    // never waits for the lock that the outer one holds.
    let target_dir = root.join("target").join("supervisor");

    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    cargo
        .current_dir(&root)
        .args(["build", "--quiet", "--release", "--package", "supervisor", "--bin", "supervisor", "--target", &target])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C relocation-model=static -C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // What the outer cargo (or clippy) has set for this very build would steer the inner one.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC"];
        let steers = text.starts_with("CARGO_CFG_") || text.starts_with("CARGO_FEATURE_") || text.ends_with("_WRAPPER");
        if steers || inherited.contains(&&*text) {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().expect("cargo runs: it runs this script");
    assert!(status.success(), "the supervisor does not build; is the target there? rustup target add {target}");

    let program = target_dir.join(&target).join("release").join("supervisor");
    println!("cargo::rustc-env=SUPERVISOR_PROGRAM={}", program.display());
}
