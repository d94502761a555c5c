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
mod tests {
    use super::*;
    use model::Scope;
    use model::node::Node;
    use std::sync::Arc;

    fn cluster(name: &str) -> ClusterId {
        ClusterId { scope: Scope::new("000000000000", "us-east-1"), name: name.into() }
    }

    fn with_node(id: &str) -> Snapshot {
        let node = Node {
            id: NodeId::new(id),
            hostname: "host".into(),
            cpu: Default::default(),
            memory: Default::default(),
            attributes: Default::default(),
            boot_id: "boot".into(),
            agent_version: "1".into(),
            registered_at: Default::default(),
            connected: true,
            reserved_ports: Vec::new(),
        };
        let mut snapshot = Snapshot::default();
        snapshot.nodes.insert(NodeId::new(id), Versioned { value: Arc::new(node), revision: 1, version: 1 });
        snapshot
    }

    #[test]
    fn each_cluster_knows_a_node_by_another_id() {
        let node = NodeId::new("n1");
        let id = instance_id(&cluster("blue"), &node);
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert_eq!(id, instance_id(&cluster("blue"), &node));
        assert_ne!(id, instance_id(&cluster("green"), &node));
    }

    #[test]
    fn a_node_is_found_by_its_id_and_by_both_forms_of_its_arn_in_its_own_cluster_only() {
        let (blue, green) = (cluster("blue"), cluster("green"));
        let snapshot = with_node("n1");
        let id = instance_id(&blue, &NodeId::new("n1"));
        let long = arn::container_instance(&blue, &id);
        let short = long.replace("blue/", "");
        for reference in [&id, &long, &short] {
            assert!(find(&snapshot, &blue, reference).is_some(), "{reference}");
            assert!(find(&snapshot, &green, reference).is_none(), "{reference}");
        }
        assert!(find(&snapshot, &blue, &long.replace("us-east-1", "eu-west-1")).is_none());
        assert!(find(&snapshot, &blue, "").is_none());
    }
}
