//! Docker-style image names, parsed and normalised so that one image has one name; looks nothing up.
//!
//! Grammar: the OCI distribution spec (repository, tag) and the `distribution/reference` conventions (registry host, Docker Hub defaults).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Digest, DigestError};

const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// `distribution/reference`: NameTotalLengthMax.
const REPOSITORY_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// A normalised image name: `app:1` and `docker.io/library/app:1` are equal. It always has a tag, a digest or both; where both are
/// given the digest decides which image is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image name; each says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("the image name is empty: write NAME or NAME:TAG")]
    Empty,
    #[error("image name {0:?} has an upper-case repository: repository names are lower-case")]
    UpperCase(String),
    #[error(
        "image name {0:?} has an invalid repository: lower-case letters and digits, in parts separated by '/', '.', '_', '__' or '-'"
    )]
    Repository(String),
    #[error("image name {0:?} is longer than {REPOSITORY_MAX} characters")]
    TooLong(String),
    #[error("image name {0:?} is 64 hex digits, which would be taken for an image id: choose another name")]
    LooksLikeId(String),
    #[error("image name {0:?} has an invalid registry host: write HOST or HOST:PORT before the first '/'")]
    Registry(String),
    #[error(
        "image name {0:?} has an invalid tag: up to {TAG_MAX} letters, digits, '_', '.' and '-', not starting with '.' or '-'"
    )]
    Tag(String),
    #[error("image name {name:?} has an invalid digest")]
    Digest { name: String, source: DigestError },
}

impl Reference {
    /// Parses any spelling that Docker accepts, with tag `latest` where neither tag nor digest is given.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => {
                let digest =
                    digest.parse().map_err(|source| ReferenceError::Digest { name: text.to_owned(), source })?;
                (rest, Some(digest))
            }
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before the last slash belongs to the registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(text.to_owned()));
        }
        let (registry, repository) = split_registry(name);
        check_repository(text, &repository)?;
        if !is_registry(registry) {
            return Err(ReferenceError::Registry(text.to_owned()));
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
    }

    /// The registry's `host` or `host:port`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository as the registry knows it, such as `library/app`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only beside a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index, where the name pins one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether both name the same repository of the same registry, whatever tag or digest they carry.
    pub fn same_repository(&self, other: &Reference) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }

    /// The short spelling that people write: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let Some(hub) = full.strip_prefix("docker.io/") else { return full };
        match hub.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !self.repository[OFFICIAL_PREFIX.len()..].contains('/') => official.to_owned(),
            _ => hub.to_owned(),
        }
    }

    /// The name under which the store files an image: a digest alone names content, not a place, so it is left out beside a tag.
    pub(crate) fn without_digest(&self) -> Reference {
        let tag = self.tag.clone();
        let digest = if tag.is_some() { None } else { self.digest };
        Reference { registry: self.registry.clone(), repository: self.repository.clone(), tag, digest }
    }
}

/// The full, normalised spelling.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        Reference::parse(text)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reference, D::Error> {
        Reference::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The first part is a host if it looks like one: it has a dot, a port, upper case, or is `localhost`.
fn split_registry(name: &str) -> (&str, String) {
    let host_and_rest = name.split_once('/').filter(|(first, _)| {
        first.contains(['.', ':', '[']) || *first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
    });
    let (registry, repository) = match host_and_rest {
        Some(("docker.io" | "index.docker.io", rest)) => (DEFAULT_REGISTRY, rest),
        Some((host, rest)) => (host, rest),
        None => (DEFAULT_REGISTRY, name),
    };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') && !repository.is_empty() {
        return (registry, format!("{OFFICIAL_PREFIX}{repository}"));
    }
    (registry, repository.to_owned())
}

fn check_repository(text: &str, repository: &str) -> Result<(), ReferenceError> {
    if repository.len() > REPOSITORY_MAX {
        return Err(ReferenceError::TooLong(text.to_owned()));
    }
    if repository.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase(text.to_owned()));
    }
    if !repository.split('/').all(is_path_component) {
        return Err(ReferenceError::Repository(text.to_owned()));
    }
    let last = repository.strip_prefix(OFFICIAL_PREFIX).unwrap_or(repository);
    if last.len() == 64 && last.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ReferenceError::LooksLikeId(text.to_owned()));
    }
    Ok(())
}

/// Runs of lower-case letters and digits, joined by one '.', one or two '_', or any number of '-'.
fn is_path_component(component: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_plain(*first) || !is_plain(*last) {
        return false;
    }
    bytes
        .split(|b| is_plain(*b))
        .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= TAG_MAX
        && bytes.first().is_some_and(|b| is_word(*b))
        && bytes.iter().all(|b| is_word(*b) || matches!(b, b'.' | b'-'))
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            }
            _ => return false,
        },
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn full(text: &str) -> String {
        Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn every_spelling_of_an_image_has_one_name() {
        for text in ["app", "app:latest", "library/app", "docker.io/app", "docker.io/library/app:latest"] {
            assert_eq!(full(text), "docker.io/library/app:latest", "{text}");
        }
        assert_eq!(Reference::parse("app:1"), Reference::parse("index.docker.io/library/app:1"));
        assert_eq!(full("acme/app:1"), "docker.io/acme/app:1");
    }

    #[test]
    fn a_registry_is_told_from_a_repository() {
        for (text, registry, repository) in [
            ("localhost/app", "localhost", "app"),
            ("host:5000/x/y", "host:5000", "x/y"),
            ("quay.io/a/b/c", "quay.io", "a/b/c"),
            ("[::1]:5000/app", "[::1]:5000", "app"),
            ("HOST/app", "HOST", "app"),
            ("host/app", "docker.io", "host/app"),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!((reference.registry(), reference.repository()), (registry, repository), "{text}");
        }
    }

    #[test]
    fn tag_and_digest_may_stand_together() {
        let both = Reference::parse(&format!("host:5000/x/y:1@sha256:{HEX}")).unwrap();
        assert_eq!((both.tag(), both.digest().unwrap().hex().as_str()), (Some("1"), HEX));
        let only = Reference::parse(&format!("app@sha256:{HEX}")).unwrap();
        assert_eq!((only.tag(), only.to_string()), (None, format!("docker.io/library/app@sha256:{HEX}")));
    }

    #[test]
    fn people_see_the_short_name() {
        for (text, familiar) in [
            ("docker.io/library/app:1", "app:1"),
            ("app", "app:latest"),
            ("docker.io/acme/app", "acme/app:latest"),
            ("docker.io/library/a/b:1", "library/a/b:1"),
            ("quay.io/library/app:1", "quay.io/library/app:1"),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(Reference::parse(&reference.familiar()), Ok(reference));
        }
    }

    #[test]
    fn the_grammar_is_enforced_with_a_reason() {
        let long = "a".repeat(256);
        for (text, reason) in [
            ("", "is empty"),
            ("App", "upper-case repository"),
            ("app:", "invalid tag"),
            ("app:.1", "invalid tag"),
            ("app:a b", "invalid tag"),
            ("a//b", "invalid repository"),
            ("/app", "invalid repository"),
            ("app/", "invalid repository"),
            ("x/a..b", "invalid repository"),
            ("a..b/c", "invalid registry host"),
            ("a___b", "invalid repository"),
            ("-a", "invalid repository"),
            ("../etc", "invalid registry host"),
            ("a\nb", "invalid repository"),
            ("docker.io/", "invalid repository"),
            (".io/app", "invalid registry host"),
            ("host:99999/app", "invalid registry host"),
            ("host:/app", "invalid registry host"),
            ("-h.io/app", "invalid registry host"),
            (HEX, "64 hex digits"),
            ("app@sha256:12", "invalid digest"),
            ("app@md5:12", "invalid digest"),
            (&long, "longer than 255"),
        ] {
            let error = Reference::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let tag = "t".repeat(129);
        assert!(matches!(Reference::parse(&format!("app:{tag}")), Err(ReferenceError::Tag(_))));
        for text in ["a.b", "a_b", "a__b", "a---b", "0", "a/b.c/d-e:V1.2-x_y"] {
            assert!(Reference::parse(text).is_ok(), "{text}");
        }
    }
}
