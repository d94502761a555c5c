//! Which operations of which services are taken, from `models/aws/selection.json`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// The botocore version the models are taken from.
    pub(crate) botocore: String,
    pub(crate) services: IndexMap<String, Operations>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Operations {
    All(All),
    Named(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    All,
}

impl Selection {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        read_json(&root.join("models/aws/selection.json"))
    }
}

pub(crate) fn model_path(service: &str) -> PathBuf {
    PathBuf::from(format!("models/aws/{service}.json"))
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("parse {}", path.display()))
}
