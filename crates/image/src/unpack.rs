//! Turns one layer's tar stream into a directory that overlayfs can stack, by a strict policy; knows no digests and no store.
//!
//! Every write is relative to an open directory and follows no link, so nothing outside the target can be touched. Refused: `..`, paths through
//! links, device nodes (a device belongs to the host and is given to a container by its own list, never by an image; the one exception, character device 0:0,
//! opens nothing and is overlayfs's own spelling of a whiteout), content that exceeds [`Limits`]. Whiteouts: OCI image spec, "Layer Filesystem Changeset".

mod lower;
mod path;
mod tree;

use std::io::{self, Read};
use std::os::fd::OwnedFd;

use crate::limits::Limits;
use crate::tar_reader::{Entry, EntryKind, Input, TarError, TarReader};
use lower::Lower;
pub use path::PathError;
use path::{Marker, TreePath};
use tree::Tree;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) entries: u64,
    /// Bytes of file content.
    pub(crate) bytes: u64,
}

/// Why a layer cannot be unpacked. Paths are shown with unprintable bytes escaped.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the layer is no valid tar archive")]
    Tar(#[from] TarError),
    #[error("the layer's entry {path} has a path that is not allowed")]
    Path { path: String, source: PathError },
    #[error("the layer's entry {path} passes through {through}, which is no directory")]
    NotADirectory { path: String, through: String },
    #[error("the layer's entry {path} is a hard link to {target}, which is no file of this layer")]
    HardLink { path: String, target: String },
    #[error(
        "the layer's entry {path} is a device node: images may hold none, devices are given to a container by its definition"
    )]
    Device { path: String },
    #[error("the layer's entry {path} would replace the root directory")]
    Root { path: String },
    #[error("the layer's entry {path} carries an extended attribute that is too large")]
    Attribute { path: String },
    #[error("the layer has more than {0} entries")]
    TooManyEntries(u64),
    #[error("the layer unpacks to more than {0} bytes")]
    TooLarge(u64),
    #[error("the layer's entry {path} cannot be written")]
    Write { path: String, source: io::Error },
}

/// Largest value of one extended attribute, the kernel's XATTR_SIZE_MAX.
const ATTRIBUTE_MAX: usize = 64 << 10;

/// Unpacks a tar stream into the empty directory `root`, and returns the stream for whoever still counts its bytes.
///
/// `lower` are the trees of the layers below, top first: directories that the archive does not describe take their owner and mode from there.
pub(crate) fn unpack<R: Input>(
    stream: R,
    root: OwnedFd,
    lower: Vec<OwnedFd>,
    limits: &Limits,
) -> Result<(Unpacked, R), UnpackError> {
    let mut reader = TarReader::new(stream);
    let mut unpacker =
        Unpacker { tree: Tree::new(root, Lower::new(lower))?, limits, done: Unpacked::default(), buffer: Vec::new() };
    unpacker.buffer.resize(256 << 10, 0);
    while let Some(entry) = reader.next_entry()? {
        unpacker.entry(&entry, &mut reader)?;
    }
    unpacker.tree.finish()?;
    Ok((unpacker.done, reader.into_inner()))
}

struct Unpacker<'a> {
    tree: Tree,
    limits: &'a Limits,
    done: Unpacked,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn entry<R: Input>(&mut self, entry: &Entry, reader: &mut TarReader<R>) -> Result<(), UnpackError> {
        self.done.entries += 1;
        if self.done.entries > self.limits.entries {
            return Err(UnpackError::TooManyEntries(self.limits.entries));
        }
        let bad_path = |source| UnpackError::Path { path: shown(&entry.path), source };
        let path = TreePath::parse(&entry.path, self.limits).map_err(bad_path)?;
        if entry.xattrs.iter().any(|(_, value)| value.len() > ATTRIBUTE_MAX) {
            return Err(UnpackError::Attribute { path: path.shown() });
        }
        match path.marker().map_err(bad_path)? {
            Some(Marker::Opaque) => return self.tree.opaque(&path.parent()),
            Some(Marker::Whiteout(hidden)) => return self.tree.whiteout(&hidden),
            Some(Marker::Ignored) => return Ok(()),
            None => {}
        }
        if path.is_root() && entry.kind != EntryKind::Directory {
            return Err(UnpackError::Root { path: shown(&entry.path) });
        }
        match entry.kind {
            EntryKind::Directory => self.tree.directory(&path, entry),
            EntryKind::File => self.file(&path, entry, reader),
            EntryKind::Symlink => {
                path::check_link(&entry.link, self.limits).map_err(bad_path)?;
                self.tree.symlink(&path, entry)
            }
            EntryKind::HardLink => {
                let target = TreePath::parse(&entry.link, self.limits).map_err(bad_path)?;
                self.tree.hard_link(&path, &target)
            }
            EntryKind::Fifo => self.tree.fifo(&path, entry),
            EntryKind::CharDevice if entry.device == (0, 0) => self.tree.whiteout(&path),
            EntryKind::CharDevice | EntryKind::BlockDevice => Err(UnpackError::Device { path: path.shown() }),
        }
    }

    fn file<R: Input>(
        &mut self,
        path: &TreePath<'_>,
        entry: &Entry,
        reader: &mut TarReader<R>,
    ) -> Result<(), UnpackError> {
        self.done.bytes = self.done.bytes.saturating_add(entry.size);
        if self.done.bytes > self.limits.layer_bytes {
            return Err(UnpackError::TooLarge(self.limits.layer_bytes));
        }
        let write_error = |source| UnpackError::Write { path: path.shown(), source };
        let mut file = self.tree.create(path)?;
        loop {
            let read = match reader.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(TarError::Truncated.into()),
                Err(error) => return Err(TarError::Read(error).into()),
            };
            io::Write::write_all(&mut file, &self.buffer[..read]).map_err(write_error)?;
        }
        tree::describe(&file, entry).map_err(|errno| write_error(errno.into()))
    }
}

/// A path as people may see it, whatever bytes it holds.
fn shown(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}
