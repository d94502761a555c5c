//! A container's log file: Docker's json-file lines, rotation, and the bound on what nobody has shipped yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use runtime::protocol::LogState;
use runtime::spec::{LogSpec, SpoolMode};

use crate::lines::{self, Stream};

/// One attempt's log.
#[derive(Debug)]
pub(crate) struct Log {
    spec: LogSpec,
    file: Option<File>,
    /// Length of the live file.
    len: u64,
    state: LogState,
    /// Lines made from one read, written in one go.
    batch: Vec<u8>,
}

impl Log {
    /// Opens the file to append; an empty path discards everything.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub(crate) fn open(spec: &LogSpec) -> io::Result<Self> {
        let file = if spec.path.as_os_str().is_empty() { None } else { Some(open(&spec.path)?) };
        let len = file.as_ref().map_or(Ok(0), |f| f.metadata().map(|m| m.len()))?;
        let state = LogState { file_start: len, ..LogState::default() };
        Ok(Self { spec: spec.clone(), file, len, state, batch: Vec::new() })
    }

    /// Opens the file of an attempt that has been logging already.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub(crate) fn resume(spec: &LogSpec, state: LogState) -> io::Result<Self> {
        Ok(Self { state, ..Self::open(spec)? })
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> LogState {
        self.state
    }

    /// Whether its blocking spool has no room: the pipes must not be read.
    pub(crate) fn is_full(&self) -> bool {
        let Some(spool) = &self.spec.spool else { return false };
        spool.mode == SpoolMode::Blocking && self.unacknowledged() >= spool.limit_bytes
    }

    fn unacknowledged(&self) -> u64 {
        self.state.written.saturating_sub(self.state.acked)
    }

    /// Everything before `offset` is shipped.
    pub(crate) fn acknowledge(&mut self, offset: u64) {
        self.state.acked = self.state.acked.max(offset.min(self.state.written));
    }

    /// Adds one line (with its newline, or part of a long one without).
    pub(crate) fn push(&mut self, stream: Stream, line: &[u8], now: (u64, u32)) {
        if self.file.is_none() {
            return;
        }
        let before = self.batch.len();
        lines::append(&mut self.batch, stream, line, now);
        let added = (self.batch.len() - before) as u64;
        if let Some(spool) = &self.spec.spool
            && let SpoolMode::NonBlocking { max_buffer_bytes } = spool.mode
            && self.unacknowledged() + added > max_buffer_bytes
        {
            self.batch.truncate(before);
            self.drop_line(line.len());
            return;
        }
        if self.spec.max_file_bytes > 0 && self.len + added > self.spec.max_file_bytes && self.len > 0 {
            let last = self.batch.split_off(before);
            self.flush();
            self.rotate();
            self.batch = last;
        }
        self.len += added;
        self.state.written += added;
    }

    fn drop_line(&mut self, bytes: usize) {
        self.state.dropped_lines += 1;
        self.state.dropped_bytes += bytes as u64;
    }

    /// Writes the batch. What a full disk does not take is counted as dropped: the container goes on.
    pub(crate) fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        if self.batch.is_empty() {
            return;
        }
        if file.write_all(&self.batch).is_err() {
            // A torn line must not be read together with the next: back to where the file was.
            let (lost, bytes) = (self.batch.iter().filter(|b| **b == b'\n').count() as u64, self.batch.len() as u64);
            let _ = file.set_len(self.len - bytes);
            self.len -= bytes;
            self.state.written -= bytes;
            self.state.dropped_lines += lost;
            self.state.dropped_bytes += bytes;
        }
        self.batch.clear();
    }

    /// `path.1` becomes `path.2` and so on; the live file begins anew.
    fn rotate(&mut self) {
        let keep = self.spec.max_files.max(1);
        for n in (1..keep).rev() {
            let from = if n == 1 { self.spec.path.clone() } else { numbered(&self.spec.path, n - 1) };
            // A missing older file leaves a gap and nothing else.
            let _ = std::fs::rename(from, numbered(&self.spec.path, n));
        }
        if keep == 1 {
            let _ = std::fs::remove_file(&self.spec.path);
        }
        match open(&self.spec.path) {
            Ok(file) => {
                self.file = Some(file);
                self.len = 0;
                self.state.rotations += 1;
            }
            // The renamed file is still open: better too long than lost.
            Err(_) => self.len = 0,
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::spec::Spool;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bayplan-log-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn log(folder: &Folder, spec: LogSpec) -> Log {
        Log::open(&LogSpec { path: folder.0.join("c.log"), ..spec }).unwrap()
    }

    fn fill(log: &mut Log, lines: usize) {
        for n in 0..lines {
            log.push(Stream::Stdout, format!("line {n:04}\n").as_bytes(), (0, 0));
        }
        log.flush();
    }

    #[test]
    fn a_file_rotates_at_its_size_and_only_so_many_are_kept() {
        let folder = Folder::new("rotate");
        let mut log = log(&folder, LogSpec { max_file_bytes: 250, max_files: 3, ..LogSpec::default() });
        fill(&mut log, 40);
        let lines = |name: &str| std::fs::read_to_string(folder.0.join(name)).unwrap();
        assert!(lines("c.log").contains("line 0039"));
        assert!(folder.0.join("c.log.2").exists() && !folder.0.join("c.log.3").exists());
        assert!(lines("c.log.1").len() <= 250 && lines("c.log.1").ends_with("}\n"));
        assert!(log.state().rotations > 3);
    }

    #[test]
    fn a_blocking_spool_is_full_until_acknowledged() {
        let folder = Folder::new("blocking");
        let spool = Some(Spool { mode: SpoolMode::Blocking, limit_bytes: 200 });
        let mut log = log(&folder, LogSpec { spool, ..LogSpec::default() });
        fill(&mut log, 2);
        assert!(!log.is_full());
        fill(&mut log, 2);
        assert!(log.is_full());
        log.acknowledge(log.state().written);
        assert!(!log.is_full());
    }

    #[test]
    fn a_non_blocking_spool_drops_and_counts() {
        let folder = Folder::new("dropping");
        let spool = Some(Spool { mode: SpoolMode::NonBlocking { max_buffer_bytes: 300 }, limit_bytes: 0 });
        let mut log = log(&folder, LogSpec { spool, ..LogSpec::default() });
        fill(&mut log, 10);
        let state = log.state();
        assert!(!log.is_full());
        assert!(state.written <= 300);
        assert_eq!(state.dropped_bytes, state.dropped_lines * "line 0000\n".len() as u64);
        let kept = std::fs::read_to_string(folder.0.join("c.log")).unwrap().lines().count() as u64;
        assert_eq!(kept + state.dropped_lines, 10);
    }

    #[test]
    fn a_later_attempt_appends_and_knows_where_it_began() {
        let folder = Folder::new("append");
        fill(&mut log(&folder, LogSpec::default()), 1);
        let mut second = log(&folder, LogSpec::default());
        assert!(second.state().file_start > 0);
        fill(&mut second, 1);
        assert_eq!(second.state().written, second.state().file_start);
    }
}
