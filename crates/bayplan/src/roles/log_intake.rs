//! Container output from nodes into the Logs API's streams.

use aws_frontend::Frontend;
use aws_frontend::logs::{Shipment, ShippedEvent, ship};
use controllers::LogSink;
use futures_util::future::BoxFuture;
use session::LogBatch;
use std::sync::Arc;

/// Hands each batch to the Logs front-end, which owns the rules of groups and streams.
pub(crate) struct LogIntake {
    frontend: Arc<Frontend>,
}

impl LogIntake {
    pub(crate) fn new(frontend: Arc<Frontend>) -> Self {
        Self { frontend }
    }
}

impl LogSink for LogIntake {
    fn take(&self, batch: LogBatch) -> BoxFuture<'static, Result<(), String>> {
        let frontend = self.frontend.clone();
        let event = |e: session::LogEvent| ShippedEvent { timestamp_ms: e.timestamp_ms, message: e.message };
        let shipment = Shipment {
            group: batch.group,
            stream: batch.stream,
            create_group: batch.create_group,
            producer: batch.producer,
            sequence: batch.sequence,
            events: batch.events.into_iter().map(event).collect(),
        };
        Box::pin(async move { ship(&frontend, shipment).await.map_err(|error| error.to_string()) })
    }
}
