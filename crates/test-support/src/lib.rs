//! Fixtures and fakes for tests and the simulator: records to start from, a clock that is moved by hand, a store that fails on
//! demand. Never a mock: each fake has the real trait and keeps its promises but for the fault that was asked for.
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be built fails its test")]

mod clock;
mod faults;
mod nouns;

pub use clock::{HandClock, RuntimeClock};
pub use faults::{Fault, FaultyStore};
pub use nouns::{Wish, cluster, cluster_id, deleted_definition, network, node, scope, stop_wish, task_name};

use records::{Clock, Records};
use std::sync::Arc;
use store::Store;
use tokio::task::JoinSet;

/// Records over a store, followed until this is dropped.
pub struct Opened {
    pub records: Records,
    _following: JoinSet<()>,
}

/// Opens the records of a store as a server does.
pub async fn open(store: Arc<dyn Store>, clock: Arc<impl Clock>) -> Opened {
    let (records, follow) = Records::open(store, clock).await.unwrap();
    let mut following = JoinSet::new();
    following.spawn(async move { drop(follow.await) });
    Opened { records, _following: following }
}
