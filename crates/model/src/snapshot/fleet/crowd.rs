//! How many Units of one group are on which node.

use super::{Berth, ClassId};
use crate::snapshot::ranked::Ranked;
use imbl::OrdMap;
use std::cmp::Reverse;
use std::ops::Range;

/// Counts of a group's Units by node, so kept that the least counts of a class are found first.
#[derive(Clone, Default, Debug)]
pub struct Crowd {
    /// Nodes that are not offered, which no search looks for, are under [`ClassId::NONE`].
    nodes: Ranked<(ClassId, Berth), Reverse<u32>>,
    /// Units on all registered nodes of each class.
    held: OrdMap<ClassId, u64>,
}

/// What a node is counted by.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stand {
    pub(super) class: Option<ClassId>,
    pub(super) offered: bool,
}

impl Stand {
    /// The node's class by its own attributes; None for one that is not registered.
    pub fn class(self) -> Option<ClassId> {
        self.class
    }

    /// The same, of a connected node.
    pub fn offered(self) -> Option<ClassId> {
        self.class.filter(|_| self.offered)
    }

    fn key(self, berth: Berth) -> (ClassId, Berth) {
        (self.offered().unwrap_or(ClassId::NONE), berth)
    }
}

impl Crowd {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Units on one node.
    pub fn on(&self, berth: Berth, stand: Stand) -> u32 {
        self.nodes.get(&stand.key(berth)).map_or(0, |count| count.0)
    }

    /// Units on all registered nodes of each class that has any.
    pub fn held(&self) -> impl Iterator<Item = (ClassId, u64)> + '_ {
        self.held.iter().map(|(class, count)| (*class, *count))
    }

    /// Every node that has any, and how many.
    pub fn nodes(&self) -> impl Iterator<Item = (Berth, u32)> + '_ {
        let mut from = (ClassId::NONE, Berth(0));
        std::iter::from_fn(move || {
            let ((class, berth), count) = self.nodes.next(&from, Reverse(u32::MAX))?;
            from = (class, berth.next());
            Some((berth, count.0))
        })
    }

    /// The connected nodes of a class that have any, by place.
    pub fn places(&self, class: ClassId) -> Range<usize> {
        self.nodes.rank(&(class, Berth(0)))..self.nodes.rank(&(class, Berth::LAST))
    }

    /// A node by its place.
    pub fn node(&self, place: usize) -> Option<Berth> {
        self.nodes.nth(place).map(|(_, berth)| berth)
    }

    /// How many connected nodes of a class come before one.
    pub(super) fn before(&self, class: ClassId, berth: Berth) -> usize {
        self.nodes.rank(&(class, berth)) - self.nodes.rank(&(class, Berth(0)))
    }

    /// The least count of a connected node of a class that has any.
    pub fn least(&self, class: ClassId) -> Option<u32> {
        self.nodes.most(&(class, Berth(0)), &(class, Berth::LAST)).map(|count| count.0)
    }

    /// A node of a class with at most so many: the first one from a place on, or else the first of all.
    pub fn with_at_most(&self, class: ClassId, count: u32, from: usize) -> Option<Berth> {
        let find = |from: &(ClassId, Berth)| {
            let ((of, berth), _) = self.nodes.next(from, Reverse(count))?;
            (of == class).then_some(berth)
        };
        find(&self.nodes.nth(from)?).or_else(|| find(&(class, Berth(0))))
    }

    /// Counts another Unit.
    pub fn add(&mut self, berth: Berth, stand: Stand) {
        let before = self.on(berth, stand);
        self.nodes.insert(stand.key(berth), Reverse(before.saturating_add(1)));
        self.hold(stand.class, 1);
    }

    pub(super) fn remove(&mut self, berth: Berth, stand: Stand) {
        match self.on(berth, stand) {
            0 => return,
            1 => self.nodes.remove(&stand.key(berth)),
            more => self.nodes.insert(stand.key(berth), Reverse(more - 1)),
        };
        self.hold(stand.class, -1);
    }

    /// A node has become one of another class, or is offered no more, or again.
    pub(super) fn change_stand(&mut self, berth: Berth, before: Stand, after: Stand) {
        if let Some(count) = self.nodes.remove(&before.key(berth)) {
            self.nodes.insert(after.key(berth), count);
            self.hold(before.class, -i64::from(count.0));
            self.hold(after.class, i64::from(count.0));
        }
    }

    fn hold(&mut self, class: Option<ClassId>, more: i64) {
        let Some(class) = class else { return };
        let held = self.held.get(&class).copied().unwrap_or(0).saturating_add_signed(more);
        if held == 0 {
            self.held.remove(&class)
        } else {
            self.held.insert(class, held)
        };
    }
}
