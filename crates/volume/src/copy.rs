//! Copies a merged directory into a plain one with everything that belongs to its files: owners, modes, times, attributes, links.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod,
    fchown, fgetxattr, fgetxattr_query, flistxattr, flistxattr_query, fsetxattr, futimens, linkat, mkdirat, mknodat,
    openat, readlinkat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::merged::{MergedDir, Node};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Why an image's content could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("{path} of the image cannot be copied into the volume")]
pub struct CopyError {
    /// Relative to what is copied.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Copies the content and metadata of `from` into `to`, a directory that nobody else can reach yet.
pub(crate) fn copy_tree(from: &MergedDir, to: &OwnedFd) -> Result<(), CopyError> {
    Copier { root: to, links: HashMap::new() }.directory(from, to, Path::new(""))
}

struct Copier<'a> {
    root: &'a OwnedFd,
    /// Files with several names that were copied already, by device and inode: where to.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copier<'_> {
    fn directory(&mut self, from: &MergedDir, to: &OwnedFd, path: &Path) -> Result<(), CopyError> {
        let failed = |errno: Errno| CopyError { path: path.to_owned(), source: errno.into() };
        for name in from.names().map_err(failed)? {
            let path = path.join(&name);
            let failed = |errno: Errno| CopyError { path: path.clone(), source: errno.into() };
            match from.lookup(&name).map_err(failed)? {
                None => {}
                Some(Node::Dir(inner)) => {
                    let made = mkdirat(to, &name, Mode::RWXU);
                    let made = made.and_then(|()| openat(to, &name, DIRECTORY, Mode::empty())).map_err(failed)?;
                    self.directory(&inner, &made, &path)?;
                }
                Some(Node::Leaf { parent, stat }) => {
                    self.leaf(&Leaf { parent: &parent, stat: &stat, name: &name }, to, &path)?;
                }
            }
        }
        // Last, since every file made in it changes its times.
        from.stat().and_then(|stat| describe(from.top(), &stat, to)).map_err(failed)
    }

    fn leaf(&mut self, leaf: &Leaf<'_>, to: &OwnedFd, path: &Path) -> Result<(), CopyError> {
        let failed = |source| CopyError { path: path.to_owned(), source };
        if leaf.stat.st_nlink > 1 {
            let inode = (leaf.stat.st_dev, leaf.stat.st_ino);
            if let Some(first) = self.links.get(&inode) {
                let linked = linkat(self.root, first, to, leaf.name, AtFlags::empty());
                return linked.map_err(|errno| failed(errno.into()));
            }
            self.links.insert(inode, path.to_owned());
        }
        match FileType::from_raw_mode(leaf.stat.st_mode) {
            FileType::RegularFile => leaf.file(to),
            FileType::Symlink => leaf.symlink(to).map_err(io::Error::from),
            FileType::Fifo => leaf.fifo(to).map_err(io::Error::from),
            // Images hold no devices, and a socket without its server is nothing.
            _ => Ok(()),
        }
        .map_err(failed)
    }
}

struct Leaf<'a> {
    parent: &'a OwnedFd,
    stat: &'a Stat,
    name: &'a OsString,
}

impl Leaf<'_> {
    fn file(&self, to: &OwnedFd) -> io::Result<()> {
        let reading = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let writing = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut source = File::from(openat(self.parent, self.name, reading, Mode::empty())?);
        let mut target = File::from(openat(to, self.name, writing, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut source, &mut target)?;
        Ok(describe(&source, self.stat, &target)?)
    }

    fn symlink(&self, to: &OwnedFd) -> Result<(), Errno> {
        let target = readlinkat(self.parent, self.name, Vec::new())?;
        symlinkat(target, to, self.name)?;
        self.describe_unopened(to)
    }

    fn fifo(&self, to: &OwnedFd) -> Result<(), Errno> {
        mknodat(to, self.name, FileType::Fifo, Mode::RUSR, 0)?;
        self.describe_unopened(to)?;
        chmodat(to, self.name, mode(self.stat), AtFlags::empty())?;
        utimensat(to, self.name, &times(self.stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn describe_unopened(&self, to: &OwnedFd) -> Result<(), Errno> {
        let (uid, gid) = owner(self.stat);
        chownat(to, self.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        utimensat(to, self.name, &times(self.stat), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// Gives `to` the attributes of `from`, and owner, mode and times from `stat`. Owner before mode before attributes: each of them may clear what
/// comes after it.
pub(crate) fn describe(from: impl AsFd, stat: &Stat, to: impl AsFd) -> Result<(), Errno> {
    let (uid, gid) = owner(stat);
    fchown(&to, uid, gid)?;
    fchmod(&to, mode(stat))?;
    copy_attributes(from.as_fd(), to.as_fd())?;
    futimens(&to, &times(stat))
}

/// File capabilities and the user's own attributes; overlayfs's bookkeeping stays behind.
fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    let length = match flistxattr_query(from) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let mut names = vec![0; length];
    let length = if length == 0 { 0 } else { flistxattr(from, &mut names[..])? };
    for name in names[..length].split(|b| *b == 0) {
        if name != b"security.capability" && !name.starts_with(b"user.") {
            continue;
        }
        let mut value = vec![0; fgetxattr_query(from, name)?];
        let length = if value.is_empty() { 0 } else { fgetxattr(from, name, &mut value[..])? };
        match fsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            // A file system without user attributes loses a comment, not a right.
            Err(Errno::OPNOTSUPP) if name.starts_with(b"user.") => {}
            other => other?,
        }
    }
    Ok(())
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |tv_sec, nanos| Timespec { tv_sec, tv_nsec: nanos };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    }
}
