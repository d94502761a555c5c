//! Makes small images from files in memory: into a store, or as an archive to import; runs no build steps.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::config::{ConfigDocument, ImageConfig, Rootfs};
use crate::digest::Digest;
use crate::import::{ImportError, ImportOptions};
use crate::manifest::{
    ANNOTATION_FULL_NAME, Descriptor, DockerEntry, Index, Manifest, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP,
    OCI_MANIFEST,
};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::source::Source;
use crate::store::{ImageSummary, Store};

/// An image in memory. The same input always makes the same digests: nothing in it depends on time or machine.
#[derive(Debug, Clone)]
pub struct Image {
    pub config: ImageConfig,
    pub platform: Platform,
    /// Uncompressed tar archives, bottom first.
    pub layers: Vec<Vec<u8>>,
}

impl Image {
    /// An image of one layer with regular files, owned by root, and the directories they need.
    pub fn from_files(files: &[(&str, &[u8], u32)], config: ImageConfig) -> io::Result<Image> {
        Ok(Image { config, platform: Platform::this_machine(), layers: vec![layer(files)?] })
    }

    /// Adds a layer on top.
    pub fn with_layer(mut self, tar: Vec<u8>) -> Image {
        self.layers.push(tar);
        self
    }

    fn document(&self) -> Vec<u8> {
        let diff_ids = self.layers.iter().map(|layer| Digest::of(layer)).collect();
        let document = ConfigDocument {
            created: Some("1970-01-01T00:00:00Z".to_owned()),
            architecture: self.platform.architecture.clone(),
            os: self.platform.os.clone(),
            variant: self.platform.variant.clone(),
            config: self.config.clone(),
            rootfs: Rootfs { kind: "layers".to_owned(), diff_ids },
        };
        json(&document)
    }
}

/// How an archive keeps layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// Gzipped, fast rather than small.
    Gzip,
}

/// The files of an archive, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Makes an image of one layer, typically a static binary, and puts it into `store`.
pub fn single_binary(
    store: &Store,
    name: &Reference,
    files: &[(&str, &[u8], u32)],
    config: ImageConfig,
) -> Result<ImageSummary, ImportError> {
    let image = Image::from_files(files, config).expect("a tar archive can always be written to memory");
    let content = oci_files(&[(Some(name), &image)], Packing::Plain);
    let options = ImportOptions { name: Some(name.clone()), ..ImportOptions::default() };
    let mut imported = store.import_from(store.stage()?, &Source::Memory(content), &options)?;
    imported.pop().ok_or(ImportError::NoImage)
}

/// Writes an OCI layout as a tar file, its layers gzipped.
pub fn oci_tar(path: &Path, images: &[(Option<&Reference>, &Image)]) -> io::Result<()> {
    write_tar(path, &oci_files(images, Packing::Gzip))
}

/// Writes what `docker save` wrote before it knew OCI: one `manifest.json`, uncompressed layers.
pub fn docker_archive(path: &Path, images: &[(&[Reference], &Image)]) -> io::Result<()> {
    write_tar(path, &docker_files(images))
}

/// The files of an OCI layout.
pub fn oci_files(images: &[(Option<&Reference>, &Image)], packing: Packing) -> Files {
    let mut files = Files::new();
    let mut manifests = Vec::new();
    for (name, image) in images {
        let mut descriptor = oci_manifest(&mut files, image, packing);
        descriptor.platform = Some(image.platform.clone());
        descriptor.annotations = name.map(|name| BTreeMap::from([(ANNOTATION_FULL_NAME.to_owned(), name.to_string())]));
        manifests.push(descriptor);
    }
    let index = Index { schema_version: 2, media_type: Some(OCI_INDEX.to_owned()), manifests };
    files.insert("index.json".to_owned(), json(&index));
    files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    files
}

/// The files of a docker-archive.
pub fn docker_files(images: &[(&[Reference], &Image)]) -> Files {
    let mut files = Files::new();
    let mut entries = Vec::new();
    for (names, image) in images {
        let document = image.document();
        let config = format!("{}.json", Digest::of(&document).hex());
        files.insert(config.clone(), document);
        let mut layers = Vec::new();
        for layer in &image.layers {
            let name = format!("{}/layer.tar", Digest::of(layer).hex());
            files.insert(name.clone(), layer.clone());
            layers.push(name);
        }
        let repo_tags = names.iter().map(Reference::familiar).collect();
        entries.push(DockerEntry { config, repo_tags: Some(repo_tags), layers });
    }
    files.insert("manifest.json".to_owned(), json(&entries));
    files
}

/// A layer's tar archive with regular files and their parent directories, all owned by root and from 1970.
pub fn layer(files: &[(&str, &[u8], u32)]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut made: Vec<String> = Vec::new();
    for (path, bytes, mode) in files {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            let parent = format!("{}/", &path[..at]);
            if !made.contains(&parent) {
                append(&mut tar, &parent, tar::EntryType::Directory, 0o755, &[])?;
                made.push(parent);
            }
        }
        append(&mut tar, path, tar::EntryType::Regular, *mode, bytes)?;
    }
    tar.into_inner()
}

fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    kind: tar::EntryType,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
}

fn oci_manifest(files: &mut Files, image: &Image, packing: Packing) -> Descriptor {
    let document = image.document();
    let config = blob(files, OCI_CONFIG, document);
    let layers = image.layers.iter().map(|layer| {
        if packing == Packing::Plain {
            return blob(files, OCI_LAYER, layer.clone());
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = gzip.write_all(layer).and_then(|()| gzip.finish());
        blob(files, OCI_LAYER_GZIP, packed.expect("compression to memory cannot fail"))
    });
    let layers = layers.collect();
    blob(files, OCI_MANIFEST, json(&Manifest::new(config, layers)))
}

fn blob(files: &mut Files, media_type: &str, bytes: Vec<u8>) -> Descriptor {
    let digest = Digest::of(&bytes);
    let descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
    files.insert(format!("blobs/sha256/{}", digest.hex()), bytes);
    descriptor
}

fn write_tar(path: &Path, files: &Files) -> io::Result<()> {
    let mut tar = tar::Builder::new(io::BufWriter::new(File::create(path)?));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    tar.into_inner()?.flush()
}

fn json<T: serde::Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("the documents of an image are always JSON")
}
