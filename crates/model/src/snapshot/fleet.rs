//! The nodes as placement looks for them: by what they are, by what they have free, and by whose Units they run.
//!
//! Every node has a [`Berth`], a number that stands for it in the indexes. Nodes with equal attributes are of one class
//! ([`ClassId`]), so that a question about attributes is asked once for all of them. `members` lists the connected nodes of each
//! class, `by_cpu` and `by_memory` have them in the order of what is free, and a [`Crowd`] knows how many Units of one group
//! are on which node. A cluster that keeps attributes or a state of its own for some nodes has a [`View`]: there they are of
//! classes of their own, or out. What a Unit takes and gives back costs O(log nodes); a copy of it all is O(1), so that a plan
//! can note what it hands out in a copy of its own.

mod class;
mod crowd;
mod order;

pub use class::{Attributes, Class, ClassId, Standing, View};
pub use crowd::{Crowd, Stand};
pub use order::{Order, Resource};

use super::NodeUse;
use super::ranked::Ranked;
use crate::ecs::{Membership, MembershipStatus};
use crate::ids::{ClusterId, NodeId};
use crate::node::Node;
use crate::quantity::{Cpu, Memory};
use crate::unit::UnitSpec;
use crate::unit::spec::{Protocol, Reserve};
use class::Classes;
use foldhash::fast::RandomState;
use imbl::{GenericHashMap, OrdMap, OrdSet, Vector};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A node's number. It is its own as long as the node exists or anything names it, and another's afterwards.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Berth(u32);

impl Berth {
    const LAST: Berth = Berth(u32::MAX);

    /// The one after it.
    fn next(self) -> Berth {
        Berth(self.0.saturating_add(1))
    }
}

/// Names of things that Bayplan itself admits are hashed; nobody gains by making them collide that could not overfill it anyway.
type HashMap<K, V> = GenericHashMap<K, V, RandomState, imbl::shared_ptr::DefaultSharedPtr>;

/// The group of a cluster's Units that are counted together.
pub(super) type GroupId = (ClusterId, Arc<str>);

#[derive(Clone, Default, Debug)]
pub struct Fleet {
    berths: HashMap<NodeId, Berth>,
    seats: Vector<Seat>,
    vacant: Vector<Berth>,
    /// Of nodes that hold Units.
    used: OrdMap<Berth, NodeUse>,
    classes: Classes,
    views: HashMap<ClusterId, View>,
    members: Ranked<(ClassId, Berth), ()>,
    by_cpu: Order<Cpu, Memory>,
    by_memory: Order<Memory, Cpu>,
    ports: OrdSet<(Berth, u16, Protocol)>,
    crowds: HashMap<GroupId, Crowd>,
}

/// What is known of a node but for what it holds.
#[derive(Clone, Default, Debug)]
struct Seat {
    id: Option<NodeId>,
    node: Option<Arc<Node>>,
    /// Those that make the node another one in their clusters: with attributes, or not active.
    memberships: Vec<Arc<Membership>>,
    /// The node's own class, then those of memberships; none without a node.
    classes: Vec<ClassId>,
}

impl Seat {
    /// Its node is there and connected, so that it is in the indexes of what is free.
    fn offered(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.connected)
    }

    fn free(&self, used: NodeUse) -> (Cpu, Memory) {
        let has = self.node.as_ref().map_or((Cpu::ZERO, Memory::ZERO), |node| (node.cpu, node.memory));
        (has.0.saturating_sub(used.cpu), has.1.saturating_sub(used.memory))
    }
}

impl Fleet {
    pub fn berth(&self, id: &NodeId) -> Option<Berth> {
        self.berths.get(id).copied()
    }

    fn seat(&self, berth: Berth) -> Option<&Seat> {
        self.seats.get(berth.0 as usize)
    }

    pub fn id(&self, berth: Berth) -> Option<&NodeId> {
        self.seat(berth)?.id.as_ref()
    }

    /// None for one that is not registered but that Units or memberships name.
    pub fn node(&self, berth: Berth) -> Option<&Node> {
        self.seat(berth)?.node.as_deref()
    }

    pub fn used(&self, berth: Berth) -> NodeUse {
        self.used.get(&berth).copied().unwrap_or_default()
    }

    pub fn free(&self, berth: Berth) -> (Cpu, Memory) {
        self.seat(berth).map(|seat| seat.free(self.used(berth))).unwrap_or_default()
    }

    pub fn port_taken(&self, berth: Berth, port: u16, protocol: Protocol) -> bool {
        self.ports.contains(&(berth, port, protocol))
    }

    /// What a cluster keeps of a node that makes it another one there.
    pub fn membership(&self, cluster: &ClusterId, berth: Berth) -> Option<&Membership> {
        self.seat(berth)?.memberships.iter().find(|own| own.cluster == *cluster).map(|own| &**own)
    }

    /// How a cluster sees the nodes that it has marked; None if there are none.
    pub fn view(&self, cluster: &ClusterId) -> Option<&View> {
        self.views.get(cluster)
    }

    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id)
    }

    /// Every class of nodes by their own attributes.
    pub fn classes(&self) -> impl Iterator<Item = (ClassId, &Class)> + '_ {
        self.classes.plain()
    }

    /// How many connected nodes a class has.
    pub fn members(&self, class: ClassId) -> usize {
        self.members.rank(&(class, Berth::LAST)) - self.members.rank(&(class, Berth(0)))
    }

    /// The place of a class among all members: [`Fleet::member`] has its first one there.
    pub fn members_from(&self, class: ClassId) -> usize {
        self.members.rank(&(class, Berth(0)))
    }

    /// A connected node by its place among the members of all classes.
    pub fn member(&self, place: usize) -> Option<Berth> {
        self.members.nth(place).map(|(_, berth)| berth)
    }

    pub fn by_cpu(&self) -> &Order<Cpu, Memory> {
        &self.by_cpu
    }

    pub fn by_memory(&self) -> &Order<Memory, Cpu> {
        &self.by_memory
    }

    /// Where the Units of a group are; copying it is O(1).
    pub fn crowd(&self, cluster: &ClusterId, group: &Arc<str>) -> Crowd {
        self.crowds.get(&(cluster.clone(), group.clone())).cloned().unwrap_or_default()
    }

    /// Hands out what a Unit reserves, and its host ports.
    pub fn take(&mut self, berth: Berth, spec: Option<&UnitSpec>) {
        let before = self.take_unsorted(berth, spec);
        self.sort(berth, before);
    }

    /// The same, but the orders still have the node at what it had free before, which is returned: until [`Fleet::sort`], a walk
    /// along them finds all nodes with room and some that have none any more.
    pub fn take_unsorted(&mut self, berth: Berth, spec: Option<&UnitSpec>) -> (Cpu, Memory) {
        let (before, reserve) = (self.free(berth), reserve_of(spec));
        self.change_use(berth, |used| NodeUse {
            cpu: used.cpu.saturating_add(reserve.cpu),
            memory: used.memory.saturating_add(reserve.memory),
            units: used.units + 1,
        });
        for (port, protocol) in spec.into_iter().flat_map(UnitSpec::fixed_host_ports) {
            self.ports.insert((berth, port, protocol));
        }
        before
    }

    /// Takes back what [`Fleet::take`] handed out.
    pub fn release(&mut self, berth: Berth, spec: Option<&UnitSpec>) {
        let (before, reserve) = (self.free(berth), reserve_of(spec));
        self.change_use(berth, |used| NodeUse {
            cpu: used.cpu.saturating_sub(reserve.cpu),
            memory: used.memory.saturating_sub(reserve.memory),
            units: used.units.saturating_sub(1),
        });
        self.sort(berth, before);
        for (port, protocol) in spec.into_iter().flat_map(UnitSpec::fixed_host_ports) {
            self.ports.remove(&(berth, port, protocol));
        }
        self.vacate(berth);
    }

    fn change_use(&mut self, berth: Berth, change: impl FnOnce(NodeUse) -> NodeUse) {
        let after = change(self.used(berth));
        if after.units == 0 {
            self.used.remove(&berth)
        } else {
            self.used.insert(berth, after)
        };
    }

    /// Moves a node in the orders from what it had free to what it has.
    pub fn sort(&mut self, berth: Berth, from: (Cpu, Memory)) {
        let to = self.free(berth);
        let Some(seat) = self.seats.get(berth.0 as usize).filter(|seat| seat.offered() && from != to) else { return };
        for &class in &seat.classes {
            self.by_cpu.change(class, berth, from, to);
            self.by_memory.change(class, berth, (from.1, from.0), (to.1, to.0));
        }
    }

    /// Counts a Unit of a group on a node.
    pub(super) fn join(&mut self, berth: Berth, group: GroupId) {
        let stand = self.stand(berth);
        self.crowds.entry(group).or_default().add(berth, stand);
    }

    pub(super) fn leave(&mut self, berth: Berth, group: &GroupId) {
        let stand = self.stand(berth);
        let Some(crowd) = self.crowds.get_mut(group) else { return };
        crowd.remove(berth, stand);
        if crowd.is_empty() {
            self.crowds.remove(group);
        }
    }

    /// What a [`Crowd`] counts a node by.
    pub fn stand(&self, berth: Berth) -> Stand {
        let seat = self.seat(berth);
        Stand { class: seat.and_then(|seat| seat.classes.first().copied()), offered: seat.is_some_and(Seat::offered) }
    }

    /// How many connected nodes of a class have no Unit of a group.
    pub fn empty(&self, class: ClassId, crowd: &Crowd) -> usize {
        self.members(class).saturating_sub(crowd.places(class).len())
    }

    /// One of the connected nodes of a class that have no Unit of a group, by its number among them.
    pub fn nth_empty(&self, class: ClassId, crowd: &Crowd, number: usize) -> Option<Berth> {
        let from = self.members_from(class);
        let empty_before =
            |place: usize| self.member(from + place).map_or(usize::MAX, |berth| place - crowd.before(class, berth));
        let (mut low, mut high) = (0, self.members(class));
        // The last one with so many before it.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if empty_before(middle) <= number { low = middle } else { high = middle }
        }
        self.member(from + low)
    }

    /// The berth of a node that is named; a new one if there was none.
    pub(super) fn berth_for(&mut self, id: &NodeId) -> Berth {
        if let Some(berth) = self.berth(id) {
            return berth;
        }
        let seat = Seat { id: Some(id.clone()), ..Seat::default() };
        let berth = match self.vacant.pop_back() {
            Some(berth) => {
                self.seats.set(berth.0 as usize, seat);
                berth
            }
            None => {
                self.seats.push_back(seat);
                Berth(u32::try_from(self.seats.len() - 1).expect("an installation has fewer than 2^32 nodes"))
            }
        };
        self.berths.insert(id.clone(), berth);
        berth
    }

    /// Gives a berth back if nothing names its node any more.
    fn vacate(&mut self, berth: Berth) {
        let Some(seat) = self.seat(berth) else { return };
        if seat.node.is_some() || !seat.memberships.is_empty() || self.used.contains_key(&berth) {
            return;
        }
        if let Some(id) = self.seats.set(berth.0 as usize, Seat::default()).id {
            self.berths.remove(&id);
            self.vacant.push_back(berth);
        }
    }

    /// Registers, changes or removes a node. `groups` are those of the Units that it holds.
    pub(super) fn set_node(&mut self, berth: Berth, node: Option<Arc<Node>>, groups: BTreeSet<GroupId>) {
        let before = self.stand(berth);
        self.change_seat(berth, |seat| seat.node = node);
        let after = self.stand(berth);
        for group in groups.into_iter().filter(|_| before != after) {
            if let Some(crowd) = self.crowds.get_mut(&group) {
                crowd.change_stand(berth, before, after);
            }
        }
        self.vacate(berth);
    }

    /// Writes or removes what a cluster keeps of a node.
    pub(super) fn set_membership(&mut self, cluster: &ClusterId, berth: Berth, membership: Option<Arc<Membership>>) {
        let marks = |own: &Membership| own.status != MembershipStatus::Active || !own.attributes.is_empty();
        self.change_seat(berth, |seat| {
            seat.memberships.retain(|own| own.cluster != *cluster);
            seat.memberships.extend(membership.filter(|own| marks(own)));
        });
        self.vacate(berth);
    }

    /// Takes a node out of the indexes, changes what is known of it and puts it back.
    fn change_seat(&mut self, berth: Berth, change: impl FnOnce(&mut Seat)) {
        let Some(mut seat) = self.seat(berth).cloned() else { return };
        self.unlist(berth, &seat);
        change(&mut seat);
        seat.classes = self.classify(berth, &seat);
        if seat.offered() {
            let free = seat.free(self.used(berth));
            for &class in &seat.classes {
                self.members.insert((class, berth), ());
                self.by_cpu.insert(class, berth, free);
                self.by_memory.insert(class, berth, (free.1, free.0));
            }
        }
        self.seats.set(berth.0 as usize, seat);
    }

    fn unlist(&mut self, berth: Berth, seat: &Seat) {
        if seat.offered() {
            let free = seat.free(self.used(berth));
            for &class in &seat.classes {
                self.members.remove(&(class, berth));
                self.by_cpu.remove(class, berth, free);
                self.by_memory.remove(class, berth, (free.1, free.0));
            }
        }
        seat.classes.iter().for_each(|&class| self.classes.leave(class));
        for own in seat.memberships.iter() {
            if let Some(view) = self.views.get_mut(&own.cluster) {
                view.forget(berth, &own.attributes);
                if view.is_empty() {
                    self.views.remove(&own.cluster);
                }
            }
        }
    }

    /// The classes of a node, entered where they belong.
    fn classify(&mut self, berth: Berth, seat: &Seat) -> Vec<ClassId> {
        let Some(node) = &seat.node else { return Vec::new() };
        let plain = self.classes.enter(None, node.attributes.clone());
        let mut all = vec![plain];
        for own in &seat.memberships {
            let view = self.views.entry(own.cluster.clone()).or_default();
            if own.status != MembershipStatus::Active {
                view.set(berth, Standing::Out, &own.attributes);
                continue;
            }
            let mut attributes = node.attributes.clone();
            attributes.extend(own.attributes.clone());
            let class = self.classes.enter(Some((&own.cluster, plain)), attributes);
            view.set(berth, Standing::Own(class), &own.attributes);
            all.push(class);
        }
        all
    }
}

fn reserve_of(spec: Option<&UnitSpec>) -> Reserve {
    spec.map(|spec| spec.reserve).unwrap_or_default()
}
