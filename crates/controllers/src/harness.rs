//! The one loop that every controller runs in: wake, look, plan, commit; knows no controller.

use model::{Snapshot, Timestamp};
use records::{CommitError, Freshness, Records, Wake};
use std::sync::Arc;
use std::time::Duration;

/// The first wait after a failed turn; doubled up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Turns that may conflict in a row before the loop counts it as a failure.
const CONFLICTS_MAX: u32 = 100;

/// A loop body. It holds no state that a restart would miss: only, between two turns, what it was woken for.
pub trait Controller: Send {
    const NAME: &'static str;

    /// Whether a change can matter to it; a wrong yes costs a turn, a wrong no a missed wake. It may note whom the change
    /// concerns, for its next turn.
    fn concerned(&mut self, wake: &Wake) -> bool;

    /// Looks at one snapshot and commits what has to be. Returns when to look again although nothing has changed.
    fn turn(
        &mut self,
        snapshot: Arc<Snapshot>,
        records: &Records,
    ) -> impl Future<Output = Result<Option<Timestamp>, CommitError>> + Send;
}

/// Runs a controller until the records close.
pub async fn run<C: Controller>(mut controller: C, records: Records) {
    let mut touched = records.touched();
    let mut backoff = BACKOFF_MIN;
    let mut conflicts = 0;
    loop {
        while let Some(wake) = touched.ready() {
            controller.concerned(&wake);
        }
        let next = match controller.turn(records.current(), &records).await {
            Ok(next) => {
                (backoff, conflicts) = (BACKOFF_MIN, 0);
                next
            }
            Err(CommitError::Conflict) if conflicts < CONFLICTS_MAX => {
                conflicts += 1;
                continue;
            }
            Err(error) => {
                tracing::warn!(controller = C::NAME, error = %words(&error), "a turn failed; trying again");
                tokio::time::sleep(backoff).await;
                catch_up(&records).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
                conflicts = 0;
                continue;
            }
        };
        if !wait(&mut controller, &mut touched, &records, next).await {
            return;
        }
    }
}

/// A commit that was not answered may have been applied: nothing is planned on less than what is stored now.
async fn catch_up(records: &Records) {
    if let Ok(status) = records.status().await {
        records.snapshot(Freshness::AtLeast(status.revision.0)).await;
    }
}

/// Until something concerns it or its time has come; false when the records have closed.
async fn wait<C: Controller>(
    controller: &mut C,
    touched: &mut records::TouchedReceiver,
    records: &Records,
    next: Option<Timestamp>,
) -> bool {
    loop {
        let due = async {
            match next {
                Some(at) => tokio::time::sleep(Duration::from_millis(at.since_ms(records.now()))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => return true,
            wake = touched.next() => match wake {
                None => return false,
                Some(wake) if controller.concerned(&wake) => return true,
                Some(_) => {}
            },
        }
    }
}

fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
