//! The decoded snapshot, kept from one watch over the store's root.

use crate::codec::{self, DecodeError};
use crate::keys::{self, Key, Record};
use crate::touched::Touched;
use model::snapshot::Versioned;
use model::unit::{Unit, UnitSpec};
use model::{ServiceId, Snapshot};
use std::sync::Arc;
use store::{Change, KeyRange, KeyValue, Revision, Store, StoreError, WatchEvent};
use tokio::sync::{broadcast, watch};

/// Revisions that a slow follower may be behind before it is told to look at everything.
const FOLLOWER_BACKLOG: usize = 4096;
const PAGE: usize = 1000;

/// Why the records cannot be read. All of these end the server: nothing may be decided on a view that has stopped.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the record {key} is unreadable")]
    Record {
        key: String,
        #[source]
        cause: DecodeError,
    },
    #[error("the store forgot revisions that were not read yet (floor {0})")]
    Compacted(u64),
}

pub(crate) struct View {
    store: Arc<dyn Store>,
    snapshot: Snapshot,
    publish: watch::Sender<Arc<Snapshot>>,
    touched: broadcast::Sender<Arc<Touched>>,
}

impl View {
    pub(crate) async fn load(
        store: Arc<dyn Store>,
    ) -> Result<(Self, watch::Receiver<Arc<Snapshot>>, broadcast::WeakSender<Arc<Touched>>), OpenError> {
        let snapshot = read_all(&*store).await?;
        let (publish, current) = watch::channel(Arc::new(snapshot.clone()));
        let (touched, _) = broadcast::channel(FOLLOWER_BACKLOG);
        let followed = touched.downgrade();
        Ok((Self { store, snapshot, publish, touched }, current, followed))
    }

    /// Follows the store until it fails.
    pub(crate) async fn follow(mut self) -> OpenError {
        let mut watch = self.store.watch(KeyRange::all(), Revision(self.snapshot.revision).next());
        loop {
            let event = match watch.next().await {
                Ok(event) => event,
                Err(error) => return error.into(),
            };
            match event {
                WatchEvent::Revision { revision, changes } => match self.apply(revision.0, &changes) {
                    Ok(touched) => self.publish(touched),
                    Err(error) => return error,
                },
                WatchEvent::Progress(revision) => {
                    self.snapshot.revision = self.snapshot.revision.max(revision.0);
                    self.publish.send_replace(Arc::new(self.snapshot.clone()));
                }
                WatchEvent::Compacted(floor) => return OpenError::Compacted(floor.0),
            }
        }
    }

    fn publish(&mut self, touched: Touched) {
        self.publish.send_replace(Arc::new(self.snapshot.clone()));
        // No receiver is no error: nobody follows yet.
        let _ = self.touched.send(Arc::new(touched));
    }

    fn apply(&mut self, revision: u64, changes: &[Change]) -> Result<Touched, OpenError> {
        let mut touched = Touched { revision, ..Touched::default() };
        // A Unit's reservation is its spec's: new specs come before every Unit, deleted ones go after.
        let mut ordered: Vec<&Change> = changes.iter().collect();
        ordered.sort_by_key(|change| match (change.key.starts_with(b"spec/"), &change.current) {
            (true, Some(_)) => 0,
            (false, _) => 1,
            (true, None) => 2,
        });
        for change in ordered {
            apply(&mut self.snapshot, change.current.as_deref(), &change.key, &mut touched)?;
        }
        self.snapshot.revision = revision;
        Ok(touched)
    }
}

async fn read_all(store: &dyn Store) -> Result<Snapshot, OpenError> {
    let mut snapshot = Snapshot::default();
    let mut ignored = Touched::default();
    let mut at = None;
    // Specs first: a Unit's reservation is its spec's.
    for range in [KeyRange::prefix("spec/"), KeyRange::all()] {
        let mut rest = range;
        loop {
            let page = store.range(rest.clone(), Some(PAGE), at).await?;
            at = Some(page.revision);
            snapshot.revision = page.revision.0;
            for kv in &page.kvs {
                apply(&mut snapshot, Some(kv), &kv.key, &mut ignored)?;
            }
            match page.kvs.last() {
                Some(last) if page.more => rest = rest.after(&last.key),
                _ => break,
            }
        }
    }
    Ok(snapshot)
}

fn apply(
    snapshot: &mut Snapshot,
    current: Option<&KeyValue>,
    key: &[u8],
    touched: &mut Touched,
) -> Result<(), OpenError> {
    let Some(parsed) = keys::parse(key) else { return Ok(()) };
    let applied = match parsed {
        Key::Unit(name) => decoded::<Unit>(current).map(|unit| {
            let before = snapshot.units.get(&name).map(|u| u.value.clone());
            touched.units.push((before, unit.as_ref().map(|u| u.value.clone())));
            snapshot.set_unit(&name, unit);
        }),
        Key::Node(id) => {
            touched.nodes.push(id.clone());
            decoded::<model::Node>(current).map(|node| snapshot.set_node(&id, node))
        }
        Key::Spec(id) => set::<UnitSpec>(snapshot, id, current),
        Key::Ledger(id) => set::<model::node::Ledger>(snapshot, id, current),
        Key::Network(id) => other::<model::network::Network>(snapshot, id, current, touched),
        Key::Cluster(id) => other::<model::ecs::Cluster>(snapshot, id, current, touched),
        Key::Family(id) => set::<model::ecs::Family>(snapshot, id, current),
        Key::TaskDefinition(id) => other::<model::ecs::TaskDefinition>(snapshot, id, current, touched),
        Key::Membership(id) => {
            touched.memberships.push(id.clone());
            touched.others = true;
            decoded::<model::ecs::Membership>(current).map(|membership| snapshot.set_membership(&id, membership))
        }
        Key::CapacityProvider(id) => set::<model::ecs::CapacityProvider>(snapshot, id, current),
        Key::Service(id) => of_service::<model::ecs::Service>(snapshot, id.clone(), id, current, touched),
        Key::ServiceState(id) => of_service::<model::ecs::ServiceState>(snapshot, id.clone(), id, current, touched),
        Key::ServiceRevision(id) => {
            of_service::<model::ecs::ServiceRevision>(snapshot, id.0.clone(), id, current, touched)
        }
        Key::Deployment(id) => of_service::<model::ecs::Deployment>(snapshot, id.0.clone(), id, current, touched),
        Key::DeploymentState(id) => {
            of_service::<model::ecs::DeploymentState>(snapshot, id.0.clone(), id, current, touched)
        }
        Key::TaskSet(id) => of_service::<model::ecs::TaskSet>(snapshot, id.0.clone(), id, current, touched),
        Key::ServiceEvent(id) => of_service::<model::ecs::ServiceEvent>(snapshot, id.0.clone(), id, current, touched),
        Key::Setting(id) => set::<model::ecs::AccountSetting>(snapshot, id, current),
        Key::ClientToken(id) => other::<model::ecs::ClientToken>(snapshot, id, current, touched),
        Key::LogGroup(id) => other::<model::logs::LogGroup>(snapshot, id, current, touched),
    };
    applied.map_err(|cause| OpenError::Record { key: String::from_utf8_lossy(key).into_owned(), cause })
}

fn other<R: Record>(
    snapshot: &mut Snapshot,
    id: R::Id,
    current: Option<&KeyValue>,
    touched: &mut Touched,
) -> Result<(), DecodeError> {
    touched.others = true;
    set::<R>(snapshot, id, current)
}

fn of_service<R: Record>(
    snapshot: &mut Snapshot,
    service: ServiceId,
    id: R::Id,
    current: Option<&KeyValue>,
    touched: &mut Touched,
) -> Result<(), DecodeError> {
    touched.services.push(service);
    set::<R>(snapshot, id, current)
}

fn set<R: Record>(snapshot: &mut Snapshot, id: R::Id, current: Option<&KeyValue>) -> Result<(), DecodeError> {
    match decoded::<R>(current)? {
        Some(record) => R::table(snapshot).insert(id, record),
        None => R::table(snapshot).remove(&id),
    };
    Ok(())
}

fn decoded<T: serde::de::DeserializeOwned>(current: Option<&KeyValue>) -> Result<Option<Versioned<T>>, DecodeError> {
    let Some(kv) = current else { return Ok(None) };
    let value = Arc::new(codec::decode::<T>(&kv.value)?);
    Ok(Some(Versioned { value, revision: kv.mod_revision.0, version: kv.version }))
}
