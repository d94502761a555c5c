//! Brings images from files into the store: OCI layouts and `docker save` archives, as folders, tar files or gzipped tar files; opens no connection.
//!
//! Every digest is checked: index, manifest, configuration, packed layer, unpacked layer. A docker-archive has no manifest, so one is made from its
//! configuration and layers: the same archive always gets the same digest, and another one than a registry would give it, since the registry's
//! names packed layers that are not there. The configuration's digest, Docker's image id, is the same everywhere.

mod docker;
mod oci;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::ConfigDocument;
use crate::digest::Digest;
use crate::layer::{Expected, LayerError, unpack_layer};
use crate::limits::Limits;
use crate::manifest::{MANIFEST_MAX, OCI_LAYER};
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError};
use crate::source::{Source, SourceError};
use crate::store::{ImageSummary, LayerRecord, RefRecord, Staging, Store, StoreError, open_dir};
use crate::unpack::Unpacked;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The image's name; where the archive holds several images, which of them. Without it the archive's own names are used, for all images.
    pub name: Option<Reference>,
    /// Which of several platforms to take.
    pub platform: Platform,
    pub limits: Limits,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        ImportOptions { name: None, platform: Platform::this_machine(), limits: Limits::default() }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the archive cannot be used")]
    Source(#[from] SourceError),
    #[error("the image store refused the image")]
    Store(#[from] StoreError),
    #[error("the image's content cannot be used")]
    Layer(#[from] LayerError),
    #[error(
        "this is no image archive: it has neither the index.json of an OCI layout nor the manifest.json of docker save"
    )]
    NotAnImage,
    #[error("the archive's {document} is not valid")]
    Json { document: String, source: serde_json::Error },
    #[error("the archive's {document} is damaged: its digest is {found}")]
    Digest { document: String, found: Digest },
    #[error("the archive's {document} has {found} bytes where {wanted} are announced")]
    Size { document: String, found: u64, wanted: u64 },
    #[error("the archive holds {0:?}, which is no image that can be run")]
    MediaType(String),
    #[error("the archive's index is nested too deeply or too large")]
    IndexTooLarge,
    #[error("the image has no variant for {wanted}; it has {available}")]
    Platform { wanted: Platform, available: String },
    #[error("the archive holds no image")]
    NoImage,
    #[error("the archive holds no image {name}; it holds {available}")]
    NoSuchImage { name: String, available: String },
    #[error("the archive names no image: give it a name with --name REF")]
    NoName,
    #[error("the archive's image name cannot be used: give it another with --name REF")]
    Name(#[source] ReferenceError),
    #[error("{0} names content, not an image: give a name with a tag, such as app:1")]
    NameWithDigest(String),
    #[error("the image names {layers} layers but its configuration {diff_ids}")]
    LayerCount { layers: usize, diff_ids: usize },
    #[error("the image has no layers, so there is nothing to run")]
    NoLayers,
    #[error("the image has {found} layers, more than the {limit} that can be stacked")]
    TooManyLayers { found: usize, limit: usize },
}

/// An image found in an archive, its documents read and checked, its layers not yet.
#[derive(Debug)]
struct Candidate {
    names: Vec<Reference>,
    index: Option<Digest>,
    manifest: Vec<u8>,
    config: Vec<u8>,
    document: ConfigDocument,
    /// Bottom first.
    layers: Vec<LayerFile>,
}

#[derive(Debug)]
struct LayerFile {
    /// Its name in the archive.
    name: String,
    packed: Option<Digest>,
    /// Packed size in bytes.
    size: Option<u64>,
}

impl Store {
    /// Imports the image, or all images, of an archive or layout folder. Nothing is visible before all of it is; a name that exists moves to the
    /// new image.
    pub fn import(&self, path: &Path, options: &ImportOptions) -> Result<Vec<ImageSummary>, ImportError> {
        let staging = self.stage()?;
        let source = Source::open(path, || staging.spool(), &options.limits)?;
        self.import_from(staging, &source, options)
    }

    pub(crate) fn import_from(
        &self,
        mut staging: Staging,
        source: &Source,
        options: &ImportOptions,
    ) -> Result<Vec<ImageSummary>, ImportError> {
        let found = if source.has("index.json") {
            oci::candidates(source, &options.platform)?
        } else if source.has("manifest.json") {
            docker::candidates(source)?
        } else {
            return Err(ImportError::NotAnImage);
        };
        let chosen = choose(found, options.name.as_ref())?;
        let mut records = Vec::new();
        for candidate in &chosen {
            check(candidate, options)?;
            self.stage_image(&mut staging, source, candidate, &options.limits)?;
            let manifest = Digest::of(&candidate.manifest);
            let record = |name: &Reference| RefRecord {
                name: name.clone(),
                manifest,
                index: candidate.index,
                former: Vec::new(),
            };
            records.extend(candidate.names.iter().map(record));
        }
        self.commit(&staging, &records)?;
        let summary = |image: &Candidate| self.summary(&Digest::of(&image.manifest), image.names.clone());
        chosen.iter().map(summary).collect::<Result<_, _>>().map_err(ImportError::from)
    }

    /// Unpacks the layers that the store does not have, into `staging`.
    fn stage_image(
        &self,
        staging: &mut Staging,
        source: &Source,
        image: &Candidate,
        limits: &Limits,
    ) -> Result<(), ImportError> {
        let chain_ids = image.document.chain_ids();
        staging.blob(&Digest::of(&image.manifest), &image.manifest)?;
        staging.blob(&Digest::of(&image.config), &image.config)?;
        let lock = self.lock()?;
        staging.pin(&lock, &chain_ids)?;
        drop(lock);
        let mut below: Vec<PathBuf> = Vec::new();
        for ((chain_id, diff_id), file) in chain_ids.iter().zip(&image.document.rootfs.diff_ids).zip(&image.layers) {
            if let Some((dir, _)) = self.layer(chain_id)? {
                below.push(dir);
                continue;
            }
            if let Some(root) = staging.layer_tree(chain_id)? {
                let lower = below.iter().rev().map(|dir| open_dir(&dir.join("fs"))).collect::<Result<_, _>>()?;
                let expected = Expected { packed: file.packed, diff_id: *diff_id };
                let packed = stream_of(source, file)?;
                let Unpacked { entries, bytes } = unpack_layer(packed, &expected, root, lower, limits)?;
                staging.finish_layer(&LayerRecord { chain_id: *chain_id, diff_id: *diff_id, bytes, entries })?;
            }
            below.push(staging.layer_dir(chain_id));
        }
        Ok(())
    }
}

/// A layer's packed bytes, as many as its image announces.
fn stream_of<'a>(source: &'a Source, file: &LayerFile) -> Result<Box<dyn Read + 'a>, ImportError> {
    let (size, packed) = source.stream(&file.name)?;
    match file.size.filter(|wanted| *wanted != size) {
        Some(wanted) => Err(ImportError::Size { document: file.name.clone(), found: size, wanted }),
        None => Ok(packed),
    }
}

/// Which images of an archive are wanted, each with the names it will have.
fn choose(mut found: Vec<Candidate>, name: Option<&Reference>) -> Result<Vec<Candidate>, ImportError> {
    let Some(name) = name else {
        return match found.iter().any(|image| image.names.is_empty()) {
            _ if found.is_empty() => Err(ImportError::NoImage),
            true => Err(ImportError::NoName),
            false => Ok(found),
        };
    };
    if name.digest().is_some() {
        return Err(ImportError::NameWithDigest(name.familiar()));
    }
    let chosen = match found.iter().position(|image| image.names.contains(name)) {
        Some(at) => at,
        None if found.len() == 1 => 0,
        None if found.is_empty() => return Err(ImportError::NoImage),
        None => {
            let names = found.iter().flat_map(|image| image.names.iter().map(Reference::familiar));
            let mut available = names.collect::<Vec<_>>().join(", ");
            if available.is_empty() {
                available = format!("{} images without names", found.len());
            }
            return Err(ImportError::NoSuchImage { name: name.familiar(), available });
        }
    };
    let mut image = found.swap_remove(chosen);
    image.names = vec![name.clone()];
    Ok(vec![image])
}

fn check(image: &Candidate, options: &ImportOptions) -> Result<(), ImportError> {
    let (layers, diff_ids) = (image.layers.len(), image.document.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(ImportError::LayerCount { layers, diff_ids });
    }
    if layers == 0 {
        return Err(ImportError::NoLayers);
    }
    if layers > options.limits.layers {
        return Err(ImportError::TooManyLayers { found: layers, limit: options.limits.layers });
    }
    let platform = image.document.platform();
    if platform.fitness(&options.platform).is_none() {
        return Err(ImportError::Platform { wanted: options.platform.clone(), available: platform.to_string() });
    }
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(source: &Source, name: &str) -> Result<T, ImportError> {
    parse_json(name, &source.read(name, MANIFEST_MAX)?)
}

fn parse_json<T: serde::de::DeserializeOwned>(document: &str, bytes: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(bytes).map_err(|source| ImportError::Json { document: document.to_owned(), source })
}

/// Whether a layer's media type is one that is unpacked; how it is compressed shows in its bytes.
fn is_layer(media_type: &str) -> bool {
    let plain = [
        OCI_LAYER,
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    let base = media_type.strip_suffix("+gzip").or(media_type.strip_suffix(".gzip"));
    let base = base.or(media_type.strip_suffix("+zstd")).unwrap_or(media_type);
    plain.contains(&base)
}
