//! Which paths an archive may name, and what the reserved `.wh.` names mean; opens nothing.

use super::shown;
use crate::limits::Limits;

/// A path below the layer's root, split into plain names: no empty part, no `.`, no `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreePath<'a>(Vec<&'a [u8]>);

/// What a reserved name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// The directory it lies in hides everything below it.
    Opaque,
    /// This path is deleted.
    Whiteout(TreePath<'a>),
    /// Bookkeeping of the aufs driver.
    Ignored,
}

/// Why a path is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("it is empty")]
    Empty,
    #[error("it holds a NUL byte")]
    Nul,
    #[error("it climbs up with '..'")]
    Climbs,
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it is more than {0} directories deep")]
    TooDeep(usize),
    #[error("one of its names is longer than 255 bytes")]
    LongName,
    #[error("it uses the reserved prefix .wh. where no whiteout can be")]
    Reserved,
}

const PREFIX: &[u8] = b".wh.";

impl<'a> TreePath<'a> {
    /// Splits a path; a leading slash means the layer's root, as every unpacker takes it.
    pub(super) fn parse(path: &'a [u8], limits: &Limits) -> Result<TreePath<'a>, PathError> {
        check_link(path, limits)?;
        let names: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
        if names.contains(&b"..".as_slice()) {
            return Err(PathError::Climbs);
        }
        if names.len() > limits.depth {
            return Err(PathError::TooDeep(limits.depth));
        }
        if names.iter().any(|name| name.len() > 255) {
            return Err(PathError::LongName);
        }
        Ok(TreePath(names))
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> &[&'a [u8]] {
        &self.0
    }

    /// The directory above; the root is its own.
    pub(super) fn parent(&self) -> TreePath<'a> {
        TreePath(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The last name; empty for the root.
    pub(super) fn name(&self) -> &'a [u8] {
        self.0.last().copied().unwrap_or_default()
    }

    pub(super) fn joined(&self) -> Vec<u8> {
        self.0.join(&b'/')
    }

    pub(super) fn shown(&self) -> String {
        if self.is_root() { "/".to_owned() } else { shown(&self.joined()) }
    }

    /// Reads a reserved last name; a reserved name in the middle is an error.
    pub(super) fn marker(&self) -> Result<Option<Marker<'a>>, PathError> {
        let Some((last, parents)) = self.0.split_last() else { return Ok(None) };
        if parents.iter().any(|name| name.starts_with(PREFIX)) {
            // aufs keeps its hard link directory in every layer that its driver made.
            let aufs = parents.first().is_some_and(|name| name.starts_with(b".wh..wh."));
            return if aufs { Ok(Some(Marker::Ignored)) } else { Err(PathError::Reserved) };
        }
        let Some(hidden) = last.strip_prefix(PREFIX) else { return Ok(None) };
        match hidden {
            b"" | b"." | b".." => Err(PathError::Reserved),
            b".wh..opq" if parents.is_empty() => Err(PathError::Reserved),
            b".wh..opq" => Ok(Some(Marker::Opaque)),
            _ if hidden.starts_with(PREFIX) => Ok(Some(Marker::Ignored)),
            _ => {
                let mut names = parents.to_vec();
                names.push(hidden);
                Ok(Some(Marker::Whiteout(TreePath(names))))
            }
        }
    }
}

/// A symbolic link's target is kept verbatim, so only its form is checked.
pub(super) fn check_link(target: &[u8], limits: &Limits) -> Result<(), PathError> {
    if target.is_empty() {
        return Err(PathError::Empty);
    }
    if target.contains(&0) {
        return Err(PathError::Nul);
    }
    if target.len() > limits.path_bytes {
        return Err(PathError::TooLong(limits.path_bytes));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<TreePath<'_>, PathError> {
        TreePath::parse(path.as_bytes(), &Limits::default())
    }

    #[test]
    fn spellings_of_a_path_are_one() {
        for path in ["a/b", "./a/b", "/a/b", "a//b/", "././a/./b"] {
            assert_eq!(parse(path).unwrap().joined(), b"a/b", "{path}");
        }
        assert!(parse("./").unwrap().is_root());
        assert!(parse("/").unwrap().is_root());
    }

    #[test]
    fn climbing_and_excess_are_refused() {
        for path in ["..", "../a", "a/..", "a/../b", "/..", "a/b/../../../c"] {
            assert_eq!(parse(path), Err(PathError::Climbs), "{path}");
        }
        assert_eq!(parse(""), Err(PathError::Empty));
        assert_eq!(parse("a\0b"), Err(PathError::Nul));
        assert_eq!(parse(&"a/".repeat(257)), Err(PathError::TooDeep(256)));
        assert_eq!(parse(&"a".repeat(256)), Err(PathError::LongName));
        assert_eq!(parse(&"a".repeat(5000)), Err(PathError::TooLong(4096)));
    }

    #[test]
    fn reserved_names_are_markers() {
        let marker = |path| parse(path).and_then(|path| path.marker());
        assert_eq!(marker("a/b"), Ok(None));
        assert_eq!(marker("a/.wh.b"), Ok(Some(Marker::Whiteout(parse("a/b").unwrap()))));
        assert_eq!(marker("a/.wh..wh..opq"), Ok(Some(Marker::Opaque)));
        assert_eq!(marker(".wh..wh.plnk/1.2"), Ok(Some(Marker::Ignored)));
        assert_eq!(marker(".wh..wh.aufs"), Ok(Some(Marker::Ignored)));
        for path in [".wh.", "a/.wh..", "a/.wh...", ".wh.a/b", ".wh..wh..opq"] {
            assert_eq!(marker(path), Err(PathError::Reserved), "{path}");
        }
    }
}
