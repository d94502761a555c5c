//! Reading a container's log file as it grows, through its rotations; woken by the kernel, never by a timer.

mod place;

use jiff::Timestamp;
pub(crate) use place::Bookmark;
use place::{FileId, Place};
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
    /// From where to go on once this line was shown.
    pub bookmark: Bookmark,
}

/// A line whose newline has not come yet.
struct Partial {
    text: String,
    timestamp_ms: u64,
    /// Where its first record begins, and how many bytes lie before it.
    start: Place,
    consumed: u64,
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
    /// Where the buffer begins.
    at: Place,
    /// One for each stream.
    partial: [Option<Partial>; 2],
    /// Lines up to here were given out by an earlier tail.
    skip: Option<Place>,
}

impl Tail {
    /// Opens where `behind` bytes are left to read up to the present end, counting through rotated files.
    pub(crate) fn open(path: &Path, mut behind: u64) -> io::Result<Self> {
        let mut chosen = (File::open(path)?, 0);
        for candidate in newest_first(path) {
            let file = File::open(&candidate)?;
            let length = file.metadata()?.len();
            chosen = (file, length.saturating_sub(behind));
            if behind <= length {
                break;
            }
            behind -= length;
        }
        let (file, from) = chosen;
        Self::at(path, file, from)
    }

    fn at(path: &Path, mut file: File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        let at = Place { file: FileId::of(&file)?, offset };
        let path = path.to_owned();
        Ok(Self { path, file, consumed: 0, buffer: Vec::new(), at, partial: [None, None], skip: None })
    }

    /// Opens where an earlier tail was, whatever its file is called by now; at the oldest line that is kept when that file was
    /// rotated away.
    pub(crate) fn resume(path: &Path, mark: Bookmark) -> io::Result<Self> {
        let mut found = None;
        let mut skip_is_there = false;
        for candidate in newest_first(path) {
            let file = File::open(&candidate)?;
            let id = FileId::of(&file)?;
            skip_is_there |= id == mark.sent.file;
            if id == mark.from.file {
                found = Some(file);
                break;
            }
        }
        let mut tail = match found {
            Some(file) => Self::at(path, file, mark.from.offset)?,
            None => Self::from_start(path)?,
        };
        tail.skip = Some(mark.sent).filter(|sent| skip_is_there && *sent != tail.at);
        Ok(tail)
    }

    /// From where to go on after everything that was given out so far.
    pub(crate) fn bookmark(&self) -> Bookmark {
        let oldest = self.partial.iter().flatten().min_by_key(|partial| partial.consumed);
        Bookmark { from: oldest.map_or(self.at, |partial| partial.start), sent: self.skip.unwrap_or(self.at) }
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
        (0..self.partial.len()).filter_map(|stream| self.give_out(stream)).collect()
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
        for record in whole.split_inclusive(|b| *b == b'\n') {
            lines.extend(self.line(record));
        }
        true
    }

    /// Takes one record in; gives the line that it ends, unless an earlier tail gave that out.
    fn line(&mut self, record: &[u8]) -> Option<Line> {
        let (start, consumed) = (self.at, self.consumed);
        self.at.offset += record.len() as u64;
        self.consumed += record.len() as u64;
        // A record cut by a full disk is no line.
        let record: Record<'_> = serde_json::from_slice(record).ok()?;
        let stream = usize::from(record.stream == "stderr");
        let timestamp_ms = record.time.parse::<Timestamp>().map_or(0, |t| t.as_millisecond().max(0) as u64);
        let partial =
            self.partial[stream].get_or_insert(Partial { text: String::new(), timestamp_ms, start, consumed });
        let whole = record.log.strip_suffix('\n');
        partial.text.push_str(whole.unwrap_or(&record.log));
        if whole.is_none() && partial.text.len() < LINE_MAX {
            return None;
        }
        let given_out_before = |sent: Place| sent.file != self.at.file || sent.offset >= self.at.offset;
        self.skip = self.skip.filter(|sent| given_out_before(*sent));
        let line = self.give_out(stream);
        line.filter(|_| self.skip.is_none())
    }

    fn give_out(&mut self, stream: usize) -> Option<Line> {
        let Partial { text, timestamp_ms, .. } = self.partial[stream].take()?;
        Some(Line { text, stderr: stream == 1, timestamp_ms, bookmark: self.bookmark() })
    }

    /// After a rotation: goes on with the file that followed the one just read to its end. False if that was the newest.
    fn next_file(&mut self) -> io::Result<bool> {
        let here = self.file.metadata()?.ino();
        let inode = |path: &Path| std::fs::metadata(path).map(|m| m.ino()).ok();
        if inode(&self.path) == Some(here) {
            return Ok(false);
        }
        let older = newest_first(&self.path);
        let next = match older.iter().position(|p| inode(p) == Some(here)) {
            Some(at) => &older[at - 1],
            // It was rotated away altogether: the oldest that is left comes next.
            None => older.last().unwrap_or(&self.path),
        };
        match File::open(next) {
            Ok(file) => {
                self.skip = self.skip.filter(|sent| sent.file != self.at.file);
                // What is left here is a record that a full disk has cut: it does not go on in another file.
                self.consumed += self.buffer.len() as u64;
                self.buffer.clear();
                self.at = Place { file: FileId::of(&file)?, offset: 0 };
                self.file = file;
                Ok(true)
            }
            // Between two renames: the next wake finds it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A log's live file, and its rotated ones that are there.
fn newest_first(path: &Path) -> Vec<PathBuf> {
    let older = (1..).map(|n| rotated(path, n)).take_while(|p| p.exists());
    std::iter::once(path.to_owned()).chain(older).collect()
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

    fn append_stderr(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(record(text).replace("stdout", "stderr").as_bytes()).unwrap();
    }

    /// What another tail gives out that goes on behind each of these lines in turn.
    fn after_each(path: &Path, lines: &[Line]) -> Vec<Vec<String>> {
        let resume = |line: &Line| {
            // As it travels: in words.
            let mark = line.bookmark.to_string().parse().unwrap();
            texts(Tail::resume(path, mark).unwrap().read(10).unwrap())
        };
        lines.iter().map(resume).collect()
    }

    #[test]
    fn another_tail_goes_on_behind_any_line_and_neither_loses_nor_doubles_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        // The second line is begun before and ended after the third, in another file.
        append(&path, "one\n");
        append(&path, "tw");
        append_stderr(&path, "three\n");
        std::fs::rename(&path, rotated(&path, 1)).unwrap();
        append(&path, "o\n");
        append(&path, "four\n");
        let lines = Tail::from_start(&path).unwrap().read(10).unwrap();
        assert_eq!(texts(lines.clone()), ["one", "three", "two", "four"]);
        let rest: [&[&str]; 4] = [&["three", "two", "four"], &["two", "four"], &["four"], &[]];
        assert_eq!(after_each(&path, &lines), rest);
        // However often it is rotated meanwhile.
        std::fs::rename(rotated(&path, 1), rotated(&path, 2)).unwrap();
        std::fs::rename(&path, rotated(&path, 1)).unwrap();
        append(&path, "five\n");
        let rest: [&[&str]; 4] =
            [&["three", "two", "four", "five"], &["two", "four", "five"], &["four", "five"], &["five"]];
        assert_eq!(after_each(&path, &lines), rest);
        // What was rotated away is lost, and nothing else.
        std::fs::remove_file(rotated(&path, 2)).unwrap();
        let rest: [&[&str]; 4] = [&["o", "four", "five"], &["o", "four", "five"], &["four", "five"], &["five"]];
        assert_eq!(after_each(&path, &lines), rest);
    }

    #[test]
    fn a_bookmark_that_is_none_is_refused() {
        for words in ["", "1", "1.2.3", "1.2.3-4.5", "x.y.z-1.2.3", "1.2.3-4.5.6-7"] {
            assert!(words.parse::<Bookmark>().is_err(), "{words}");
        }
    }

    #[tokio::test]
    async fn a_write_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let changes = Changes::of(dir.path()).unwrap();
        append(&dir.path().join("x.log"), "a\n");
        tokio::time::timeout(std::time::Duration::from_secs(5), changes.next()).await.unwrap().unwrap();
    }
}
