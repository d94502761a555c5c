//! Typed names of everything that has one; how they are spelled as store keys or ARNs is decided in other rooms.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The never-reused identity of one Unit: 32 lower-case hex digits. Messages, fences and host names use it.
    UnitUid
}
text_id! {
    /// A machine, installation-wide.
    NodeId
}
text_id! {
    /// The content hash of an immutable, shared [`crate::UnitSpec`] record.
    SpecHash
}

/// Compares names of which most are the very same one, as with what many records have in common: then without reading them.
pub(crate) fn compare(one: &Arc<str>, other: &Arc<str>) -> Ordering {
    if Arc::ptr_eq(one, other) { Ordering::Equal } else { one.cmp(other) }
}

macro_rules! ordered {
    ($name:ty, |$one:ident, $other:ident| $compare:expr) => {
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                let ($one, $other) = (self, other);
                $compare
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

ordered!(Scope, |one, other| compare(&one.account, &other.account).then_with(|| compare(&one.region, &other.region)));
ordered!(ClusterId, |one, other| one.scope.cmp(&other.scope).then_with(|| compare(&one.name, &other.name)));
ordered!(ServiceId, |one, other| one.cluster.cmp(&other.cluster).then_with(|| compare(&one.name, &other.name)));
ordered!(UnitName, |one, other| {
    let (UnitName::EcsTask { cluster, id }, UnitName::EcsTask { cluster: others, id: other }) = (one, other);
    cluster.cmp(others).then_with(|| compare(id, other))
});

/// The tenant scope of AWS objects: one account in one region.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub struct Scope {
    pub account: Arc<str>,
    pub region: Arc<str>,
}

impl Scope {
    pub fn new(account: impl Into<Arc<str>>, region: impl Into<Arc<str>>) -> Self {
        Self { account: account.into(), region: region.into() }
    }
}

/// An ECS cluster by name, within its scope.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub struct ClusterId {
    pub scope: Scope,
    pub name: Arc<str>,
}

/// One revision of an ECS task definition. Revisions start at 1 and only grow.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct TaskDefinitionId {
    pub scope: Scope,
    pub family: Arc<str>,
    pub revision: u32,
}

/// An ECS service by name, within its cluster.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub struct ServiceId {
    pub cluster: ClusterId,
    pub name: Arc<str>,
}

/// The API name under which a Unit's record lies.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Debug)]
pub enum UnitName {
    EcsTask { cluster: ClusterId, id: Arc<str> },
}

impl UnitName {
    /// The cluster or namespace that holds the Unit.
    pub fn cluster(&self) -> &ClusterId {
        match self {
            UnitName::EcsTask { cluster, .. } => cluster,
        }
    }

    /// The name within its cluster.
    pub fn short(&self) -> &str {
        match self {
            UnitName::EcsTask { id, .. } => id,
        }
    }
}
