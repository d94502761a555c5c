//! The directory being written: creates files relative to open directories, never by path and never through a link; decides no policy.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat,
    fchmod, fchown, fgetxattr, fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;

use super::UnpackError;
use super::lower::{Lower, is_whiteout};
use super::path::TreePath;
use crate::tar_reader::Entry;

const OPAQUE: &str = "trusted.overlay.opaque";
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) struct Tree {
    root: OwnedFd,
    lower: Lower,
    /// The directories from the root to where the last entry went, so that neighbours cost one open each.
    open: Vec<(Vec<u8>, OwnedFd)>,
    /// Times of directories, set last because writing into a directory changes them.
    times: BTreeMap<Vec<u8>, Timestamps>,
}

impl Tree {
    pub(super) fn new(root: OwnedFd, lower: Lower) -> Result<Tree, UnpackError> {
        let inherited = lower.lookup(&[]).and_then(|below| inherit_from(&root, below));
        inherited.map_err(|errno| UnpackError::Write { path: "/".to_owned(), source: errno.into() })?;
        Ok(Tree { root, lower, open: Vec::new(), times: BTreeMap::new() })
    }

    /// An empty file, in the place of whatever was there.
    pub(super) fn create(&mut self, path: &TreePath<'_>) -> Result<File, UnpackError> {
        self.place(path, |dir| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(dir, path.name(), flags, Mode::RUSR | Mode::WUSR)
        })
        .map(File::from)
    }

    pub(super) fn symlink(&mut self, path: &TreePath<'_>, entry: &Entry) -> Result<(), UnpackError> {
        self.place(path, |dir| symlinkat(entry.link.as_slice(), dir, path.name()))?;
        self.describe_unopened(path, entry, None)
    }

    pub(super) fn fifo(&mut self, path: &TreePath<'_>, entry: &Entry) -> Result<(), UnpackError> {
        self.place(path, |dir| mknodat(dir, path.name(), FileType::Fifo, Mode::RUSR, 0))?;
        self.describe_unopened(path, entry, Some(mode(entry)))
    }

    /// A second name for a file that this layer already holds.
    pub(super) fn hard_link(&mut self, path: &TreePath<'_>, target: &TreePath<'_>) -> Result<(), UnpackError> {
        let refused = || UnpackError::HardLink { path: path.shown(), target: target.shown() };
        if path == target {
            return Err(refused());
        }
        let Some(from) = self.existing(target.parent().names()).map_err(|errno| written(path, errno))? else {
            return Err(refused());
        };
        let stat = match statat(&from, target.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(refused()),
            Err(errno) => return Err(written(path, errno)),
        };
        if !matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Symlink | FileType::Fifo)
        {
            return Err(refused());
        }
        self.place(path, |dir| linkat(&from, target.name(), dir, path.name(), AtFlags::empty()))
    }

    /// A directory with the entry's metadata; one that is there already keeps its content.
    pub(super) fn directory(&mut self, path: &TreePath<'_>, entry: &Entry) -> Result<(), UnpackError> {
        self.descend(path.names(), path)?;
        let dir = self.current();
        describe(dir, entry).map_err(|errno| written(path, errno))?;
        self.times.insert(path.joined(), times(entry));
        Ok(())
    }

    /// Hides what the layers below have at `path`. A whiteout never touches this layer's own files (OCI image spec, "Whiteouts"), in
    /// whatever order they come.
    pub(super) fn whiteout(&mut self, path: &TreePath<'_>) -> Result<(), UnpackError> {
        // Where nothing is to be hidden a mark would only show up as a file that cannot be opened.
        if self.lower.lookup(path.names()).map_err(|errno| written(path, errno))?.is_none() {
            return Ok(());
        }
        self.descend(path.parent().names(), path)?;
        let dir = self.current();
        if is_opaque(dir).map_err(|errno| written(path, errno))? {
            return Ok(());
        }
        let made = mknodat(dir, path.name(), FileType::CharacterDevice, Mode::empty(), makedev(0, 0));
        match made {
            Err(Errno::EXIST) => {}
            other => return other.map_err(|errno| written(path, errno)),
        }
        match openat(dir, path.name(), DIRECTORY, Mode::empty()) {
            Ok(own) => set_opaque(own.as_fd()),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(errno) => Err(errno),
        }
        .map_err(|errno| written(path, errno))
    }

    /// Hides everything the layers below have in the directory `path`.
    pub(super) fn opaque(&mut self, path: &TreePath<'_>) -> Result<(), UnpackError> {
        self.descend(path.names(), path)?;
        set_opaque(self.current()).map_err(|errno| written(path, errno))
    }

    /// Sets the directories' times; the tree is complete afterwards.
    pub(super) fn finish(mut self) -> Result<(), UnpackError> {
        let times = std::mem::take(&mut self.times);
        for (path, times) in &times {
            let names: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|name| !name.is_empty()).collect();
            let set = match self.existing(&names) {
                Ok(Some(dir)) => futimens(dir, times),
                // A later entry of the archive replaced it.
                Ok(None) => Ok(()),
                Err(errno) => Err(errno),
            };
            set.map_err(|errno| UnpackError::Write { path: super::shown(path), source: errno.into() })?;
        }
        Ok(())
    }

    /// Creates something at `path` by `make`, which must fail with EEXIST where something is; that is removed then, once.
    fn place<T>(
        &mut self,
        path: &TreePath<'_>,
        make: impl Fn(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, UnpackError> {
        self.descend(path.parent().names(), path)?;
        let made = match make(self.current()) {
            Err(Errno::EXIST) => {
                remove(self.current(), path.name()).map_err(|errno| written(path, errno))?;
                make(self.current())
            }
            other => other,
        };
        made.map_err(|errno| written(path, errno))
    }

    fn current(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.root.as_fd(), |(_, dir)| dir.as_fd())
    }

    /// Opens the directory `names`, keeping what is already open of it and creating what is missing. `path` is for messages.
    fn descend(&mut self, names: &[&[u8]], path: &TreePath<'_>) -> Result<(), UnpackError> {
        let shared = self.open.iter().zip(names).take_while(|((open, _), name)| open == *name).count();
        self.open.truncate(shared);
        for depth in shared..names.len() {
            let name = names[depth];
            let dir = match openat(self.current(), name, DIRECTORY, Mode::empty()) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => self.implicit(&names[..=depth]).map_err(|errno| written(path, errno))?,
                Err(Errno::NOTDIR | Errno::LOOP) => self.over(&names[..=depth], path)?,
                Err(errno) => return Err(written(path, errno)),
            };
            self.open.push((name.to_vec(), dir));
        }
        Ok(())
    }

    /// A directory that the archive needs but has not described: as it is below, else root's with mode 0755.
    fn implicit(&self, names: &[&[u8]]) -> Result<OwnedFd, Errno> {
        let name = names.last().copied().unwrap_or_default();
        mkdirat(self.current(), name, Mode::RWXU)?;
        let dir = openat(self.current(), name, DIRECTORY, Mode::empty())?;
        inherit_from(&dir, self.lower.lookup(names)?)?;
        Ok(dir)
    }

    /// A directory where something else is: only a whiteout gives way, or a file that an entry for the very directory replaces.
    fn over(&self, names: &[&[u8]], path: &TreePath<'_>) -> Result<OwnedFd, UnpackError> {
        let name = names.last().copied().unwrap_or_default();
        let fail = |errno| written(path, errno);
        let stat = statat(self.current(), name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        let whiteout = is_whiteout(&stat);
        if !whiteout && names != path.names() {
            return Err(UnpackError::NotADirectory { path: path.shown(), through: super::shown(&names.join(&b'/')) });
        }
        unlinkat(self.current(), name, AtFlags::empty()).map_err(fail)?;
        let dir = self.implicit(names).map_err(fail)?;
        if whiteout {
            set_opaque(dir.as_fd()).map_err(fail)?;
        }
        Ok(dir)
    }

    /// An existing directory of this layer; `None` where there is none or a link is in the way.
    fn existing(&self, names: &[&[u8]]) -> Result<Option<OwnedFd>, Errno> {
        let mut dir = openat(&self.root, c".", DIRECTORY, Mode::empty())?;
        for name in names {
            dir = match openat(&dir, *name, DIRECTORY, Mode::empty()) {
                Ok(dir) => dir,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(errno),
            };
        }
        Ok(Some(dir))
    }

    /// Metadata of a file that was just made and cannot be opened. No other process can reach it to put a link in its place.
    fn describe_unopened(&self, path: &TreePath<'_>, entry: &Entry, mode: Option<Mode>) -> Result<(), UnpackError> {
        let (dir, name) = (self.current(), path.name());
        let done = chownat(dir, name, owner(entry).0, owner(entry).1, AtFlags::SYMLINK_NOFOLLOW)
            .and_then(|()| mode.map_or(Ok(()), |mode| chmodat(dir, name, mode, AtFlags::empty())))
            .and_then(|()| utimensat(dir, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW));
        done.map_err(|errno| written(path, errno))
    }
}

/// Gives an open file or directory the entry's owner, mode, attributes and times, in the order that keeps set-uid bits and capabilities.
pub(super) fn describe(file: impl AsFd, entry: &Entry) -> Result<(), Errno> {
    let (uid, gid) = owner(entry);
    fchown(&file, uid, gid)?;
    fchmod(&file, mode(entry))?;
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_kept(name)) {
        match fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()) {
            // A file system without user attributes loses a comment, not a right.
            Err(Errno::OPNOTSUPP) if name.starts_with(b"user.") => {}
            other => other?,
        }
    }
    futimens(&file, &times(entry))
}

/// File capabilities and the user's own attributes; not `user.overlay.*`, by which an image could redirect the overlay mount, nor the host's security labels.
fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

pub(super) fn is_opaque(dir: impl AsFd) -> Result<bool, Errno> {
    let mut value = [0_u8; 1];
    match fgetxattr(dir, OPAQUE, &mut value) {
        Ok(read) => Ok(read == 1 && value == *b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn set_opaque(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    fsetxattr(dir, OPAQUE, b"y", XattrFlags::empty())
}

fn inherit_from(dir: &OwnedFd, below: Option<Stat>) -> Result<(), Errno> {
    let below = below.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
    let (uid, gid, mode) = below.map_or((0, 0, 0o755), |stat| (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777));
    fchown(dir, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    fchmod(dir, Mode::from_raw_mode(mode))
}

fn remove(dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        other => return other,
    }
    let inner = openat(dir, name, DIRECTORY, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&inner)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            remove(inner.as_fd(), name)?;
        }
    }
    unlinkat(dir, name, AtFlags::REMOVEDIR)
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}

fn mode(entry: &Entry) -> Mode {
    Mode::from_raw_mode(entry.mode)
}

fn times(entry: &Entry) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: entry.mtime_s, tv_nsec: entry.mtime_ns.into() },
    }
}

fn written(path: &TreePath<'_>, errno: Errno) -> UnpackError {
    UnpackError::Write { path: path.shown(), source: errno.into() }
}
