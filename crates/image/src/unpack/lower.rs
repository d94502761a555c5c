//! What the layers below show at a path, read as overlayfs would merge them; writes nothing.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::tree::is_opaque;

pub(super) struct Lower {
    /// Top first.
    roots: Vec<OwnedFd>,
}

/// What one layer says about a path.
enum Seen {
    /// Nothing: the next layer down is asked.
    Absent,
    /// It is hidden from here down.
    Hidden,
    Here(Stat),
}

impl Lower {
    pub(super) fn new(roots: Vec<OwnedFd>) -> Lower {
        Lower { roots }
    }

    /// The file that a container of the layers below would see at `names`, its links not followed.
    pub(super) fn lookup(&self, names: &[&[u8]]) -> Result<Option<Stat>, Errno> {
        for root in &self.roots {
            match look(root, names)? {
                Seen::Absent => {}
                Seen::Hidden => return Ok(None),
                Seen::Here(stat) => return Ok(Some(stat)),
            }
        }
        Ok(None)
    }
}

fn look(root: &OwnedFd, names: &[&[u8]]) -> Result<Seen, Errno> {
    let Some((last, parents)) = names.split_last() else {
        return rustix::fs::fstat(root).map(Seen::Here);
    };
    let mut dir: Option<OwnedFd> = None;
    // Once a directory on the way is opaque, layers below it have no say.
    let mut sealed = false;
    let absent = |sealed| if sealed { Seen::Hidden } else { Seen::Absent };
    for name in parents {
        let at = dir.as_ref().unwrap_or(root).as_fd();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(at, *name, flags, Mode::empty()) {
            Ok(next) => {
                sealed |= is_opaque(&next)?;
                dir = Some(next);
            }
            Err(Errno::NOENT) => return Ok(absent(sealed)),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Seen::Hidden),
            Err(errno) => return Err(errno),
        }
    }
    match statat(dir.as_ref().unwrap_or(root), *last, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if is_whiteout(&stat) => Ok(Seen::Hidden),
        Ok(stat) => Ok(Seen::Here(stat)),
        Err(Errno::NOENT) => Ok(absent(sealed)),
        Err(errno) => Err(errno),
    }
}

/// Overlayfs's mark for a deleted file: a character device with the number 0:0.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
