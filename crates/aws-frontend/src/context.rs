//! What an operation may use: the records, the caller, its tenant scope; nothing of a wire.

use model::{Scope, Timestamp};
use records::Records;
use std::sync::Arc;

/// Everything that stands behind the AWS APIs of one installation.
pub struct Frontend {
    pub records: Records,
    pub logs: Arc<observe::LogStore>,
    /// The installation's account and region: requests for another region are refused.
    pub scope: Scope,
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub account: Arc<str>,
    /// For example `arn:aws:iam::000000000000:root`.
    pub arn: Arc<str>,
    /// The unique id of the principal; a role session's is `AROA…:session`.
    pub user_id: Arc<str>,
    pub access_key_id: Arc<str>,
    pub identity: Identity,
}

/// What kind of principal calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// The account root: may do everything.
    Root,
    /// A task's role: may only ask who it is, until IAM exists.
    TaskRole,
}

/// One request, as its operation sees it.
#[derive(Clone)]
pub struct Context {
    pub frontend: Arc<Frontend>,
    pub caller: Caller,
    pub request_id: Arc<str>,
}

impl Context {
    pub fn records(&self) -> &Records {
        &self.frontend.records
    }

    pub fn scope(&self) -> &Scope {
        &self.frontend.scope
    }

    /// The wall clock's time.
    pub fn now(&self) -> Timestamp {
        self.frontend.records.now()
    }
}
