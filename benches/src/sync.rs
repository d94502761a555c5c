//! The disk beneath: a figure for durable writes means nothing without it.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::statistics::Times;

const BLOCK: usize = 4096;
const BLOCKS: usize = 256;

#[derive(Args)]
pub(crate) struct Arguments {
    folder: PathBuf,
}

/// Writes blocks into a file that has its space already, each with fdatasync.
pub(crate) fn run(arguments: &Arguments) -> Result<Times> {
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let mut file = File::create(folder.path().join("probe"))?;
    file.write_all(&vec![0; BLOCK * BLOCKS])?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(BLOCKS);
    for block in 0..BLOCKS {
        let began = Instant::now();
        file.seek(SeekFrom::Start((block * BLOCK) as u64))?;
        file.write_all(&[1; BLOCK])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(Times::of(times))
}
