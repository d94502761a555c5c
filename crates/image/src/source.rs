//! The files of an archive by their names, whether it is a folder, a tar file (perhaps gzipped) or in memory; understands none of them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::layer::Compression;
use crate::limits::Limits;
use crate::tar_reader::{EntryKind, Input, TarError, TarReader};

/// Links inside an archive that are followed to one file; `docker save` needs one.
const LINK_HOPS: usize = 8;

/// Why an archive or a file of it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{path} cannot be opened")]
    Open { path: String, source: io::Error },
    #[error("the archive is compressed with zstd, which is not supported yet: decompress it first")]
    Zstd,
    #[error("the archive cannot be decompressed")]
    Decompress(#[source] io::Error),
    #[error("the archive is no valid tar file")]
    Tar(#[source] TarError),
    #[error("the archive holds more than {0} files")]
    TooManyFiles(usize),
    #[error("the archive is larger than {0} bytes when decompressed")]
    TooLarge(u64),
    #[error("the archive has no file {0}")]
    Missing(String),
    #[error(
        "the archive's file {0} lies behind a symbolic link or outside of the archive, where nothing is looked for"
    )]
    Outside(String),
    #[error("the archive's file {name} cannot be read")]
    Read { name: String, source: io::Error },
    #[error("the archive's file {name} has {size} bytes, more than the {limit} allowed")]
    TooLong { name: String, size: u64, limit: u64 },
}

/// An archive's files.
pub(crate) enum Source {
    Folder(OwnedFd),
    Tar { file: File, index: HashMap<String, Place> },
    Memory(BTreeMap<String, Vec<u8>>),
}

pub(crate) enum Place {
    At { offset: u64, size: u64 },
    Link(String),
}

impl Source {
    /// Opens a folder or a tar file; a gzipped one is unpacked into `spool` first, an empty file.
    pub(crate) fn open(
        path: &Path,
        spool: impl FnOnce() -> io::Result<File>,
        limits: &Limits,
    ) -> Result<Source, SourceError> {
        let open_error = |source| SourceError::Open { path: path.display().to_string(), source };
        let mut file = File::open(path).map_err(open_error)?;
        if file.metadata().map_err(open_error)?.is_dir() {
            return Ok(Source::Folder(file.into()));
        }
        let mut head = Vec::new();
        file.by_ref().take(4).read_to_end(&mut head).map_err(open_error)?;
        file.seek(SeekFrom::Start(0)).map_err(open_error)?;
        let file = match Compression::of(&head) {
            Compression::None => file,
            Compression::Zstd => return Err(SourceError::Zstd),
            Compression::Gzip => decompress(file, spool().map_err(SourceError::Decompress)?, limits)?,
        };
        let index = index(&file, limits)?;
        Ok(Source::Tar { file, index })
    }

    /// A file's size and content, as far as `limit`.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let (size, reader) = self.stream(name)?;
        if size > limit {
            return Err(SourceError::TooLong { name: name.to_owned(), size, limit });
        }
        let mut bytes = Vec::new();
        let read_error = |source| SourceError::Read { name: name.to_owned(), source };
        reader.take(limit).read_to_end(&mut bytes).map_err(read_error)?;
        Ok(bytes)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.stream(name).is_ok()
    }

    /// A file's size and a reader of it.
    pub(crate) fn stream(&self, name: &str) -> Result<(u64, Box<dyn Read + '_>), SourceError> {
        let missing = || SourceError::Missing(name.to_owned());
        match self {
            Source::Folder(dir) => {
                let read_error = |source| SourceError::Read { name: name.to_owned(), source };
                // Never through a link, and never out of the folder: what a layout names must lie in it.
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let file = match openat2(dir, name, flags, Mode::empty(), resolve) {
                    Ok(fd) => File::from(fd),
                    Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing()),
                    Err(Errno::XDEV | Errno::LOOP) => return Err(SourceError::Outside(name.to_owned())),
                    Err(errno) => return Err(read_error(errno.into())),
                };
                let metadata = file.metadata().map_err(read_error)?;
                if !metadata.is_file() {
                    return Err(missing());
                }
                Ok((metadata.len(), buffered(file)))
            }
            Source::Tar { file, index } => {
                let mut name = clean(name.as_bytes()).ok_or_else(missing)?;
                for _ in 0..LINK_HOPS {
                    match index.get(&name).ok_or_else(missing)? {
                        Place::Link(target) => name.clone_from(target),
                        Place::At { offset, size } => {
                            let section = Section { file, offset: *offset, remaining: *size };
                            return Ok((*size, buffered(section)));
                        }
                    }
                }
                Err(missing())
            }
            Source::Memory(files) => {
                let bytes = files.get(name).ok_or_else(missing)?;
                Ok((bytes.len() as u64, Box::new(bytes.as_slice())))
            }
        }
    }
}

/// Headers are read by 512 bytes; the system is asked for more at once.
fn buffered<'a>(reader: impl Read + 'a) -> Box<dyn Read + 'a> {
    Box::new(io::BufReader::with_capacity(128 << 10, reader))
}

fn decompress(packed: File, mut spool: File, limits: &Limits) -> Result<File, SourceError> {
    let mut unpacked = MultiGzDecoder::new(io::BufReader::new(packed)).take(limits.layer_bytes.saturating_add(1));
    let size = io::copy(&mut unpacked, &mut spool).map_err(SourceError::Decompress)?;
    if size > limits.layer_bytes {
        return Err(SourceError::TooLarge(limits.layer_bytes));
    }
    spool.seek(SeekFrom::Start(0)).map_err(SourceError::Decompress)?;
    Ok(spool)
}

/// Where each file lies. Of several with one name the last counts, as for every tar.
fn index(file: &File, limits: &Limits) -> Result<HashMap<String, Place>, SourceError> {
    let mut reader = TarReader::new(Seeking(file));
    let mut index = HashMap::new();
    let mut entries = 0;
    while let Some(entry) = reader.next_entry().map_err(SourceError::Tar)? {
        entries += 1;
        if entries > limits.archive_entries {
            return Err(SourceError::TooManyFiles(limits.archive_entries));
        }
        let Some(name) = clean(&entry.path) else { continue };
        let place = match entry.kind {
            EntryKind::File => Place::At { offset: reader.position(), size: entry.size },
            EntryKind::HardLink => match clean(&entry.link) {
                Some(target) => Place::Link(target),
                None => continue,
            },
            EntryKind::Symlink => {
                let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                match clean(&[parent.as_bytes(), b"/", &entry.link].concat()) {
                    Some(target) => Place::Link(target),
                    None => continue,
                }
            }
            _ => continue,
        };
        index.insert(name, place);
    }
    Ok(index)
}

/// `./a/../b` as `b`; `None` for what lies outside the archive or is no text.
fn clean(path: &[u8]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in std::str::from_utf8(path).ok()?.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

struct Seeking<'a>(&'a File);

impl Read for Seeking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Seeking<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let here = self.0.stream_position()?;
        let there = here.checked_add(bytes).filter(|there| *there <= i64::MAX as u64);
        let there = there.ok_or(io::ErrorKind::UnexpectedEof)?;
        // Seeking past the end succeeds; an entry must lie in the file.
        if there > self.0.metadata()?.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.seek(SeekFrom::Start(there)).map(drop)
    }
}

/// A part of a file, read without moving the file's own position.
struct Section<'a> {
    file: &'a File,
    offset: u64,
    remaining: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        self.offset += read as u64;
        self.remaining -= read as u64;
        Ok(read)
    }
}
