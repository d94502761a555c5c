//! The timer that wakes the writer when a lease is due; sleeps without end while there is none.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::request::Request;
use crate::clock::Clock;

/// Runs until the store is gone.
pub(super) async fn run(
    clock: Arc<dyn Clock>,
    mut next_deadline: watch::Receiver<Option<Duration>>,
    requests: mpsc::WeakSender<Request>,
) {
    loop {
        let deadline = *next_deadline.borrow_and_update();
        let due = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = next_deadline.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = due => {}
        }
        let Some(requests) = requests.upgrade() else { return };
        if requests.send(Request::Expire).await.is_err() {
            return;
        }
        drop(requests);
        if next_deadline.changed().await.is_err() {
            return;
        }
    }
}
