//! What an image says about running it: the `config` object of OCI and Docker image configurations; merges nothing, decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::platform::Platform;

/// Execution defaults of an image (OCI image spec, "Image Configuration", `config`). Every field may be absent; `null` counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `user`, `uid`, `user:group` or `uid:gid`; empty is root.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=value` entries, in order.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// A signal's name or number; empty is SIGTERM.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Container paths that get an anonymous volume.
    #[serde(with = "keys", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// `80/tcp`, `53/udp`, `80`.
    #[serde(with = "keys", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Kept for whoever asks; ECS does not run it (ECS developer guide, "healthCheck": the image's own is not monitored).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// Docker's HEALTHCHECK; durations in nanoseconds, 0 is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    #[serde(deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    #[serde(rename = "Interval")]
    pub interval_ns: i64,
    #[serde(rename = "Timeout")]
    pub timeout_ns: i64,
    #[serde(rename = "StartPeriod")]
    pub start_period_ns: i64,
    #[serde(rename = "StartInterval")]
    pub start_interval_ns: i64,
    pub retries: i64,
}

/// The whole configuration document, whose digest is Docker's image id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ConfigDocument {
    /// RFC 3339, as written by whoever built the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) config: ImageConfig,
    #[serde(default)]
    pub(crate) rootfs: Rootfs,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Rootfs {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

impl ConfigDocument {
    /// The platform it was built for; documents of very old builders that name none are taken to be for this machine.
    pub(crate) fn platform(&self) -> Platform {
        if self.os.is_empty() && self.architecture.is_empty() {
            return Platform::this_machine();
        }
        Platform { os: self.os.clone(), architecture: self.architecture.clone(), variant: self.variant.clone() }
    }

    /// The chain id of each layer, bottom first.
    pub(crate) fn chain_ids(&self) -> Vec<Digest> {
        let mut parent = None;
        let chain = |diff_id: &Digest| {
            let id = Digest::chain(parent.as_ref(), diff_id);
            parent = Some(id);
            id
        };
        self.rootfs.diff_ids.iter().map(chain).collect()
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A set that JSON spells as an object with empty values: `{"80/tcp": {}}`.
mod keys {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::de::IgnoredAny;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    struct Empty {}

    pub(super) fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        set.iter().map(|key| (key, Empty {})).collect::<BTreeMap<_, _>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
        let map = Option::<BTreeMap<String, IgnoredAny>>::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_configuration_is_read() {
        let document: ConfigDocument = serde_json::from_str(
            r#"{"created":"2024-01-02T03:04:05Z","architecture":"amd64","os":"linux","history":[{}],"container_config":null,
                "config":{"User":"app:app","Env":["PATH=/bin","A="],"Entrypoint":["/app"],"Cmd":null,"WorkingDir":"/srv","StopSignal":"SIGQUIT",
                "Volumes":{"/data":{}},"ExposedPorts":{"80/tcp":{},"53/udp":{}},"Labels":null,"OnBuild":null,
                "Healthcheck":{"Test":["CMD","true"],"Interval":5000000000}}}"#,
        )
        .unwrap();
        let config = &document.config;
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app:app", "/srv"));
        assert_eq!(config.env, ["PATH=/bin", "A="]);
        assert!(config.cmd.is_empty() && config.labels.is_empty());
        assert!(config.volumes.contains("/data") && config.exposed_ports.len() == 2);
        assert_eq!(config.healthcheck.as_ref().map(|check| check.interval_ns), Some(5_000_000_000));
        let again: ImageConfig = serde_json::from_str(&serde_json::to_string(config).unwrap()).unwrap();
        assert_eq!(&again, config);
    }

    #[test]
    fn a_document_without_config_is_empty() {
        let document: ConfigDocument = serde_json::from_str(r#"{"config":null}"#).unwrap();
        assert_eq!(document.config, ImageConfig::default());
        assert_eq!(document.platform(), Platform::this_machine());
    }
}
