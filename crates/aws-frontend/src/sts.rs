//! AWS STS: one operation a file.

mod get_caller_identity;

use crate::table::{Status, Table};
use aws_api::sts;

/// The operations of STS that are built.
pub fn table() -> Table {
    Table::new(&sts::API).on::<sts::GetCallerIdentity, _, _>(Status::Yes, get_caller_identity::get_caller_identity)
}
