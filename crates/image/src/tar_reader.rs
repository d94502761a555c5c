//! A strict reader of tar streams: ustar, PAX and GNU long names, one meaning per entry; it writes nothing and knows no policy of paths.
//!
//! Ours because the usual crate splits PAX records at newlines, which breaks binary attributes such as `security.capability`, and because two readers
//! of one archive must not differ about what it holds: whatever could be read in two ways is refused. Format: POSIX.1-2017 `pax`, GNU tar manual.

mod header;
mod pax;

use std::io::{self, Read};

use header::{BLOCK, Header};
use pax::Pax;

/// Bytes that an extension header may have: far above any real one.
const EXTENSION_MAX: u64 = 1 << 20;

/// One file of an archive, with everything the extension headers said already applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As written; not cleaned, not trusted. No NUL inside.
    pub path: Vec<u8>,
    pub kind: EntryKind,
    /// Permission bits with set-uid, set-gid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_s: i64,
    pub mtime_ns: u32,
    /// Bytes of content that follow; 0 unless a regular file.
    pub size: u64,
    /// Target of a hard or symbolic link.
    pub link: Vec<u8>,
    /// Extended attributes, all that the archive names.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// Why a stream is not a tar archive that has one meaning.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    #[error("the archive ends in the middle of an entry")]
    Truncated,
    #[error("entry {number}: {reason}")]
    Malformed { number: u64, reason: String },
}

/// A source that can pass over bytes, faster than by reading them where it can seek.
pub(crate) trait Input: Read + Sized {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.by_ref().take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The reader: [`TarReader::next_entry`], then as much of [`Read`] as wanted, and again.
pub(crate) struct TarReader<R> {
    input: R,
    /// Offset of the next byte of `input`.
    position: u64,
    /// Content of the current entry not yet read, and the padding after it.
    remaining: u64,
    padding: u64,
    number: u64,
    ended: bool,
}

impl<R: Input> TarReader<R> {
    pub(crate) fn new(input: R) -> Self {
        TarReader { input, position: 0, remaining: 0, padding: 0, number: 0, ended: false }
    }

    /// Where the current entry's content starts, in bytes from the start of the stream.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The stream itself, after the last entry: the rest of it still counts for its digest.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// The next file, or `None` after the last one.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut pax: Option<Pax> = None;
        let mut long_name: Option<Vec<u8>> = None;
        let mut long_link: Option<Vec<u8>> = None;
        loop {
            let Some(header) = self.next_header()? else {
                if pax.is_some() || long_name.is_some() || long_link.is_some() {
                    return Err(self.malformed("an extension header with no entry after it"));
                }
                return Ok(None);
            };
            match header.type_flag() {
                b'x' => {
                    let data = self.extension(&header)?;
                    let parsed = Pax::parse(&data).map_err(|reason| self.malformed(reason))?;
                    self.set_once(&mut pax, parsed)?;
                }
                b'g' => {
                    let data = self.extension(&header)?;
                    let global = Pax::parse(&data).map_err(|reason| self.malformed(reason))?;
                    if !global.is_empty() {
                        return Err(self.malformed("a global header that changes later entries"));
                    }
                }
                b'L' => {
                    let name = self.extension(&header)?;
                    self.set_once(&mut long_name, up_to_nul(name))?;
                }
                b'K' => {
                    let link = self.extension(&header)?;
                    self.set_once(&mut long_link, up_to_nul(link))?;
                }
                _ => {
                    let entry = self.finish(&header, pax.unwrap_or_default(), long_name, long_link)?;
                    self.remaining = entry.size;
                    self.padding = padding(entry.size);
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn finish(
        &self,
        header: &Header,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, TarError> {
        let refuse = |reason: &str| Err(self.malformed(reason));
        let path = match (pax.path, long_name) {
            (Some(pax), Some(gnu)) if pax != gnu => return refuse("two different long names"),
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => header.path(),
        };
        let link = match (pax.link, long_link) {
            (Some(pax), Some(gnu)) if pax != gnu => return refuse("two different link targets"),
            (Some(link), _) | (None, Some(link)) => link,
            (None, None) => header.link(),
        };
        let number = |value: Result<u64, &'static str>| value.map_err(|reason| self.malformed(reason));
        let header_size = number(header.size())?;
        let size = match pax.size {
            // A writer that needs the extension puts 0, or the same, into the old field.
            Some(size) if header_size != 0 && header_size != size => return refuse("two different sizes"),
            Some(size) => size,
            None => header_size,
        };
        let kind = header.kind(&path).map_err(|reason| self.malformed(reason))?;
        if kind != EntryKind::File && size != 0 {
            return refuse("content in an entry that is no regular file");
        }
        if size.checked_add(padding(size)).is_none() {
            return refuse("a size that does not exist");
        }
        let (mtime_s, mtime_ns) = match pax.mtime {
            Some(mtime) => mtime,
            None => (header.mtime().map_err(|reason| self.malformed(reason))?, 0),
        };
        let id = |pax: Option<u64>, old: Result<u64, &'static str>| {
            let id = match pax {
                Some(id) => id,
                None => number(old)?,
            };
            // The highest number means "leave as it is" to chown.
            u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or_else(|| self.malformed("an owner that is no uid"))
        };
        Ok(Entry {
            kind,
            mode: u32::try_from(number(header.mode())? & 0o7777).unwrap_or(0),
            uid: id(pax.uid, header.uid())?,
            gid: id(pax.gid, header.gid())?,
            mtime_s,
            mtime_ns,
            size,
            link: if matches!(kind, EntryKind::HardLink | EntryKind::Symlink) { link } else { Vec::new() },
            xattrs: pax.xattrs,
            device: header.device().map_err(|reason| self.malformed(reason))?,
            path,
        })
    }

    /// Passes over what is left of the current entry and reads the next header; `None` at the end of the archive.
    fn next_header(&mut self) -> Result<Option<Header>, TarError> {
        let rest = self.remaining + self.padding;
        if rest > 0 {
            self.input.skip(rest).map_err(read_error)?;
            self.position += rest;
            (self.remaining, self.padding) = (0, 0);
        }
        if self.ended {
            return Ok(None);
        }
        self.number += 1;
        let Some(block) = self.block()? else {
            self.ended = true;
            return Ok(None);
        };
        if block == [0; BLOCK] {
            self.ended = true;
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => Err(self.malformed("data after an end mark")),
                _ => Ok(None),
            };
        }
        Header::parse(block).map(Some).map_err(|reason| self.malformed(reason))
    }

    /// One block, or `None` where the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Truncated),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, TarError> {
        let size = header.size().map_err(|reason| self.malformed(reason))?;
        if size > EXTENSION_MAX {
            return Err(self.malformed("an extension header larger than 1 MiB"));
        }
        (self.remaining, self.padding) = (size, padding(size));
        let mut data = Vec::new();
        self.read_to_end(&mut data).map_err(read_error)?;
        Ok(data)
    }

    fn set_once<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), TarError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.malformed("the same extension header twice")),
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> TarError {
        TarError::Malformed { number: self.number, reason: reason.into() }
    }
}

/// The content of the current entry; a stream that ends early is an error, never a short file.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= read as u64;
        self.position += read as u64;
        Ok(read)
    }
}

fn read_error(error: io::Error) -> TarError {
    if error.kind() == io::ErrorKind::UnexpectedEof { TarError::Truncated } else { TarError::Read(error) }
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

fn up_to_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|b| *b == 0) {
        text.truncate(end);
    }
    text
}
