//! Which operating system and processor an image is for, and which of several fits this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A platform in Go's words (OCI image index, "platform"), shown as `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of the machine this was built for and runs on.
    pub fn this_machine() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", None),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// How well an image for `self` runs on `machine`: higher is better, `None` is not at all.
    pub(crate) fn fitness(&self, machine: &Platform) -> Option<u32> {
        if self.os != machine.os || self.architecture != machine.architecture {
            return None;
        }
        let level = |variant: &Option<String>| match variant.as_deref() {
            None | Some("") => Some(None),
            Some(text) => text.strip_prefix('v').and_then(|n| n.parse::<u32>().ok()).map(Some),
        };
        let wanted = level(&self.variant)?;
        match (self.architecture.as_str(), wanted) {
            // amd64 v2 and up need processor features that nobody has looked up here; arm64 v8 is what every arm64 has.
            ("amd64", Some(n)) => (n == 1).then_some(1),
            ("arm64", Some(n)) => (n == 8).then_some(1),
            ("arm", Some(n)) => (n <= level(&machine.variant)?.unwrap_or(7)).then_some(n),
            (_, Some(_)) => (self.variant == machine.variant).then_some(1),
            (_, None) => Some(1),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        Platform { os: parts.next().unwrap(), architecture: parts.next().unwrap(), variant: parts.next() }
    }

    #[test]
    fn an_image_fits_its_own_processor_only() {
        let machine = platform("linux/amd64");
        assert!(platform("linux/amd64").fitness(&machine).is_some());
        for other in ["linux/arm64", "windows/amd64", "linux/amd64/v3", "unknown/unknown"] {
            assert_eq!(platform(other).fitness(&machine), None, "{other}");
        }
    }

    #[test]
    fn the_newest_arm_variant_that_runs_is_best() {
        let machine = platform("linux/arm/v7");
        let best = ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/arm/v8"]
            .into_iter()
            .max_by_key(|text| platform(text).fitness(&machine));
        assert_eq!(best, Some("linux/arm/v7"));
        assert_eq!(platform("linux/arm/v8").fitness(&machine), None);
    }
}
