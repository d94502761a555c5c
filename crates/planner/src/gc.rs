//! What may leave the store, and when the next thing may; a pure function of a snapshot, deleting nothing itself.
//!
//! Each deletion names the revision that it was decided on: it holds only while the record is still that one. An unnamed spec
//! may be named by a commit under way, so whoever names a spec writes it in that same commit.

mod references;
pub mod services;

use model::ecs::{CapacityProvider, ClientToken, Cluster, ClusterStatus, TaskDefinitionStatus};
use model::unit::{Placement, Unit};
use model::{ClusterId, NodeId, Scope, ServiceId, Snapshot, SpecHash, TaskDefinitionId, Timestamp, UnitName};
use std::fmt;
use std::sync::Arc;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long what is over stays, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Of a stopped Unit after its end.
    pub stopped_units_ms: u64,
    /// Of a client token after its call.
    pub client_tokens_ms: u64,
    /// Of a cluster after it was deleted.
    pub inactive_clusters_ms: u64,
    /// Of a service after the last task of the deleted service had stopped.
    pub inactive_services_ms: u64,
    /// Of what a service tells.
    pub service_events_ms: u64,
    /// Of a service's deployments after their end; the newest stay longer.
    pub deployments_ms: u64,
    /// Of a capacity provider after it was deleted.
    pub deleted_providers_ms: u64,
}

impl Default for Retention {
    /// ECS API: client tokens are good for 24 hours. The others are ours: ECS says no more than "for a while".
    fn default() -> Self {
        Self {
            stopped_units_ms: 7 * DAY_MS,
            client_tokens_ms: DAY_MS,
            inactive_clusters_ms: DAY_MS,
            inactive_services_ms: DAY_MS,
            service_events_ms: 7 * DAY_MS,
            deployments_ms: 90 * DAY_MS,
            deleted_providers_ms: DAY_MS,
        }
    }
}

/// One record to delete if it is still as of `revision`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deletion {
    pub record: Record,
    pub revision: u64,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Record {
    Unit(UnitName),
    Spec(SpecHash),
    TaskDefinition(TaskDefinitionId),
    ClientToken(ClusterId, Arc<str>),
    /// Of a cluster that goes, or has gone: one made anew under its name starts without it.
    Membership(ClusterId, NodeId),
    Cluster(ClusterId),
    CapacityProvider((Scope, Arc<str>)),
    ServiceEvent((ServiceId, u64)),
    DeploymentState((ServiceId, Arc<str>)),
    Deployment((ServiceId, Arc<str>)),
    TaskSet((ServiceId, Arc<str>)),
    ServiceRevision((ServiceId, Arc<str>)),
    Service(ServiceId),
    ServiceState(ServiceId),
}

/// What may go now but for services, which [`services`] tells of one by one: Units first and clusters last, so that a cut
/// anywhere leaves nothing that hangs in the air.
pub fn plan(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> Vec<Deletion> {
    let mut deletions = Vec::new();
    deletions.extend(units(snapshot, now, retention));
    deletions.extend(specs(snapshot));
    deletions.extend(task_definitions(snapshot));
    deletions.extend(client_tokens(snapshot, now, retention));
    deletions.extend(providers(snapshot, now, retention));
    let clusters: Vec<Deletion> = clusters(snapshot, now, retention).collect();
    deletions.extend(memberships(snapshot, &clusters));
    deletions.extend(clusters);
    deletions
}

/// The moment from which [`plan`] has something to delete if nothing changes until then; `now` if it has already.
pub fn next_due(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> Option<Timestamp> {
    let ended = snapshot.ended_units().find(|(_, unit)| !is_awaited(snapshot, unit));
    let unit = ended.map(|(ended, _)| ended.saturating_add_ms(retention.stopped_units_ms));
    let refused = snapshot.refused_units().find(|unit| !is_awaited(snapshot, unit)).map(|_| now);
    let spec = specs(snapshot).next().map(|_| now);
    let definition = task_definitions(snapshot).next().map(|_| now);
    let token = snapshot.client_tokens.values().map(|token| token_due(token, retention)).min();
    let gone = snapshot.clusters.iter().filter(|(id, cluster)| may_go(snapshot, id, cluster));
    let cluster = gone.map(|(_, cluster)| cluster_due(cluster, retention)).min();
    let provider = snapshot.capacity_providers.values().filter_map(|provider| provider_due(provider, retention)).min();
    let all = [unit, refused, spec, definition, token, provider, cluster];
    all.into_iter().flatten().min().map(|due| due.max(now))
}

/// Refused Units have been answered for and go at once; the others after their retention.
fn units(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> impl Iterator<Item = Deletion> {
    let refused = snapshot.refused_units().filter(|unit| matches!(unit.placement, Placement::Refused(_)));
    let ended = snapshot.ended_units();
    let past = ended.take_while(move |(at, _)| at.saturating_add_ms(retention.stopped_units_ms) <= now);
    let all = refused.chain(past.map(|(_, unit)| unit)).filter(|unit| !is_awaited(snapshot, unit));
    all.map(|unit| Deletion { record: Record::Unit(unit.name.clone()), revision: unit.revision })
}

/// Its service has not drawn its conclusions from the Unit's end yet. A former service of the name never will.
fn is_awaited(snapshot: &Snapshot, unit: &Unit) -> bool {
    let Some(owner) = unit.owner.as_ref().filter(|_| !unit.settled) else { return false };
    snapshot.services.get(owner.service()).is_some_and(|service| service.uid == *owner.uid())
}

fn specs(snapshot: &Snapshot) -> impl Iterator<Item = Deletion> {
    let unnamed = snapshot.specs.iter().filter(|(hash, _)| snapshot.spec_uses(hash) == 0);
    unnamed.map(|(hash, spec)| Deletion { record: Record::Spec(hash.clone()), revision: spec.revision })
}

/// Those that are to be deleted and that neither a task nor a service needs any more.
fn task_definitions(snapshot: &Snapshot) -> impl Iterator<Item = Deletion> {
    let asked = |status| status == TaskDefinitionStatus::DeleteInProgress;
    let leaving = snapshot.task_definitions.iter().filter(move |(_, definition)| asked(definition.status));
    let unused = leaving.filter(|(id, _)| !references::exist(snapshot, id));
    unused
        .map(|(id, definition)| Deletion { record: Record::TaskDefinition(id.clone()), revision: definition.revision })
}

fn client_tokens(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> impl Iterator<Item = Deletion> {
    let past = snapshot.client_tokens.iter().filter(move |(_, token)| token_due(token, retention) <= now);
    past.map(|((cluster, text), token)| Deletion {
        record: Record::ClientToken(cluster.clone(), text.clone()),
        revision: token.revision,
    })
}

fn providers(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> impl Iterator<Item = Deletion> {
    let is_past = move |provider: &CapacityProvider| provider_due(provider, retention).is_some_and(|due| due <= now);
    let past = snapshot.capacity_providers.iter().filter(move |(_, provider)| is_past(provider));
    past.map(|(id, provider)| Deletion { record: Record::CapacityProvider(id.clone()), revision: provider.revision })
}

fn clusters(snapshot: &Snapshot, now: Timestamp, retention: &Retention) -> impl Iterator<Item = Deletion> {
    let past = snapshot
        .clusters
        .iter()
        .filter(move |(id, cluster)| may_go(snapshot, id, cluster) && cluster_due(cluster, retention) <= now);
    past.map(|(id, cluster)| Deletion { record: Record::Cluster(id.clone()), revision: cluster.revision })
}

fn memberships(snapshot: &Snapshot, going: &[Deletion]) -> Vec<Deletion> {
    let goes = |cluster: &ClusterId| {
        going.iter().any(|deletion| matches!(&deletion.record, Record::Cluster(id) if id == cluster))
    };
    if going.is_empty() {
        return Vec::new();
    }
    let orphaned = snapshot.memberships.iter().filter(|((cluster, _), _)| goes(cluster));
    orphaned
        .map(|((cluster, node), membership)| Deletion {
            record: Record::Membership(cluster.clone(), node.clone()),
            revision: membership.revision,
        })
        .collect()
}

fn token_due(token: &ClientToken, retention: &Retention) -> Timestamp {
    token.created_at.saturating_add_ms(retention.client_tokens_ms)
}

fn provider_due(provider: &CapacityProvider, retention: &Retention) -> Option<Timestamp> {
    Some(provider.deleted_at?.saturating_add_ms(retention.deleted_providers_ms))
}

/// A deleted cluster stays while a Unit or a service, even a stopped or inactive one, lies under its name.
fn may_go(snapshot: &Snapshot, id: &ClusterId, cluster: &Cluster) -> bool {
    let first = ServiceId { cluster: id.clone(), name: Arc::from("") };
    let has_service = || snapshot.services.range(first..).next().is_some_and(|(service, _)| service.cluster == *id);
    cluster.status == ClusterStatus::Inactive && snapshot.units_of_cluster(id).next().is_none() && !has_service()
}

fn cluster_due(cluster: &Cluster, retention: &Retention) -> Timestamp {
    // A record of before the moment was kept counts from its creation.
    cluster.inactive_since.unwrap_or(cluster.created_at).saturating_add_ms(retention.inactive_clusters_ms)
}

/// One line, for logs and transcripts.
impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record {
            Record::Unit(name) => write!(f, "delete unit {}/{}", name.cluster().name, name.short())?,
            Record::Spec(hash) => write!(f, "delete spec {hash}")?,
            Record::TaskDefinition(id) => write!(f, "delete task definition {}:{}", id.family, id.revision)?,
            Record::ClientToken(cluster, token) => write!(f, "delete client token {}/{token}", cluster.name)?,
            Record::Membership(cluster, node) => write!(f, "delete membership {}/{node}", cluster.name)?,
            Record::Cluster(id) => write!(f, "delete cluster {}", id.name)?,
            Record::CapacityProvider((_, name)) => write!(f, "delete capacity provider {name}")?,
            Record::ServiceEvent((service, place)) => write!(f, "delete event {place} of {}", service.name)?,
            Record::DeploymentState((service, id)) => write!(f, "delete state of deployment {id} of {}", service.name)?,
            Record::Deployment((service, id)) => write!(f, "delete deployment {id} of {}", service.name)?,
            Record::TaskSet((service, id)) => write!(f, "delete task set {id} of {}", service.name)?,
            Record::ServiceRevision((service, number)) => write!(f, "delete revision {number} of {}", service.name)?,
            Record::Service(id) => write!(f, "delete service {}", id.name)?,
            Record::ServiceState(id) => write!(f, "delete state of service {}", id.name)?,
        }
        write!(f, " if still at revision {}", self.revision)
    }
}
