//! The few open descriptors of segments that are being written; the least recently used one is closed first.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub(crate) struct OpenFiles {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    uses: u64,
    files: HashMap<PathBuf, (u64, Arc<File>)>,
}

impl OpenFiles {
    pub(crate) fn new(most: usize) -> Self {
        OpenFiles { most, open: Mutex::default() }
    }

    /// The file for writing, opened if it is not open.
    pub(crate) fn writable(&self, path: &Path) -> io::Result<Arc<File>> {
        let mut open = self.lock();
        open.uses += 1;
        let now = open.uses;
        if let Some((used, file)) = open.files.get_mut(path) {
            *used = now;
            return Ok(file.clone());
        }
        let file = Arc::new(File::options().write(true).open(path)?);
        if open.files.len() >= self.most
            && let Some(oldest) = open.files.iter().min_by_key(|(_, (used, _))| *used).map(|(path, _)| path.clone())
        {
            open.files.remove(&oldest);
        }
        open.files.insert(path.to_owned(), (now, file.clone()));
        Ok(file)
    }

    pub(crate) fn close(&self, path: &Path) {
        self.lock().files.remove(path);
    }

    pub(crate) fn close_under(&self, dir: &Path) {
        self.lock().files.retain(|path, _| !path.starts_with(dir));
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().files.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
