//! A service model as botocore writes it, without its sentences: reading one keeps facts only, writing one is the
//! trimmed form under `models/`.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::selection::Operations;

#[derive(Deserialize, Serialize)]
pub(crate) struct Model {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provenance: Option<Provenance>,
    pub(crate) metadata: Metadata,
    pub(crate) operations: IndexMap<String, Operation>,
    pub(crate) shapes: IndexMap<String, Shape>,
    #[serde(default)]
    pub(crate) paginators: IndexMap<String, Paginator>,
    #[serde(default)]
    pub(crate) waiters: IndexMap<String, Waiter>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Provenance {
    source: String,
    version: String,
    licence: String,
    note: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) service_id: String,
    pub(crate) service_full_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_abbreviation: Option<String>,
    pub(crate) api_version: String,
    pub(crate) endpoint_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signing_name: Option<String>,
    pub(crate) signature_version: String,
    pub(crate) protocol: String,
    pub(crate) protocols: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) xml_namespace: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Operation {
    pub(crate) http: Http,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authtype: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) readonly: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) deprecated: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) host_prefix: String,
}

/// The use of a shape by an operation, a member or a list.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_wrapper: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query_name: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) idempotency_token: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) members: IndexMap<String, Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Reference>,
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) union: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) document: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) eventstream: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) event: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sensitive: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) exception: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) fault: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorTrait>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorTrait {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_status_code: Option<u16>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sender_fault: bool,
}

#[derive(Default, Deserialize)]
pub(crate) struct Pagination {
    pub(crate) pagination: IndexMap<String, Paginator>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Paginator {
    pub(crate) input_token: Names,
    pub(crate) output_token: Names,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_key: Option<String>,
    pub(crate) result_key: Names,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Default, Deserialize)]
pub(crate) struct Waiters {
    pub(crate) waiters: IndexMap<String, Waiter>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiter {
    pub(crate) operation: String,
    delay: u32,
    max_attempts: u32,
    acceptors: Vec<Value>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Provenance {
    pub(crate) fn botocore(version: &str) -> Self {
        Self {
            source: "botocore".to_owned(),
            version: version.to_owned(),
            licence: "Apache-2.0".to_owned(),
            note: "Names, types and constraints only; made by `cargo xtask generate models`.".to_owned(),
        }
    }
}

impl Names {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

impl Shape {
    /// The names of the shapes this one is made of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        let inner = [&self.member, &self.key, &self.value].into_iter().flatten();
        self.members.values().chain(inner).map(|reference| reference.shape.as_str())
    }
}

impl Model {
    /// Keeps the selected operations and what they reach, sorted by name.
    pub(crate) fn trim(mut self, wanted: &Operations) -> anyhow::Result<Self> {
        if let Operations::Named(names) = wanted {
            if let Some(missing) = names.iter().find(|name| !self.operations.contains_key(*name)) {
                bail!("the model has no operation {missing}");
            }
            self.operations.retain(|name, _| names.contains(name));
        }
        self.operations.sort_keys();
        let mut reached = BTreeSet::new();
        for operation in self.operations.values() {
            let io = [&operation.input, &operation.output].into_iter().flatten();
            for reference in io.chain(&operation.errors) {
                self.reach(&reference.shape, &mut reached)?;
            }
        }
        self.shapes.retain(|name, _| reached.contains(name));
        self.shapes.sort_keys();
        self.paginators.retain(|operation, _| self.operations.contains_key(operation));
        self.waiters.retain(|_, waiter| self.operations.contains_key(&waiter.operation));
        Ok(self)
    }

    /// Adds a shape and all that it is made of.
    pub(crate) fn reach(&self, name: &str, reached: &mut BTreeSet<String>) -> anyhow::Result<()> {
        if reached.insert(name.to_owned()) {
            let shape = self.shapes.get(name).with_context(|| format!("the model has no shape {name}"))?;
            for part in shape.parts() {
                self.reach(part, reached)?;
            }
        }
        Ok(())
    }
}
