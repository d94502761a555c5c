//! Classes of nodes with equal attributes, and the nodes that a cluster sees otherwise than they are.

use super::Berth;
use crate::ids::ClusterId;
use imbl::{OrdMap, OrdSet};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Values by name; a capability's is None.
pub type Attributes = BTreeMap<String, Option<String>>;

/// A hash of what the nodes of a class have in common, so that it does not depend on the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClassId(u32);

impl ClassId {
    /// No class has it.
    pub(super) const NONE: ClassId = ClassId(0);
}

#[derive(Clone, Debug)]
pub struct Class {
    /// The cluster that sees nodes so; None for nodes as they are.
    cluster: Option<ClusterId>,
    /// The class of the same nodes as they are; its own id in such a class.
    plain: ClassId,
    attributes: Arc<Attributes>,
    nodes: usize,
}

impl Class {
    pub fn plain(&self) -> ClassId {
        self.plain
    }

    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// All classes that have nodes, connected or not.
#[derive(Clone, Default, Debug)]
pub(super) struct Classes {
    all: OrdMap<ClassId, Class>,
    plain: OrdSet<ClassId>,
}

impl Classes {
    pub(super) fn get(&self, id: ClassId) -> Option<&Class> {
        self.all.get(&id)
    }

    pub(super) fn plain(&self) -> impl Iterator<Item = (ClassId, &Class)> + '_ {
        self.plain.iter().filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    /// Counts a node in the class of such attributes as a cluster sees it, or as it is. A cluster sees nodes of different
    /// plain classes as different, whatever it adds.
    pub(super) fn enter(&mut self, seen_by: Option<(&ClusterId, ClassId)>, attributes: Attributes) -> ClassId {
        let mut hasher = DefaultHasher::new();
        (seen_by, &attributes).hash(&mut hasher);
        let cluster = seen_by.map(|(cluster, _)| cluster);
        let plain = |id| seen_by.map_or(id, |(_, plain)| plain);
        let mut id = ClassId(hasher.finish() as u32);
        loop {
            match self.all.get_mut(&id) {
                _ if id == ClassId::NONE => {}
                None => break,
                Some(class)
                    if class.cluster.as_ref() == cluster
                        && class.plain == plain(id)
                        && *class.attributes == attributes =>
                {
                    class.nodes += 1;
                    return id;
                }
                Some(_) => {}
            }
            id = ClassId(id.0.wrapping_add(1));
        }
        let class = Class { cluster: cluster.cloned(), plain: plain(id), attributes: Arc::new(attributes), nodes: 1 };
        self.all.insert(id, class);
        if cluster.is_none() {
            self.plain.insert(id);
        }
        id
    }

    pub(super) fn leave(&mut self, id: ClassId) {
        match self.all.get_mut(&id) {
            Some(class) if class.nodes > 1 => class.nodes -= 1,
            _ => {
                self.all.remove(&id);
                self.plain.remove(&id);
            }
        }
    }
}

/// What a node that a cluster has marked is to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Of a class that only the cluster sees.
    Own(ClassId),
    /// Draining or deregistered.
    Out,
}

/// The nodes that a cluster has marked.
#[derive(Clone, Default, Debug)]
pub struct View {
    nodes: OrdMap<Berth, Standing>,
    /// How many of the nodes are of each class.
    classes: OrdMap<ClassId, usize>,
    /// How many of the nodes get a value of each attribute from the cluster.
    names: OrdMap<String, usize>,
}

impl View {
    /// None for a node that the cluster sees as it is.
    pub fn standing(&self, berth: Berth) -> Option<Standing> {
        self.nodes.get(&berth).copied()
    }

    pub fn marked(&self) -> impl Iterator<Item = (Berth, Standing)> + '_ {
        self.nodes.iter().map(|(berth, standing)| (*berth, *standing))
    }

    /// Whether the cluster has a value of its own for an attribute, of any node.
    pub fn gives(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The classes that only this cluster sees.
    pub fn classes(&self) -> impl Iterator<Item = ClassId> + '_ {
        self.classes.keys().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn set(&mut self, berth: Berth, standing: Standing, own: &Attributes) {
        self.nodes.insert(berth, standing);
        if let Standing::Own(class) = standing {
            *self.classes.entry(class).or_default() += 1;
        }
        for name in own.keys() {
            *self.names.entry(name.clone()).or_default() += 1;
        }
    }

    pub(super) fn forget(&mut self, berth: Berth, own: &Attributes) {
        let Some(standing) = self.nodes.remove(&berth) else { return };
        if let Standing::Own(class) = standing {
            count_down(&mut self.classes, &class);
        }
        own.keys().for_each(|name| count_down(&mut self.names, name));
    }
}

fn count_down<K: Ord + Clone>(counts: &mut OrdMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => {
            counts.remove(key);
        }
    }
}
