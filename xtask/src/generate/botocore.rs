//! Finds botocore's service models: in a wheel, in an unpacked site-packages folder, or by `pip download`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::de::DeserializeOwned;

use super::model::{Model, Pagination, Provenance, Waiters};
use super::selection::read_json;

/// A folder that holds the `botocore` package.
pub(crate) struct Source {
    packages: PathBuf,
    version: String,
}

impl Source {
    /// `given` is a wheel or a site-packages folder; without it ./.venv is tried, then the package index.
    pub(crate) fn find(root: &Path, given: Option<&Path>, version: &str) -> anyhow::Result<Self> {
        let packages = match given {
            Some(path) if path.is_dir() => path.to_path_buf(),
            Some(path) => unpack(root, path, version)?,
            None => match installed(root, version) {
                Some(folder) => folder,
                None => unpack(root, &download(root, version)?, version)?,
            },
        };
        let found = packages.join(format!("botocore-{version}.dist-info"));
        ensure!(
            found.is_dir(),
            "{} is not botocore {version}, which models/aws/selection.json names",
            packages.display()
        );
        Ok(Self { packages, version: version.to_owned() })
    }

    /// The newest version of a service's model, whole.
    pub(crate) fn read(&self, service: &str) -> anyhow::Result<Model> {
        let folder = self.packages.join("botocore/data").join(service);
        let newest = std::fs::read_dir(&folder)
            .with_context(|| format!("read {}", folder.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.is_dir())
            .max()
            .with_context(|| format!("{} has no model", folder.display()))?;
        let mut model: Model = read_gzip(&newest.join("service-2.json.gz"))?;
        model.paginators = optional::<Pagination>(&newest.join("paginators-1.json"))?.pagination;
        model.waiters = optional::<Waiters>(&newest.join("waiters-2.json"))?.waiters;
        model.provenance = Some(Provenance::botocore(&self.version));
        Ok(model)
    }
}

fn installed(root: &Path, version: &str) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(root.join(".venv/lib")).ok()?;
    pythons
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("site-packages")))
        .find(|folder| folder.join(format!("botocore-{version}.dist-info")).is_dir())
}

fn download(root: &Path, version: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/botocore");
    std::fs::create_dir_all(&folder)?;
    let wanted = format!("botocore=={version}");
    run(Command::new("python3").args(["-m", "pip", "download", "--no-deps", "--dest"]).arg(&folder).arg(wanted))?;
    Ok(folder.join(format!("botocore-{version}-py3-none-any.whl")))
}

/// A wheel is a zip file; Python, which pip needs anyway, unpacks it.
fn unpack(root: &Path, wheel: &Path, version: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/botocore").join(version);
    std::fs::create_dir_all(&folder)?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&folder))?;
    Ok(folder)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn read_gzip<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut text).with_context(|| format!("unpack {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("parse {}", path.display()))
}

fn optional<T: DeserializeOwned + Default>(path: &Path) -> anyhow::Result<T> {
    if path.exists() { read_json(path) } else { Ok(T::default()) }
}
