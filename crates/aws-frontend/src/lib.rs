//! One file per AWS operation: validate, convert, commit, answer; knows no planner, controller or runtime.
//!
//! [`Service::answer`] takes a request's parts and body and returns the response: the signature is checked, the operation
//! found in the service's table, its input decoded, its one function called, its output or error encoded.

mod context;
pub mod ec2;
pub mod ecs;
mod ids;
pub mod logs;
mod page;
mod serve;
pub mod sts;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use context::{Caller, Context, Frontend, Identity};
pub use serve::{Service, call_ecs};
pub use table::{Status, Table};

/// Every service that is served, with what is built of it.
pub fn tables() -> Vec<Table> {
    vec![ec2::table(), ecs::table(), logs::table(), sts::table()]
}
