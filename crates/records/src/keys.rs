//! How typed ids are spelled as store keys: path segments, with `/` and `%` escaped inside one.

use model::ecs::{
    AccountSetting, CapacityProvider, ClientToken, Cluster, Deployment, DeploymentState, Family, Membership, Service,
    ServiceEvent, ServiceRevision, ServiceState, TaskDefinition, TaskSet,
};
use model::logs::LogGroup;
use model::network::Network;
use model::node::{Ledger, Node};
use model::snapshot::{Snapshot, Table};
use model::unit::{Unit, UnitSpec};
use model::{ClusterId, NodeId, Scope, ServiceId, SpecHash, TaskDefinitionId, UnitName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A record that its front-end or controller writes as a whole. Units are not: see [`crate::units`].
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    type Id: Ord + Clone;
    fn key(id: &Self::Id) -> String;
    #[doc(hidden)]
    fn table(snapshot: &mut Snapshot) -> &mut Table<Self::Id, Self>
    where
        Self: Sized;
}

/// Which record a key names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    Unit(UnitName),
    Spec(SpecHash),
    Node(NodeId),
    Ledger(NodeId),
    Network(Scope),
    Cluster(ClusterId),
    Family((Scope, Arc<str>)),
    TaskDefinition(TaskDefinitionId),
    Membership((ClusterId, NodeId)),
    Setting((Scope, Arc<str>, Arc<str>)),
    ClientToken((ClusterId, Arc<str>)),
    CapacityProvider((Scope, Arc<str>)),
    Service(ServiceId),
    ServiceState(ServiceId),
    ServiceRevision((ServiceId, Arc<str>)),
    Deployment((ServiceId, Arc<str>)),
    DeploymentState((ServiceId, Arc<str>)),
    TaskSet((ServiceId, Arc<str>)),
    ServiceEvent((ServiceId, u64)),
    LogGroup((Scope, Arc<str>)),
}

macro_rules! record {
    ($type:ty, $id:ty, $table:ident, |$name:ident| $key:expr) => {
        impl Record for $type {
            type Id = $id;
            fn key($name: &$id) -> String {
                $key
            }
            fn table(snapshot: &mut Snapshot) -> &mut Table<$id, Self> {
                &mut snapshot.$table
            }
        }
    };
}

record!(UnitSpec, SpecHash, specs, |id| path(&["spec", id.as_str()]));
record!(Node, NodeId, nodes, |id| path(&["node", id.as_str()]));
record!(Ledger, NodeId, ledgers, |id| path(&["ledger", id.as_str()]));
record!(Network, Scope, networks, |scope| aws(scope, &["ec2", "network"]));
record!(Cluster, ClusterId, clusters, |id| aws(&id.scope, &["ecs", "cluster", &id.name]));
record!(Family, (Scope, Arc<str>), families, |id| aws(&id.0, &["ecs", "family", &id.1]));
record!(TaskDefinition, TaskDefinitionId, task_definitions, |id| {
    aws(&id.scope, &["ecs", "task-definition", &id.family, &format!("{:010}", id.revision)])
});
record!(Membership, (ClusterId, NodeId), memberships, |id| {
    aws(&id.0.scope, &["ecs", "membership", &id.0.name, id.1.as_str()])
});
record!(AccountSetting, (Scope, Arc<str>, Arc<str>), settings, |id| aws(&id.0, &["ecs", "setting", &id.1, &id.2]));
record!(ClientToken, (ClusterId, Arc<str>), client_tokens, |id| {
    aws(&id.0.scope, &["ecs", "client-token", &id.0.name, &id.1])
});
record!(CapacityProvider, (Scope, Arc<str>), capacity_providers, |id| aws(&id.0, &["ecs", "capacity-provider", &id.1]));
record!(Service, ServiceId, services, |id| of_service(id, "service", None));
record!(ServiceState, ServiceId, service_states, |id| of_service(id, "service-state", None));
record!(ServiceRevision, (ServiceId, Arc<str>), service_revisions, |id| {
    of_service(&id.0, "service-revision", Some(&id.1))
});
record!(Deployment, (ServiceId, Arc<str>), deployments, |id| of_service(&id.0, "deployment", Some(&id.1)));
record!(DeploymentState, (ServiceId, Arc<str>), deployment_states, |id| {
    of_service(&id.0, "deployment-state", Some(&id.1))
});
record!(TaskSet, (ServiceId, Arc<str>), task_sets, |id| of_service(&id.0, "task-set", Some(&id.1)));
record!(ServiceEvent, (ServiceId, u64), service_events, |id| {
    of_service(&id.0, "service-event", Some(&format!("{:016}", id.1)))
});
record!(LogGroup, (Scope, Arc<str>), log_groups, |id| aws(&id.0, &["logs", "group", &id.1]));

/// Where a Unit lies.
pub(crate) fn unit_key(name: &UnitName) -> String {
    match name {
        UnitName::EcsTask { cluster, id } => aws(&cluster.scope, &["ecs", "task", &cluster.name, id]),
    }
}

/// A record of a service, and what of the kind it is where there are several.
fn of_service(id: &ServiceId, kind: &str, which: Option<&str>) -> String {
    let rest = ["ecs", kind, &id.cluster.name, &id.name];
    aws(&id.cluster.scope, &rest.into_iter().chain(which).collect::<Vec<_>>())
}

fn aws(scope: &Scope, rest: &[&str]) -> String {
    let mut segments = vec!["aws", &scope.account, &scope.region];
    segments.extend(rest);
    path(&segments)
}

fn path(segments: &[&str]) -> String {
    let mut key = String::with_capacity(segments.iter().map(|s| s.len() + 1).sum());
    for (i, segment) in segments.iter().enumerate() {
        if i > 0 {
            key.push('/');
        }
        for c in segment.chars() {
            match c {
                '/' => key.push_str("%2F"),
                '%' => key.push_str("%25"),
                c => key.push(c),
            }
        }
    }
    key
}

fn unescape(segment: &str) -> Arc<str> {
    if segment.contains('%') { segment.replace("%2F", "/").replace("%25", "%").into() } else { segment.into() }
}

/// The record that a key names; None for a key of a room that this build does not know.
pub(crate) fn parse(key: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(key).ok()?;
    let segments: Vec<Arc<str>> = text.split('/').map(unescape).collect();
    let refs: Vec<&str> = segments.iter().map(|s| &**s).collect();
    Some(match refs.as_slice() {
        ["spec", hash] => Key::Spec(SpecHash::new(*hash)),
        ["node", id] => Key::Node(NodeId::new(*id)),
        ["ledger", id] => Key::Ledger(NodeId::new(*id)),
        ["aws", account, region, service, rest @ ..] => parse_aws(Scope::new(*account, *region), service, rest)?,
        _ => return None,
    })
}

fn parse_aws(scope: Scope, service: &str, rest: &[&str]) -> Option<Key> {
    let cluster = |name: &str| ClusterId { scope: scope.clone(), name: name.into() };
    let service_of = |of: &str, name: &str| ServiceId { cluster: cluster(of), name: name.into() };
    Some(match (service, rest) {
        ("ec2", ["network"]) => Key::Network(scope),
        ("ecs", ["cluster", name]) => Key::Cluster(cluster(name)),
        ("ecs", ["family", name]) => Key::Family((scope, (*name).into())),
        ("ecs", ["task-definition", family, revision]) => {
            Key::TaskDefinition(TaskDefinitionId { scope, family: (*family).into(), revision: revision.parse().ok()? })
        }
        ("ecs", ["task", name, id]) => Key::Unit(UnitName::EcsTask { cluster: cluster(name), id: (*id).into() }),
        ("ecs", ["membership", name, node]) => Key::Membership((cluster(name), NodeId::new(*node))),
        ("ecs", ["setting", principal, name]) => Key::Setting((scope, (*principal).into(), (*name).into())),
        ("ecs", ["client-token", name, token]) => Key::ClientToken((cluster(name), (*token).into())),
        ("ecs", ["capacity-provider", name]) => Key::CapacityProvider((scope, (*name).into())),
        ("ecs", ["service", of, name]) => Key::Service(service_of(of, name)),
        ("ecs", ["service-state", of, name]) => Key::ServiceState(service_of(of, name)),
        ("ecs", ["service-revision", of, name, number]) => {
            Key::ServiceRevision((service_of(of, name), (*number).into()))
        }
        ("ecs", ["deployment", of, name, id]) => Key::Deployment((service_of(of, name), (*id).into())),
        ("ecs", ["deployment-state", of, name, id]) => Key::DeploymentState((service_of(of, name), (*id).into())),
        ("ecs", ["task-set", of, name, id]) => Key::TaskSet((service_of(of, name), (*id).into())),
        ("ecs", ["service-event", of, name, place]) => Key::ServiceEvent((service_of(of, name), place.parse().ok()?)),
        ("logs", ["group", name]) => Key::LogGroup((scope, (*name).into())),
        _ => return None,
    })
}

/// Units are records too, but only [`crate::units`] writes them.
pub(crate) fn encode_unit(unit: &Unit) -> (String, Vec<u8>) {
    (unit_key(&unit.name), crate::codec::encode(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_as_what_it_was_written_for() {
        let scope = Scope::new("000000000000", "us-east-1");
        let cluster = ClusterId { scope: scope.clone(), name: "blue".into() };
        let node = NodeId::new("n-1");
        let task = UnitName::EcsTask { cluster: cluster.clone(), id: "00ff".into() };
        let definition = TaskDefinitionId { scope: scope.clone(), family: "web".into(), revision: 12 };
        let service = ServiceId { cluster: cluster.clone(), name: "web".into() };
        let of_service: (ServiceId, Arc<str>) = (service.clone(), "ecs-svc/1234".into());
        let group: (Scope, Arc<str>) = (scope.clone(), "/aws/ecs/100%/x%2Fy".into());
        let cases = [
            (unit_key(&task), Key::Unit(task)),
            (UnitSpec::key(&SpecHash::new("ab")), Key::Spec(SpecHash::new("ab"))),
            (Node::key(&node), Key::Node(node.clone())),
            (Ledger::key(&node), Key::Ledger(node.clone())),
            (Network::key(&scope), Key::Network(scope.clone())),
            (Cluster::key(&cluster), Key::Cluster(cluster.clone())),
            (Family::key(&(scope.clone(), "web".into())), Key::Family((scope.clone(), "web".into()))),
            (TaskDefinition::key(&definition), Key::TaskDefinition(definition)),
            (Membership::key(&(cluster.clone(), node.clone())), Key::Membership((cluster.clone(), node))),
            (ClientToken::key(&(cluster.clone(), "t/1".into())), Key::ClientToken((cluster, "t/1".into()))),
            (Service::key(&service), Key::Service(service.clone())),
            (ServiceState::key(&service), Key::ServiceState(service.clone())),
            (ServiceRevision::key(&of_service), Key::ServiceRevision(of_service.clone())),
            (Deployment::key(&of_service), Key::Deployment(of_service.clone())),
            (DeploymentState::key(&of_service), Key::DeploymentState(of_service.clone())),
            (TaskSet::key(&of_service), Key::TaskSet(of_service.clone())),
            (ServiceEvent::key(&(service.clone(), 12)), Key::ServiceEvent((service, 12))),
            (
                CapacityProvider::key(&(scope.clone(), "spot".into())),
                Key::CapacityProvider((scope.clone(), "spot".into())),
            ),
            (LogGroup::key(&group), Key::LogGroup(group)),
        ];
        for (key, expected) in cases {
            assert_eq!(parse(key.as_bytes()), Some(expected), "{key}");
        }
        assert_eq!(parse(b"kube/x/y"), None);
        assert_eq!(parse(b"\xff"), None);
    }
}
