//! A commit in the making: what it expects and what it writes.

use crate::codec;
use crate::keys::Record;
use model::snapshot::Versioned;
use store::{Compare, Revision, StoreError, Write};

/// Compares and writes that are applied as a whole or not at all. At most 100 of each.
#[derive(Debug, Default)]
pub struct Draft {
    pub(crate) compares: Vec<Compare>,
    pub(crate) writes: Vec<Write>,
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something it was decided on has changed: read again, decide again.
    #[error("a record changed while it was being decided on")]
    Conflict,
    #[error("the store did not take the change")]
    Store(#[from] StoreError),
}

impl Draft {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.compares.is_empty() && self.writes.is_empty()
    }

    /// Writes a record that must not exist yet.
    pub fn create<R: Record>(&mut self, id: &R::Id, record: &R) -> &mut Self {
        let key = R::key(id);
        self.compares.push(Compare::absent(key.clone()));
        self.writes.push(Write::put(key, codec::encode(record)));
        self
    }

    /// Replaces a record that must still be as it was seen.
    pub fn update<R: Record>(&mut self, id: &R::Id, seen: &Versioned<R>, record: &R) -> &mut Self {
        let key = R::key(id);
        self.compares.push(Compare::mod_revision(key.clone(), Revision(seen.revision)));
        self.writes.push(Write::put(key, codec::encode(record)));
        self
    }

    /// Creates or replaces, deciding on what was seen.
    pub fn upsert<R: Record>(&mut self, id: &R::Id, seen: Option<&Versioned<R>>, record: &R) -> &mut Self {
        match seen {
            Some(seen) => self.update(id, seen, record),
            None => self.create(id, record),
        }
    }

    /// Writes a record whatever is there: only for content that its id determines, such as a spec under its hash.
    pub fn put<R: Record>(&mut self, id: &R::Id, record: &R) -> &mut Self {
        self.writes.push(Write::put(R::key(id), codec::encode(record)));
        self
    }

    pub fn delete<R: Record>(&mut self, id: &R::Id, seen: &Versioned<R>) -> &mut Self {
        let key = R::key(id);
        self.compares.push(Compare::mod_revision(key.clone(), Revision(seen.revision)));
        self.writes.push(Write::delete(key));
        self
    }

    /// The record must still be as it was seen.
    pub fn expect<R: Record>(&mut self, id: &R::Id, seen: &Versioned<R>) -> &mut Self {
        self.compares.push(Compare::mod_revision(R::key(id), Revision(seen.revision)));
        self
    }

    pub fn expect_absent<R: Record>(&mut self, id: &R::Id) -> &mut Self {
        self.compares.push(Compare::absent(R::key(id)));
        self
    }

    /// How many more writes fit: none once half of a commit's bytes are used, so that the next record fits for certain.
    pub fn room(&self) -> usize {
        if self.bytes() > store::MAX_COMMIT_BYTES / 2 {
            return 0;
        }
        store::MAX_WRITES.saturating_sub(self.writes.len()).min(store::MAX_COMPARES.saturating_sub(self.compares.len()))
    }

    fn bytes(&self) -> usize {
        let written = self.writes.iter().map(|write| match write {
            Write::Put { key, value, .. } => key.len() + value.len(),
            Write::Delete { key } => key.len(),
        });
        written.sum::<usize>() + self.compares.iter().map(|compare| compare.key.len()).sum::<usize>()
    }
}
