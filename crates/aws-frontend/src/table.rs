//! Which function answers which operation; what is not in a service's table answers that it is not built yet.

use crate::context::Context;
use aws_api::schema::{Api, Call};
use aws_protocol::ServiceError;
use futures_util::future::BoxFuture;
use std::any::Any;
use std::collections::BTreeMap;

/// How far an operation is built; `docs/compat` is generated from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Yes,
    /// What is missing, in one sentence.
    Partial(&'static str),
}

type Handler = Box<dyn Fn(Context, Box<dyn Any + Send>) -> BoxFuture<'static, Result<Box<dyn Any + Send>, ServiceError>> + Send + Sync>;

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
        let handler: Handler = Box::new(move |context, input| {
            let input = *input.downcast::<C::Input>().expect("the decoder of this entry made it");
            let answer = function(context, input);
            Box::pin(async move { Ok(Box::new(answer.await?) as Box<dyn Any + Send>) })
        });
        self.entries.insert(C::OPERATION.name, Entry { status, handler });
        self
    }
}
