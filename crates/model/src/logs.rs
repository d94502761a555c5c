//! Log groups as objects; the lines themselves never enter the store.

use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A log group of the Logs API. Writer: the front-end.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct LogGroup {
    pub name: Arc<str>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Never reused, so that a group made anew does not show the old one's lines.
    pub uid: Arc<str>,
}
