//! Reading a container's log file as it grows, through its rotations; woken by the kernel, never by a timer.

use jiff::Timestamp;
use rustix::fs::inotify;
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// Bytes of one line that are kept before it is given out in parts (CloudWatch Logs: the largest event).
const LINE_MAX: usize = 256 << 10;

/// One line of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub text: String,
    pub stderr: bool,
    pub timestamp_ms: u64,
}

/// Docker's json-file record.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// A place in a log file and everything after it.
pub(crate) struct Tail {
    path: PathBuf,
    file: File,
    /// Bytes of records that were given out, from where the tail was opened.
    pub consumed: u64,
    buffer: Vec<u8>,
    /// A line whose newline has not come yet; one for each stream.
    partial: [Option<Line>; 2],
}

impl Tail {
    /// Opens where `behind` bytes are left to read up to the present end, counting through rotated files.
    pub(crate) fn open(path: &Path, mut behind: u64) -> io::Result<Self> {
        let mut newest_first = vec![path.to_owned()];
        newest_first.extend((1..).map(|n| rotated(path, n)).take_while(|p| p.exists()));
        let mut chosen = (File::open(path)?, 0);
        for candidate in newest_first {
            let file = File::open(&candidate)?;
            let length = file.metadata()?.len();
            chosen = (file, length.saturating_sub(behind));
            if behind <= length {
                break;
            }
            behind -= length;
        }
        let (mut file, from) = chosen;
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { path: path.to_owned(), file, consumed: 0, buffer: Vec::new(), partial: [None, None] })
    }

    /// Opens at the oldest line that is kept.
    pub(crate) fn from_start(path: &Path) -> io::Result<Self> {
        Self::open(path, u64::MAX)
    }

    /// The lines that are there now, at most about `limit` of them; empty at the end.
    pub(crate) fn read(&mut self, limit: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        while lines.len() < limit {
            if self.take_records(&mut lines) {
                continue;
            }
            let mut chunk = vec![0; CHUNK];
            let got = self.file.read(&mut chunk)?;
            if got > 0 {
                self.buffer.extend_from_slice(&chunk[..got]);
            } else if !self.next_file()? {
                break;
            }
        }
        Ok(lines)
    }

    /// What is left of lines without a newline, once nothing more will come.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        self.partial.iter_mut().filter_map(Option::take).collect()
    }

    /// Whether a line is held back because its end has not come.
    pub(crate) fn holds_back(&self) -> bool {
        self.partial.iter().any(Option::is_some)
    }

    /// Moves the whole records of the buffer into lines; false if there was none.
    fn take_records(&mut self, lines: &mut Vec<Line>) -> bool {
        let Some(end) = self.buffer.iter().rposition(|b| *b == b'\n').map(|at| at + 1) else { return false };
        let rest = self.buffer.split_off(end);
        let whole = std::mem::replace(&mut self.buffer, rest);
        self.consumed += whole.len() as u64;
        for record in whole.split(|b| *b == b'\n').filter(|r| !r.is_empty()) {
            lines.extend(self.line(record));
        }
        true
    }

    fn line(&mut self, record: &[u8]) -> Option<Line> {
        // A record cut by a full disk is no line.
        let record: Record<'_> = serde_json::from_slice(record).ok()?;
        let stderr = record.stream == "stderr";
        let time = record.time.parse::<Timestamp>().map_or(0, |t| t.as_millisecond().max(0) as u64);
        let slot = &mut self.partial[usize::from(stderr)];
        let line = slot.get_or_insert(Line { text: String::new(), stderr, timestamp_ms: time });
        match record.log.strip_suffix('\n') {
            Some(text) => {
                line.text.push_str(text);
                slot.take()
            }
            None => {
                line.text.push_str(&record.log);
                if line.text.len() >= LINE_MAX { slot.take() } else { None }
            }
        }
    }

    /// After a rotation: goes on with the file that followed the one just read to its end. False if that was the newest.
    fn next_file(&mut self) -> io::Result<bool> {
        let here = self.file.metadata()?.ino();
        let inode = |path: &Path| std::fs::metadata(path).map(|m| m.ino()).ok();
        if inode(&self.path) == Some(here) {
            return Ok(false);
        }
        let following = (1..).map(|n| rotated(&self.path, n)).take_while(|p| p.exists());
        let older: Vec<PathBuf> = std::iter::once(self.path.clone()).chain(following).collect();
        let next = match older.iter().position(|p| inode(p) == Some(here)) {
            Some(at) => &older[at - 1],
            // It was rotated away altogether: the oldest that is left comes next.
            None => older.last().unwrap_or(&self.path),
        };
        match File::open(next) {
            Ok(file) => {
                self.file = file;
                Ok(true)
            }
            // Between two renames: the next wake finds it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn rotated(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// Wakes when something is written below a folder.
pub(crate) struct Changes(AsyncFd<OwnedFd>);

impl Changes {
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let fd = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&fd, dir, events)?;
        Ok(Self(crate::ready::watch(fd)?))
    }

    /// Until something has changed since the last call, or since this was made.
    pub(crate) async fn next(&self) -> io::Result<()> {
        let mut events = [0u8; 4096];
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut events)?)) {
                Ok(read) => return read.map(drop),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn record(text: &str) -> String {
        let log = serde_json::to_string(text).unwrap();
        format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.678Z\"}}\n")
    }

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(record(text).as_bytes()).unwrap();
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|l| l.text).collect()
    }

    #[test]
    fn lines_come_whole_through_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        append(&path, "one\n");
        append(&path, "tw");
        let mut tail = Tail::from_start(&path).unwrap();
        assert_eq!(texts(tail.read(10).unwrap()), ["one"]);
        assert!(tail.holds_back());
        append(&path, "o\n");
        std::fs::rename(&path, rotated(&path, 1)).unwrap();
        append(&path, "three\n");
        assert_eq!(texts(tail.read(10).unwrap()), ["two", "three"]);
        assert_eq!(
            tail.consumed as usize,
            ["one\n", "tw", "o\n", "three\n"].map(|t| record(t).len()).iter().sum::<usize>()
        );
    }

    #[test]
    fn a_place_is_found_again_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        for text in ["a\n", "b\n"] {
            append(&path, text);
        }
        std::fs::rename(&path, rotated(&path, 1)).unwrap();
        append(&path, "c\n");
        let each = record("a\n").len() as u64;
        for (behind, expected) in
            [(0, vec![]), (each, vec!["c"]), (2 * each, vec!["b", "c"]), (3 * each, vec!["a", "b", "c"])]
        {
            assert_eq!(texts(Tail::open(&path, behind).unwrap().read(10).unwrap()), expected, "{behind} behind");
        }
        assert_eq!(texts(Tail::from_start(&path).unwrap().read(10).unwrap()), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_write_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let changes = Changes::of(dir.path()).unwrap();
        append(&dir.path().join("x.log"), "a\n");
        tokio::time::timeout(std::time::Duration::from_secs(5), changes.next()).await.unwrap().unwrap();
    }
}
