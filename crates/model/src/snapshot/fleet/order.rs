//! Connected nodes of each class in the order of what they have free.

use super::{ClassId, Slot};
use crate::snapshot::ranked::Ranked;

/// By one resource and then by the other, which weighs: a walk from so much of the one on passes over nodes with too little of
/// the other without looking at each.
#[derive(Clone, Debug)]
pub struct Order<A, B> {
    nodes: Ranked<(ClassId, A, B, Slot), B>,
}

impl<A: Ord + Copy + Default, B: Ord + Copy + Default> Default for Order<A, B> {
    fn default() -> Self {
        Self { nodes: Ranked::default() }
    }
}

impl<A: Ord + Copy + Default, B: Ord + Copy + Default> Order<A, B> {
    /// The nodes of a class that have at least so much of both, those with the least of the first resource first.
    pub fn with_room(&self, class: ClassId, first: A, second: B) -> impl Iterator<Item = (A, B, Slot)> + '_ {
        let mut from = (class, first, B::default(), Slot(0));
        std::iter::from_fn(move || {
            let ((of, a, b, slot), _) = self.nodes.next(&from, second)?;
            from = (of, a, b, slot.next());
            (of == class).then_some((a, b, slot))
        })
    }

    /// How many nodes of a class have less of the first resource.
    pub fn with_less(&self, class: ClassId, first: A) -> usize {
        let from = (class, A::default(), B::default(), Slot(0));
        self.nodes.rank(&(class, first, B::default(), Slot(0))) - self.nodes.rank(&from)
    }

    /// The nodes of a class that have exactly so much of both, by place.
    pub fn with_just(&self, class: ClassId, first: A, second: B) -> std::ops::Range<usize> {
        self.nodes.rank(&(class, first, second, Slot(0)))..self.nodes.rank(&(class, first, second, Slot::LAST))
    }

    pub fn nth(&self, place: usize) -> Option<Slot> {
        self.nodes.nth(place).map(|(.., slot)| slot)
    }

    pub(super) fn insert(&mut self, class: ClassId, slot: Slot, (first, second): (A, B)) {
        self.nodes.insert((class, first, second, slot), second);
    }

    pub(super) fn remove(&mut self, class: ClassId, slot: Slot, (first, second): (A, B)) {
        self.nodes.remove(&(class, first, second, slot));
    }

    pub(super) fn change(&mut self, class: ClassId, slot: Slot, from: (A, B), to: (A, B)) {
        self.remove(class, slot, from);
        self.insert(class, slot, to);
    }
}
