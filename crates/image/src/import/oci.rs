//! Finds the images of an OCI image layout (OCI image spec, "Image Layout") and picks one platform of each; unpacks nothing.

use super::{Candidate, ImportError, LayerFile, is_layer, parse_json, read_json};
use crate::config::ConfigDocument;
use crate::digest::Digest;
use crate::manifest::{
    ANNOTATION_FULL_NAME, ANNOTATION_REF_NAME, ANNOTATION_REFERENCE_TYPE, CONFIG_MAX, Descriptor, Index, MANIFEST_MAX,
    Manifest,
};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::source::Source;

/// Indexes inside indexes, and manifests in all of them together.
const NESTING_MAX: usize = 4;
const MANIFESTS_MAX: usize = 1000;

/// A manifest that may be the one for this machine.
struct Choice {
    manifest: Descriptor,
    index: Option<Digest>,
}

pub(super) fn candidates(source: &Source, machine: &Platform) -> Result<Vec<Candidate>, ImportError> {
    let top: Index = read_json(source, "index.json")?;
    let images = top.manifests.into_iter().filter(|descriptor| !is_attestation(descriptor)).collect();
    group(images).into_iter().map(|(name, descriptors)| pick(source, name, descriptors, machine)).collect()
}

/// Descriptors of one name are platforms of one image; so are nameless ones that all state their platform.
fn group(descriptors: Vec<Descriptor>) -> Vec<(Option<Reference>, Vec<Descriptor>)> {
    let platforms = descriptors.iter().all(|descriptor| descriptor.platform.is_some());
    let mut groups: Vec<(Option<Reference>, Vec<Descriptor>)> = Vec::new();
    for descriptor in descriptors {
        let name = name(&descriptor);
        let known = groups.iter_mut().find(|(known, _)| *known == name && (name.is_some() || platforms));
        match known {
            Some((_, group)) => group.push(descriptor),
            None => groups.push((name, vec![descriptor])),
        }
    }
    groups
}

/// The name that a descriptor carries. A reference name without `:` and `/` is a tag of an image that is not named here.
fn name(descriptor: &Descriptor) -> Option<Reference> {
    let full = descriptor.annotation(ANNOTATION_FULL_NAME);
    let short = descriptor.annotation(ANNOTATION_REF_NAME).filter(|name| name.contains([':', '/']));
    let name = full.into_iter().chain(short).find_map(|name| Reference::parse(name).ok())?;
    Some(name.without_digest())
}

fn pick(
    source: &Source,
    name: Option<Reference>,
    descriptors: Vec<Descriptor>,
    machine: &Platform,
) -> Result<Candidate, ImportError> {
    let mut choices = Vec::new();
    for descriptor in descriptors {
        flatten(source, descriptor, None, NESTING_MAX, &mut choices)?;
    }
    let mut best: Option<(u32, Candidate)> = None;
    let mut available = Vec::new();
    for choice in choices {
        if let Some(platform) = choice.manifest.platform.clone().filter(|platform| platform.fitness(machine).is_none())
        {
            available.push(platform.to_string());
            continue;
        }
        let candidate = read(source, &choice, name.as_ref())?;
        let platform = choice.manifest.platform.unwrap_or_else(|| candidate.document.platform());
        match platform.fitness(machine) {
            None => available.push(platform.to_string()),
            Some(fitness) if best.as_ref().is_some_and(|(best, _)| *best >= fitness) => {}
            Some(fitness) => best = Some((fitness, candidate)),
        }
    }
    if available.is_empty() {
        available.push("none".to_owned());
    }
    let none = || ImportError::Platform { wanted: machine.clone(), available: available.join(", ") };
    best.map(|(_, candidate)| candidate).ok_or_else(none)
}

fn flatten(
    source: &Source,
    descriptor: Descriptor,
    index: Option<Digest>,
    depth: usize,
    choices: &mut Vec<Choice>,
) -> Result<(), ImportError> {
    if is_attestation(&descriptor) {
        return Ok(());
    }
    if depth == 0 || choices.len() >= MANIFESTS_MAX {
        return Err(ImportError::IndexTooLarge);
    }
    if descriptor.is_manifest() {
        choices.push(Choice { manifest: descriptor, index });
        return Ok(());
    }
    if !descriptor.is_index() {
        return Err(ImportError::MediaType(descriptor.media_type));
    }
    let inner: Index = parse_json("index", &blob(source, &descriptor, MANIFEST_MAX)?)?;
    for next in inner.manifests {
        flatten(source, next, index.or(Some(descriptor.digest)), depth - 1, choices)?;
    }
    Ok(())
}

fn read(source: &Source, choice: &Choice, name: Option<&Reference>) -> Result<Candidate, ImportError> {
    let manifest_bytes = blob(source, &choice.manifest, MANIFEST_MAX)?;
    let manifest: Manifest = parse_json("manifest", &manifest_bytes)?;
    let config = blob(source, &manifest.config, CONFIG_MAX)?;
    let document: ConfigDocument = parse_json("image configuration", &config)?;
    if let Some(odd) = manifest.layers.iter().find(|layer| !is_layer(&layer.media_type)) {
        return Err(ImportError::MediaType(odd.media_type.clone()));
    }
    let layer = |layer: &Descriptor| LayerFile {
        name: blob_name(&layer.digest),
        packed: Some(layer.digest),
        size: Some(layer.size),
    };
    Ok(Candidate {
        names: name.into_iter().cloned().collect(),
        index: choice.index,
        manifest: manifest_bytes,
        config,
        document,
        layers: manifest.layers.iter().map(layer).collect(),
    })
}

/// A small blob, its size and digest checked.
fn blob(source: &Source, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, ImportError> {
    let document = blob_name(&descriptor.digest);
    let bytes = source.read(&document, limit)?;
    if bytes.len() as u64 != descriptor.size {
        return Err(ImportError::Size { document, found: bytes.len() as u64, wanted: descriptor.size });
    }
    let found = Digest::of(&bytes);
    if found != descriptor.digest {
        return Err(ImportError::Digest { document, found });
    }
    Ok(bytes)
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// BuildKit stores provenance beside images, as manifests for a platform that does not exist.
fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotation(ANNOTATION_REFERENCE_TYPE).is_some()
        || descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}
