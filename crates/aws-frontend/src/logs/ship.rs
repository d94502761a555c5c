//! Container output into a stream of the Logs API: what the `awslogs` driver does with CreateLogGroup, CreateLogStream and
//! PutLogEvents, in one step that may be repeated.

use super::{errors, group};
use crate::context::Frontend;
use aws_protocol::ServiceError;
use observe::{Batch, NewEvent, Producer};

/// A line of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShippedEvent {
    pub timestamp_ms: u64,
    pub message: String,
}

/// Lines of one container for one stream. At most what one PutLogEvents takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shipment {
    pub group: String,
    pub stream: String,
    /// Make the group if it is not there (`awslogs-create-group`).
    pub create_group: bool,
    /// Names the container attempt; with `sequence`, which ascends from batch to batch, it makes a re-sent batch harmless.
    pub producer: String,
    pub sequence: u64,
    pub events: Vec<ShippedEvent>,
}

/// Stores a shipment; returns once it survives `kill -9`.
///
/// # Errors
/// The group does not exist and is not to be made, the batch is too large, or the disk failed. Only the last may pass.
pub async fn ship(frontend: &Frontend, shipment: Shipment) -> Result<(), ServiceError> {
    let group = match group::find(frontend, &shipment.group) {
        Err(_) if shipment.create_group => {
            match group::create(frontend, &group::fresh(&shipment.group, frontend.records.now())).await {
                Err(error) if error.code != errors::group_exists().code => return Err(error),
                _ => group::find(frontend, &shipment.group)?,
            }
        }
        found => found?,
    };
    let (uid, ingestion_ms) = (group.uid.clone(), frontend.records.now().unix_ms() as i64);
    group::on_disk(&frontend.logs, move |logs| {
        let event = |e: &'_ ShippedEvent| i64::try_from(e.timestamp_ms).unwrap_or(i64::MAX);
        let events: Vec<_> =
            shipment.events.iter().map(|e| NewEvent { timestamp_ms: event(e), message: &e.message }).collect();
        let producer = Some(Producer { id: &shipment.producer, sequence: shipment.sequence });
        logs.ensure_stream(&uid, &shipment.stream, ingestion_ms)?;
        // The driver's first call, before there is a line: is there a place for them?
        if events.is_empty() {
            return Ok(());
        }
        logs.append(&uid, &shipment.stream, &Batch { events: &events, ingestion_ms, producer }).map(drop)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::{NOW, context};
    use std::sync::Arc as Shared;

    fn shipment(sequence: u64, message: &str) -> Shipment {
        Shipment {
            group: "/ecs/app".to_owned(),
            stream: "ecs/app/0123".to_owned(),
            create_group: true,
            producer: "attempt-1".to_owned(),
            sequence,
            events: vec![ShippedEvent { timestamp_ms: NOW.unix_ms(), message: message.to_owned() }],
        }
    }

    #[tokio::test]
    async fn the_group_and_stream_are_made_and_a_batch_sent_twice_is_stored_once() {
        let context = context().await;
        for (sequence, line) in [(1, "one"), (1, "one"), (2, "two"), (2, "two")] {
            ship(&context.frontend, shipment(sequence, line)).await.unwrap();
        }
        assert_eq!(testing::messages(&context, "/ecs/app", "ecs/app/0123").await, ["one", "two"]);
    }

    #[tokio::test]
    async fn many_containers_may_make_the_group_at_once() {
        let context = context().await;
        let frontend: Shared<Frontend> = context.frontend.clone();
        let one = |n: u64| {
            let frontend = frontend.clone();
            async move {
                let stream = format!("ecs/app/{n}");
                ship(&frontend, Shipment { stream, ..shipment(1, "x") }).await
            }
        };
        for done in futures_util::future::join_all((0..20).map(one)).await {
            done.unwrap();
        }
        assert_eq!(context.records().current().log_groups.len(), 1);
    }

    #[tokio::test]
    async fn without_leave_to_make_it_a_missing_group_is_an_error() {
        let context = context().await;
        let error = ship(&context.frontend, Shipment { create_group: false, ..shipment(1, "x") }).await.unwrap_err();
        assert_eq!(error.message, "The specified log group does not exist.");
    }
}
