//! Which function answers which operation; what is not in a service's table answers that it is not built yet.

use crate::context::Context;
use aws_api::schema::{Api, Call};
use aws_protocol::{Route, ServiceError};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use std::collections::BTreeMap;

/// How far an operation is built; `docs/compat` is generated from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Yes,
    /// What is missing, in one sentence.
    Partial(&'static str),
}

type Answer = BoxFuture<'static, Result<Response<Bytes>, ServiceError>>;
/// Decodes, calls and encodes one operation.
type Handler = Box<dyn Fn(Context, &Route<'_>, &[u8]) -> Result<Answer, ServiceError> + Send + Sync>;

/// One operation with its function.
pub(crate) struct Entry {
    pub status: Status,
    pub handler: Handler,
}

/// A service's operations that are built.
pub struct Table {
    pub api: &'static Api,
    pub(crate) entries: BTreeMap<&'static str, Entry>,
}

impl Table {
    pub(crate) fn new(api: &'static Api) -> Self {
        Self { api, entries: BTreeMap::new() }
    }

    /// Says which function answers an operation.
    pub(crate) fn on<C, F, Fut>(mut self, status: Status, function: F) -> Self
    where
        C: Call,
        F: Fn(Context, C::Input) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Output, ServiceError>> + Send + 'static,
    {
        let handler: Handler = Box::new(move |context, route, body| {
            let input: C::Input = aws_protocol::decode(route, body)?;
            let (wire, request_id) = (route.wire, context.request_id.clone());
            let answer = function(context, input);
            Ok(Box::pin(async move { Ok(aws_protocol::answer(wire, C::OPERATION, &answer.await?, &request_id)) }))
        });
        self.entries.insert(C::OPERATION.name, Entry { status, handler });
        self
    }

    /// The built operations and how far each is.
    pub fn built(&self) -> impl Iterator<Item = (&'static str, Status)> + '_ {
        self.entries.iter().map(|(name, entry)| (*name, entry.status))
    }
}
