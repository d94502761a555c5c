//! Connected nodes of each class in the order of what they have free.

use super::{Berth, ClassId};
use crate::quantity::{Cpu, Memory};
use crate::snapshot::ranked::Ranked;
use std::ops::Range;

/// Something that nodes have so much of.
pub trait Resource: Ord + Copy + Default {
    const MOST: Self;
}

impl Resource for Cpu {
    const MOST: Self = Cpu::from_millis(u64::MAX);
}

impl Resource for Memory {
    const MOST: Self = Memory::from_bytes(u64::MAX);
}

/// By one resource and then by the other, which weighs: a walk from so much of the one on passes over nodes with too little of
/// the other without looking at each.
#[derive(Clone, Debug)]
pub struct Order<A, B> {
    nodes: Ranked<(ClassId, A, B, Berth), B>,
}

impl<A: Resource, B: Resource> Default for Order<A, B> {
    fn default() -> Self {
        Self { nodes: Ranked::default() }
    }
}

impl<A: Resource, B: Resource> Order<A, B> {
    /// The nodes of a class that have at least so much of both, those with the least of the first resource first.
    pub fn with_room(&self, class: ClassId, first: A, second: B) -> impl Iterator<Item = (A, B, Berth)> + '_ {
        let mut from = (class, first, B::default(), Berth(0));
        std::iter::from_fn(move || {
            let ((of, a, b, berth), _) = self.nodes.next(&from, second)?;
            from = (of, a, b, berth.next());
            (of == class).then_some((a, b, berth))
        })
    }

    /// How many nodes of a class have less of the first resource.
    pub fn with_less(&self, class: ClassId, first: A) -> usize {
        let from = (class, A::default(), B::default(), Berth(0));
        self.nodes.rank(&(class, first, B::default(), Berth(0))) - self.nodes.rank(&from)
    }

    /// The nodes of a class that have exactly so much of the first resource, and of the second where that is said, by place.
    pub fn tied(&self, class: ClassId, first: A, second: Option<B>) -> Range<usize> {
        let from = (class, first, second.unwrap_or_default(), Berth(0));
        let to = (class, first, second.unwrap_or(B::MOST), Berth::LAST);
        self.nodes.rank(&from)..self.nodes.rank(&to)
    }

    pub fn nth(&self, place: usize) -> Option<Berth> {
        self.nodes.nth(place).map(|(.., berth)| berth)
    }

    pub(super) fn insert(&mut self, class: ClassId, berth: Berth, (first, second): (A, B)) {
        self.nodes.insert((class, first, second, berth), second);
    }

    pub(super) fn remove(&mut self, class: ClassId, berth: Berth, (first, second): (A, B)) {
        self.nodes.remove(&(class, first, second, berth));
    }

    pub(super) fn change(&mut self, class: ClassId, berth: Berth, from: (A, B), to: (A, B)) {
        self.remove(class, berth, from);
        self.insert(class, berth, to);
    }
}
