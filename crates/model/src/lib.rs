//! The engine's nouns: typed ids, units, nodes, quantities, allocators and invariants; no I/O, no clock, no async, no wire types.
//!
//! Types here have one persisted encoding (serde, written and versioned by `records`) and no wire encoding: an API's own
//! spelling of a state or a quantity exists only in that API's front-end.

pub mod ecs;
pub mod ids;
pub mod invariants;
pub mod logs;
pub mod network;
pub mod node;
pub mod quantity;
pub mod query;
pub mod snapshot;
pub mod unit;

pub use ids::{ClusterId, NodeId, Scope, ServiceId, SpecHash, TaskDefinitionId, UnitName, UnitUid};
pub use node::Node;
pub use quantity::{Cpu, Memory, Timestamp};
pub use query::{Query, QueryError};
pub use snapshot::{Snapshot, Versioned};
pub use unit::{Unit, UnitSpec};
