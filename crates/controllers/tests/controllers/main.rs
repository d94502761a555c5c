//! Controllers on real records over a memory store: the loop (`harness`), what nodes are told (`desk`), and the loops end to end
//! (`loops`). Time is the runtime's and stands still but for what everybody waits for.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod harness;
mod loops;

use model::UnitName;
use model::node::Ledger;
use model::unit::{Observed, Placement};
use model::{NodeId, Snapshot};
use records::units::{self, Intake};
use records::{Draft, Records};
use std::sync::Arc;
use std::time::Duration;
use store::MemoryStore;
use test_support::{FaultyStore, HandClock, Opened, RuntimeClock, Wish, cluster, cluster_id, network, node, scope};

/// Records with the cluster `default` and a network.
pub(crate) async fn begin() -> (Opened, Arc<FaultyStore>) {
    let store = FaultyStore::new(Arc::new(MemoryStore::default()));
    let opened = test_support::open(store.clone(), Arc::<RuntimeClock>::default()).await;
    let mut draft = Draft::new();
    draft.create(&cluster_id("default"), &cluster("default")).create(&scope(), &network());
    opened.records.commit(draft).await.unwrap();
    (opened, store)
}

/// Lets everything run that can: on paused time this returns when nothing else is left to do.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) async fn register(records: &Records, id: &str, cpu: u64) {
    let mut draft = Draft::new();
    draft.upsert(&NodeId::new(id), records.current().nodes.get(&NodeId::new(id)), &node(id, cpu, 4096));
    records.commit(draft).await.unwrap();
}

pub(crate) async fn admit(records: &Records, wish: &Wish, id: &str) -> UnitName {
    let unit = wish.unit(id, HandClock::START);
    let mut intake = Intake::new();
    intake.admit(&unit, &wish.spec());
    records.commit(intake.into_draft()).await.unwrap();
    unit.name
}

/// Binds by hand, where no placer runs.
pub(crate) async fn bind(records: &Records, name: &UnitName, node: &str) {
    let snapshot = records.current();
    let id = NodeId::new(node);
    let seen = snapshot.ledgers.get(&id);
    let mut draft = Draft::new();
    draft.upsert(&id, seen, &Ledger { bindings: seen.map_or(0, |l| l.bindings) + 1 });
    let bound = Placement::Bound { node: id, at: HandClock::START, address: None, container_addresses: Vec::new() };
    units::place(&mut draft, &snapshot.units[name], bound);
    records.commit(draft).await.unwrap();
}

pub(crate) async fn observe(records: &Records, name: &UnitName, observed: Observed) {
    let unit = records.current().units[name].value.clone();
    units::observe(records, unit.placement.node().unwrap(), &unit.uid, &observed).await.unwrap();
}

pub(crate) fn node_of(snapshot: &Snapshot, name: &UnitName) -> Option<String> {
    snapshot.units[name].placement.node().map(ToString::to_string)
}
