//! Places in a log that outlive its rotations and the process that was there: which file, and how far into it.

use rustix::fs::{AtFlags, StatxFlags, statx};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::str::FromStr;

/// A file whatever it is called by now; its birth tells it from one that was given the number of a deleted one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileId {
    inode: u64,
    born_ns: u64,
}

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let found = statx(file.as_fd(), c"", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
        // 0 on a file system that keeps no birth.
        let born = found.stx_btime;
        let born_ns = (born.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(u64::from(born.tv_nsec));
        Ok(Self { inode: found.stx_ino, born_ns })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub file: FileId,
    /// In bytes.
    pub offset: u64,
}

/// From where to go on reading. As text it is two places of three hexadecimal numbers each; only who wrote it reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bookmark {
    /// Where reading begins: at the oldest line that is begun and not ended.
    pub(super) from: Place,
    /// Lines that end up to here were given out.
    pub(super) sent: Place,
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |Place { file, offset }: Place| format!("{:x}.{:x}.{offset:x}", file.inode, file.born_ns);
        write!(f, "{}-{}", place(self.from), place(self.sent))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no place in a log")]
pub(crate) struct BookmarkError(String);

impl FromStr for Bookmark {
    type Err = BookmarkError;

    fn from_str(text: &str) -> Result<Self, BookmarkError> {
        let places =
            text.split_once('-').and_then(|(from, sent)| Some(Self { from: place(from)?, sent: place(sent)? }));
        places.ok_or_else(|| BookmarkError(text.to_owned()))
    }
}

fn place(text: &str) -> Option<Place> {
    let mut numbers = text.split('.').map(|number| u64::from_str_radix(number, 16).ok());
    let mut next = || numbers.next().flatten();
    let place = Place { file: FileId { inode: next()?, born_ns: next()? }, offset: next()? };
    numbers.next().is_none().then_some(place)
}
