//! Finds the images of a `docker save` archive (moby image spec v1.2, `manifest.json`) and makes the manifest they lack; unpacks nothing.

use super::{Candidate, ImportError, LayerFile, parse_json, read_json};
use crate::config::ConfigDocument;
use crate::digest::Digest;
use crate::manifest::{CONFIG_MAX, Descriptor, DockerEntry, Manifest, OCI_CONFIG, OCI_LAYER};
use crate::reference::Reference;
use crate::source::Source;

pub(super) fn candidates(source: &Source) -> Result<Vec<Candidate>, ImportError> {
    let entries: Vec<DockerEntry> = read_json(source, "manifest.json")?;
    entries.into_iter().map(|entry| candidate(source, entry)).collect()
}

fn candidate(source: &Source, entry: DockerEntry) -> Result<Candidate, ImportError> {
    let config = source.read(&entry.config, CONFIG_MAX)?;
    let config_digest = Digest::of(&config);
    if stated_digest(&entry.config).is_some_and(|stated| stated != config_digest) {
        return Err(ImportError::Digest { document: entry.config, found: config_digest });
    }
    let document: ConfigDocument = parse_json("image configuration", &config)?;
    let (layers, diff_ids) = (entry.layers.len(), document.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(ImportError::LayerCount { layers, diff_ids });
    }
    let mut descriptors = Vec::new();
    for (name, diff_id) in entry.layers.iter().zip(&document.rootfs.diff_ids) {
        let (size, _) = source.stream(name)?;
        descriptors.push(Descriptor::new(OCI_LAYER, *diff_id, size));
    }
    let manifest = Manifest::new(Descriptor::new(OCI_CONFIG, config_digest, config.len() as u64), descriptors);
    let names = entry.repo_tags.unwrap_or_default();
    let names = names.iter().map(|name| Reference::parse(name)).collect::<Result<_, _>>().map_err(ImportError::Name)?;
    Ok(Candidate {
        names,
        index: None,
        manifest: serde_json::to_vec(&manifest).expect("descriptors are always JSON"),
        config,
        document,
        layers: entry.layers.into_iter().map(|name| LayerFile { name, packed: None, size: None }).collect(),
    })
}

/// The digest that a configuration's file name promises: `<hex>.json`, or `blobs/sha256/<hex>` since Docker 25.
fn stated_digest(name: &str) -> Option<Digest> {
    let file = name.rsplit('/').next().unwrap_or(name);
    format!("sha256:{}", file.strip_suffix(".json").unwrap_or(file)).parse().ok()
}
