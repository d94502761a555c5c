//! Container instances: the id under which a cluster knows a node, and how requests name one; nothing is shown here.

use super::arn;
use model::node::Node;
use model::snapshot::Versioned;
use model::{ClusterId, NodeId, Snapshot};
use sha2::{Digest, Sha256};

/// The id in the node's container-instance ARN, different in each cluster: 32 hex digits, the same for ever.
pub(crate) fn instance_id(cluster: &ClusterId, node: &NodeId) -> String {
    let mut hash = Sha256::new();
    for part in [&*cluster.scope.account, &cluster.scope.region, &cluster.name, node.as_str()] {
        hash.update(part);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

/// The node that a cluster knows by an id or a container-instance ARN, whatever the state of its membership.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, cluster: &ClusterId, reference: &str) -> Option<&'a Versioned<Node>> {
    let name = arn::resource(&cluster.scope, "container-instance", reference).ok()?;
    // ARNs of the old format have no cluster in them.
    let id = match name.split_once('/') {
        Some((of_cluster, id)) => (of_cluster == &*cluster.name).then_some(id)?,
        None => name,
    };
    snapshot.nodes.iter().find(|(node, _)| instance_id(cluster, node) == id).map(|(_, node)| node)
}

#[cfg(test)]
mod tests;
