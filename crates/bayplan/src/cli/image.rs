//! `bayplan image`: brings images onto this node, lists them, removes them. Works whether a server runs or not.

use super::Fault;
use super::output::{self, Format};
use crate::installation::Installation;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use image::{ImageSummary, ImportOptions, Reference, Store};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Image {
    #[command(subcommand)]
    verb: Verb,
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Import an OCI layout (folder or tar) or a `docker save` archive
    Import {
        path: PathBuf,
        /// The name to give it, e.g. app:1
        #[arg(long, value_name = "REF")]
        name: Option<String>,
    },
    /// List the images on this node
    Ls,
    /// Remove a name, and the image if no other name has it
    Rm { name: String },
    /// Make the demonstration image from this very program
    Demo {
        #[arg(long, value_name = "REF", default_value = "demo:latest")]
        name: String,
        /// Write an OCI tar here instead of importing it
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

pub(crate) fn run(data_dir: &Path, command: Image) -> Result<ExitCode> {
    let installation = Installation::at(data_dir)?;
    let store = Store::open(&installation.images_dir()).context("the image store cannot be opened")?;
    match command.verb {
        Verb::Import { path, name } => import(&store, &path, name.as_deref(), command.output),
        Verb::Ls => list(&store, command.output),
        Verb::Rm { name } => remove(&store, &name, command.output),
        Verb::Demo { name, to } => demo(&store, &name, to.as_deref(), command.output),
    }
}

fn import(store: &Store, path: &Path, name: Option<&str>, format: Format) -> Result<ExitCode> {
    let name = name.map(Reference::parse).transpose()?;
    let imported = store.import(path, &ImportOptions { name, ..ImportOptions::default() })?;
    show(&imported, format)
}

fn list(store: &Store, format: Format) -> Result<ExitCode> {
    show(&store.list()?, format)
}

fn show(images: &[ImageSummary], format: Format) -> Result<ExitCode> {
    if format == Format::Json {
        output::json(&images.iter().map(row).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = images
        .iter()
        .map(|image| {
            let names: Vec<String> = image.names.iter().map(Reference::familiar).collect();
            let names = if names.is_empty() { "<none>".to_owned() } else { names.join(", ") };
            vec![
                names,
                image.digest.to_string(),
                format!("{:.1} MB", image.size_bytes as f64 / 1e6),
                image.layers.to_string(),
            ]
        })
        .collect();
    output::say(&output::table(&["NAME", "DIGEST", "SIZE", "LAYERS"], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// An image for scripts; the JSON keys are stable.
fn row(image: &ImageSummary) -> serde_json::Value {
    serde_json::json!({
        "names": image.names,
        "digest": image.digest,
        "configDigest": image.config_digest,
        "sizeBytes": image.size_bytes,
        "layers": image.layers,
        "created": image.created,
        "platform": image.platform,
    })
}

fn remove(store: &Store, name: &str, format: Format) -> Result<ExitCode> {
    let reference = Reference::parse(name)?;
    if !store.remove(&reference)? {
        return Err(Fault::NotFound.because(format!("no image is called {}", reference.familiar())));
    }
    match format {
        Format::Json => output::json(&serde_json::json!({ "removed": reference.familiar() }))?,
        Format::Table => output::say(&format!("removed {}\n", reference.familiar()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One layer with this static binary as its only program: it needs no network and no other image.
fn demo(store: &Store, name: &str, to: Option<&Path>, format: Format) -> Result<ExitCode> {
    let program = std::fs::read("/proc/self/exe").context("this program cannot be read")?;
    let config = image::ImageConfig {
        entrypoint: vec!["/bayplan".to_owned()],
        cmd: vec!["hello".to_owned()],
        ..image::ImageConfig::default()
    };
    let files: [(&str, &[u8], u32); 1] = [("bayplan", &program, 0o755)];
    let reference = Reference::parse(name)?;
    match to {
        Some(path) => {
            let image = image::build::Image::from_files(&files, config)?;
            image::build::oci_tar(path, &[(Some(&reference), &image)])?;
            output::say(&format!("wrote {}\n", path.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        None => show(&[image::build::single_binary(store, &reference, &files, config)?], format),
    }
}
