//! What a container sees of an image's stacked layers: the merge that overlayfs makes, read without a mount; writes nothing.
//!
//! Rules: kernel documentation, "Overlay Filesystem": whiteouts are character devices 0:0, opaque directories carry `trusted.overlay.opaque=y`.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fgetxattr, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

/// Links on the way to a path, as the kernel's MAXSYMLINKS.
const LINKS_MAX: usize = 40;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory as the container sees it: the directories of the layers that contribute, top first, never empty.
#[derive(Clone)]
pub(crate) struct MergedDir(Rc<Vec<OwnedFd>>);

/// What a name in a merged directory is.
pub(crate) enum Node {
    Dir(MergedDir),
    /// Anything else: the layer's directory it lies in, and its metadata. Links are not followed.
    Leaf {
        parent: OwnedFd,
        stat: Box<Stat>,
    },
}

impl MergedDir {
    /// The root of the layers in `dirs`, top first.
    pub(crate) fn open(dirs: &[PathBuf]) -> Result<Option<MergedDir>, Errno> {
        let opened: Result<Vec<_>, _> = dirs.iter().map(|dir| openat(CWD, dir, DIRECTORY, Mode::empty())).collect();
        let opened = opened?;
        Ok((!opened.is_empty()).then(|| MergedDir(Rc::new(opened))))
    }

    /// The directory whose owner, mode and times show.
    pub(crate) fn top(&self) -> &OwnedFd {
        self.0.first().expect("a merged directory has at least one layer")
    }

    pub(crate) fn lookup(&self, name: &OsStr) -> Result<Option<Node>, Errno> {
        let mut found = Vec::new();
        for layer in self.0.iter() {
            let stat = match statat(layer, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                if found.is_empty() && !is_whiteout(&stat) {
                    let parent = layer.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?;
                    return Ok(Some(Node::Leaf { parent, stat: Box::new(stat) }));
                }
                // It hides whatever lies below it.
                break;
            }
            let dir = openat(layer, name, DIRECTORY, Mode::empty())?;
            let opaque = is_opaque(&dir)?;
            found.push(dir);
            if opaque {
                break;
            }
        }
        Ok((!found.is_empty()).then(|| Node::Dir(MergedDir(Rc::new(found)))))
    }

    /// The visible names, in order.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, Errno> {
        let mut names = BTreeSet::new();
        for layer in self.0.iter() {
            for entry in Dir::read_from(layer)? {
                let name = entry?.file_name().to_bytes().to_vec();
                if name != b"." && name != b".." {
                    names.insert(OsString::from_vec(name));
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The directory at a container path. Links are followed inside the merged root only, as a container would; `None` where there is no directory.
    pub(crate) fn walk(&self, path: &Path) -> Result<Option<MergedDir>, Errno> {
        let mut todo: VecDeque<OsString> = parts(path);
        let mut above: Vec<MergedDir> = Vec::new();
        let mut here = self.clone();
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                // The parent of the root is the root.
                here = above.pop().unwrap_or(here);
                continue;
            }
            match here.lookup(&name)? {
                None => return Ok(None),
                Some(Node::Dir(next)) => above.push(std::mem::replace(&mut here, next)),
                Some(Node::Leaf { parent, stat }) => {
                    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                        return Ok(None);
                    }
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::LOOP);
                    }
                    let target = readlinkat(parent, name.as_os_str(), Vec::new())?.into_bytes();
                    let target = Path::new(OsStr::from_bytes(&target));
                    if target.is_absolute() {
                        here = self.clone();
                        above.clear();
                    }
                    let mut rest = parts(target);
                    rest.append(&mut todo);
                    todo = rest;
                }
            }
        }
        Ok(Some(here))
    }

    /// Metadata of the directory as it shows.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        fstat(self.top())
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_opaque(dir: &OwnedFd) -> Result<bool, Errno> {
    let mut value = [0_u8; 1];
    match fgetxattr(dir, "trusted.overlay.opaque", &mut value) {
        Ok(read) => Ok(read == 1 && value == *b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}
