//! The project's automation: `cargo xtask <command>`; one module per command, no logic here.

mod generate;
mod tidy;

use std::path::{Path, PathBuf};

const USAGE: &str = "usage: cargo xtask <command>

  generate                  models/aws -> crates/aws-api and docs/compat (offline)
  generate --check          fail when the committed files differ from what `generate` makes
  generate models [SOURCE]  botocore -> models/aws; SOURCE is a wheel or a site-packages folder,
                            else ./.venv, else `pip download`
  tidy                      fail where a house rule is broken: edges between crates, sizes, words, freshness";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", rest @ ..] => generate::run(&root(), rest),
        ["tidy"] => tidy::run(&root()),
        _ => anyhow::bail!("{USAGE}"),
    }
}

/// The checkout this binary was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
