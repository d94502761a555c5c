//! A node as a member of a cluster, seen through a snapshot: the subject that the API's filters and placement share.

use super::Subject;
use crate::ecs::Membership;
use crate::ids::{ClusterId, NodeId};
use crate::node::Node;
use crate::quantity::Timestamp;
use crate::snapshot::Snapshot;
use crate::unit::{Capacity, Lifecycle, Unit};

/// What a cluster shows of a node: its own attributes hide the node's, and only its own Units count.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    pub snapshot: &'a Snapshot,
    pub cluster: &'a ClusterId,
    pub id: &'a NodeId,
    pub node: &'a Node,
    /// None where the cluster never wrote one.
    pub membership: Option<&'a Membership>,
}

impl<'a> Member<'a> {
    /// None if there is no such node.
    pub fn of(snapshot: &'a Snapshot, cluster: &'a ClusterId, node: &NodeId) -> Option<Self> {
        let (id, record) = snapshot.nodes.get_key_value(node)?;
        let membership = snapshot.memberships.get(&(cluster.clone(), node.clone())).map(|stored| &*stored.value);
        Some(Member { snapshot, cluster, id, node: &record.value, membership })
    }

    /// The cluster's Units that hold resources of the node as a container instance.
    fn units(&self) -> impl Iterator<Item = &'a Unit> + '_ {
        let units = self.snapshot.units_of_node(self.id).map(|unit| &*unit.value);
        units.filter(|unit| unit.name.cluster() == self.cluster && unit.scheduling.capacity == Capacity::Instances)
    }
}

impl Subject for Member<'_> {
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        let own = self.membership.and_then(|membership| membership.attributes.get(name));
        own.or_else(|| self.node.attributes.get(name)).map(Option::as_deref)
    }
    fn agent_connected(&self) -> bool {
        self.node.connected
    }
    fn agent_version(&self) -> &str {
        &self.node.agent_version
    }
    fn instance_id(&self) -> &str {
        self.id.as_str()
    }
    fn registered_at(&self) -> Timestamp {
        let cluster = self.snapshot.clusters.get(self.cluster);
        cluster.map_or(self.node.registered_at, |cluster| self.snapshot.member_since(cluster, self.node))
    }
    /// Running ones only, as in DescribeContainerInstances.
    fn running_units(&self) -> u64 {
        self.units().filter(|unit| unit.observed.lifecycle == Lifecycle::Running).count() as u64
    }
    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.units().any(|unit| test(&unit.scheduling.group))
    }
}
