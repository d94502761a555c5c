//! An ordered map that also answers by rank and by weight: the n-th key, the keys below one, the next one heavy enough.
//!
//! A B+tree whose branches know of each child its first key, how many keys it holds and the heaviest. Copies share what they have
//! in common, so that copying is O(1) and a change copies one path. Everything else is O(log n).

use std::sync::Arc;

/// Entries of a leaf and children of a branch, at most.
const WIDEST: usize = 32;
/// A node narrower than this is joined with a neighbour.
const NARROW: usize = WIDEST / 4;

/// Keys in order, each with a weight.
#[derive(Clone, Debug)]
pub(super) struct Ranked<K, W> {
    root: Arc<Tree<K, W>>,
}

#[derive(Debug)]
enum Tree<K, W> {
    Leaf(Vec<(K, W)>),
    Branch(Vec<Child<K, W>>),
}

#[derive(Clone, Debug)]
struct Child<K, W> {
    first: K,
    len: usize,
    /// The greatest weight below.
    most: W,
    tree: Arc<Tree<K, W>>,
}

impl<K: Ord + Copy, W: Ord + Copy> Default for Ranked<K, W> {
    fn default() -> Self {
        Self { root: Arc::new(Tree::Leaf(Vec::new())) }
    }
}

impl<K: Ord + Copy, W: Ord + Copy> Ranked<K, W> {
    pub(super) fn len(&self) -> usize {
        self.root.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(&self, key: &K) -> Option<W> {
        let mut tree = &self.root;
        loop {
            match &**tree {
                Tree::Leaf(entries) => return Some(entries[find(entries, key).ok()?].1),
                Tree::Branch(children) => tree = &children[child_of(children, key)].tree,
            }
        }
    }

    /// How many keys are less than this one.
    pub(super) fn rank(&self, key: &K) -> usize {
        let (mut tree, mut before) = (&self.root, 0);
        loop {
            match &**tree {
                Tree::Leaf(entries) => return before + find(entries, key).unwrap_or_else(|place| place),
                Tree::Branch(children) => {
                    let place = child_of(children, key);
                    before += children[..place].iter().map(|child| child.len).sum::<usize>();
                    tree = &children[place].tree;
                }
            }
        }
    }

    /// The key that has `rank` keys before it.
    pub(super) fn nth(&self, mut rank: usize) -> Option<K> {
        let mut tree = &self.root;
        loop {
            match &**tree {
                Tree::Leaf(entries) => return entries.get(rank).map(|entry| entry.0),
                Tree::Branch(children) => {
                    let mut rest = children.iter();
                    tree = loop {
                        let child = rest.next()?;
                        if rank < child.len {
                            break &child.tree;
                        }
                        rank -= child.len;
                    };
                }
            }
        }
    }

    /// The first entry from a key on, itself included, that weighs at least so much.
    pub(super) fn next(&self, from: &K, least: W) -> Option<(K, W)> {
        self.root.next(from, least)
    }

    /// The heaviest weight between two keys, both included.
    pub(super) fn most(&self, from: &K, to: &K) -> Option<W> {
        self.root.most(from, to)
    }

    /// Adds a key, or changes its weight; returns the one that it had.
    pub(super) fn insert(&mut self, key: K, weight: W) -> Option<W> {
        let old = Arc::make_mut(&mut self.root).insert(key, weight);
        if self.root.width() > WIDEST {
            let mut children = vec![Child::of(std::mem::take(self).root)];
            settle(&mut children, 0);
            self.root = Arc::new(Tree::Branch(children));
        }
        old
    }

    /// Removes a key and returns its weight.
    pub(super) fn remove(&mut self, key: &K) -> Option<W> {
        let old = Arc::make_mut(&mut self.root).remove(key);
        if let Tree::Branch(children) = &*self.root
            && let [only] = &children[..]
        {
            self.root = only.tree.clone();
        }
        old
    }
}

impl<K: Ord + Copy, W: Ord + Copy> Tree<K, W> {
    fn width(&self) -> usize {
        match self {
            Tree::Leaf(entries) => entries.len(),
            Tree::Branch(children) => children.len(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Tree::Leaf(entries) => entries.len(),
            Tree::Branch(children) => children.iter().map(|child| child.len).sum(),
        }
    }

    /// The first key, how many there are, and the heaviest weight, of a tree that holds something.
    fn sum(&self) -> (K, usize, W) {
        let (first, most) = match self {
            Tree::Leaf(entries) => (entries[0].0, entries.iter().map(|entry| entry.1).max()),
            Tree::Branch(children) => (children[0].first, children.iter().map(|child| child.most).max()),
        };
        (first, self.len(), most.expect("what has a first key has a weight"))
    }

    fn next(&self, from: &K, least: W) -> Option<(K, W)> {
        match self {
            Tree::Leaf(entries) => {
                let start = find(entries, from).unwrap_or_else(|place| place);
                entries[start..].iter().find(|entry| entry.1 >= least).copied()
            }
            Tree::Branch(children) => {
                let heavy = children[child_of(children, from)..].iter().filter(|child| child.most >= least);
                heavy.into_iter().find_map(|child| child.tree.next(from, least))
            }
        }
    }

    fn most(&self, from: &K, to: &K) -> Option<W> {
        match self {
            Tree::Leaf(entries) => {
                let start = find(entries, from).unwrap_or_else(|place| place);
                entries[start..].iter().take_while(|entry| entry.0 <= *to).map(|entry| entry.1).max()
            }
            Tree::Branch(children) => {
                let (first, last) = (child_of(children, from), child_of(children, to));
                let within = |place: usize| match place {
                    place if place == first || place == last => children[place].tree.most(from, to),
                    place => Some(children[place].most),
                };
                (first..=last).filter_map(within).max()
            }
        }
    }

    fn insert(&mut self, key: K, weight: W) -> Option<W> {
        match self {
            Tree::Leaf(entries) => match find(entries, &key) {
                Ok(place) => Some(std::mem::replace(&mut entries[place].1, weight)),
                Err(place) => {
                    entries.insert(place, (key, weight));
                    None
                }
            },
            Tree::Branch(children) => {
                let place = child_of(children, &key);
                let child = &mut children[place];
                let old = Arc::make_mut(&mut child.tree).insert(key, weight);
                if child.tree.width() > WIDEST {
                    settle(children, place);
                } else {
                    child.inserted(key, weight, old);
                }
                old
            }
        }
    }

    fn remove(&mut self, key: &K) -> Option<W> {
        match self {
            Tree::Leaf(entries) => find(entries, key).ok().map(|place| entries.remove(place).1),
            Tree::Branch(children) => {
                let place = child_of(children, key);
                let child = &mut children[place];
                let old = Arc::make_mut(&mut child.tree).remove(key)?;
                if child.tree.width() < NARROW {
                    settle(children, place);
                } else {
                    child.removed(key, old);
                }
                Some(old)
            }
        }
    }

    /// Keeps so many entries or children and returns the rest.
    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Tree::Leaf(entries) => Tree::Leaf(entries.split_off(at)),
            Tree::Branch(children) => Tree::Branch(children.split_off(at)),
        }
    }

    /// Adds what a tree of the same height holds, all of it greater.
    fn append(&mut self, right: &Self) {
        match (self, right) {
            (Tree::Leaf(entries), Tree::Leaf(more)) => entries.extend_from_slice(more),
            (Tree::Branch(children), Tree::Branch(more)) => children.extend_from_slice(more),
            _ => unreachable!("children of one branch have one height"),
        }
    }
}

/// With room for what made the copy necessary.
impl<K: Clone, W: Clone> Clone for Tree<K, W> {
    fn clone(&self) -> Self {
        fn roomy<T: Clone>(all: &[T]) -> Vec<T> {
            let mut copy = Vec::with_capacity(WIDEST + 1);
            copy.extend_from_slice(all);
            copy
        }
        match self {
            Tree::Leaf(entries) => Tree::Leaf(roomy(entries)),
            Tree::Branch(children) => Tree::Branch(roomy(children)),
        }
    }
}

impl<K: Ord + Copy, W: Ord + Copy> Child<K, W> {
    /// Of a tree that holds something.
    fn of(tree: Arc<Tree<K, W>>) -> Self {
        let (first, len, most) = tree.sum();
        Child { first, len, most, tree }
    }

    /// Sums up after a key came, or had another weight: only what was the heaviest needs a look at the others.
    fn inserted(&mut self, key: K, weight: W, old: Option<W>) {
        if old == Some(self.most) && weight < self.most {
            return self.sum_up();
        }
        self.first = self.first.min(key);
        self.len += usize::from(old.is_none());
        self.most = self.most.max(weight);
    }

    /// Sums up after a key went.
    fn removed(&mut self, key: &K, weight: W) {
        if self.first == *key || self.most == weight {
            return self.sum_up();
        }
        self.len -= 1;
    }

    fn sum_up(&mut self) {
        (self.first, self.len, self.most) = self.tree.sum();
    }
}

fn find<K: Ord, W>(entries: &[(K, W)], key: &K) -> Result<usize, usize> {
    entries.binary_search_by(|entry| entry.0.cmp(key))
}

/// The child that holds a key if any does.
fn child_of<K: Ord, W>(children: &[Child<K, W>], key: &K) -> usize {
    children.partition_point(|child| child.first <= *key).saturating_sub(1)
}

/// After a change below one child: cuts it in two if it has become too wide, joins it with a neighbour if too narrow, and sums up
/// what it holds.
fn settle<K: Ord + Copy, W: Ord + Copy>(children: &mut Vec<Child<K, W>>, mut place: usize) {
    if children[place].tree.width() < NARROW && children.len() > 1 {
        place = place.min(children.len() - 2);
        let right = children.remove(place + 1);
        Arc::make_mut(&mut children[place].tree).append(&right.tree);
    }
    if children[place].tree.width() > WIDEST {
        let tree = Arc::make_mut(&mut children[place].tree);
        let right = tree.split_off(tree.width() / 2);
        children.insert(place + 1, Child::of(Arc::new(right)));
    }
    children[place].sum_up();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The same numbers every time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % bound
        }
    }

    /// Every child is as its parent says, as high as its neighbours and neither too wide nor too narrow; returns the height.
    fn check(tree: &Tree<u64, u64>, is_root: bool) -> usize {
        assert!(tree.width() <= WIDEST && (is_root || tree.width() >= NARROW), "{}", tree.width());
        let Tree::Branch(children) = tree else { return 0 };
        assert!(children.len() > 1);
        assert!(children.iter().all(|child| (child.first, child.len, child.most) == child.tree.sum()));
        let heights: Vec<usize> = children.iter().map(|child| check(&child.tree, false)).collect();
        assert!(heights.iter().all(|height| *height == heights[0]));
        heights[0] + 1
    }

    fn compare(ranked: &Ranked<u64, u64>, plain: &BTreeMap<u64, u64>, dice: &mut Dice, keys: u64) {
        check(&ranked.root, true);
        assert_eq!(ranked.len(), plain.len());
        let all: Vec<u64> = (0..ranked.len()).filter_map(|rank| ranked.nth(rank)).collect();
        assert_eq!(all, plain.keys().copied().collect::<Vec<_>>());
        assert_eq!(ranked.nth(ranked.len()), None);
        for _ in 0..20 {
            let (from, to, least) = (dice.below(keys), dice.below(keys), dice.below(12));
            assert_eq!(ranked.get(&from), plain.get(&from).copied());
            assert_eq!(ranked.rank(&from), plain.range(..from).count());
            let next = plain.range(from..).find(|(_, weight)| **weight >= least);
            assert_eq!(ranked.next(&from, least), next.map(|(key, weight)| (*key, *weight)));
            if from <= to {
                assert_eq!(ranked.most(&from, &to), plain.range(from..=to).map(|(_, weight)| *weight).max());
            }
        }
    }

    #[test]
    fn it_answers_as_a_plain_map_does_while_it_grows_and_shrinks() {
        let mut dice = Dice(7);
        for keys in [10, 300, 5000] {
            let (mut ranked, mut plain) = (Ranked::default(), BTreeMap::new());
            for round in 0..6 {
                for _ in 0..keys {
                    let (key, weight) = (dice.below(keys), dice.below(10));
                    // Odd rounds remove three times as often as they add.
                    match dice.below(4) {
                        0 if round % 2 == 0 => assert_eq!(ranked.remove(&key), plain.remove(&key)),
                        1.. if round % 2 == 1 => assert_eq!(ranked.remove(&key), plain.remove(&key)),
                        _ => assert_eq!(ranked.insert(key, weight), plain.insert(key, weight)),
                    }
                }
                compare(&ranked, &plain, &mut dice, keys);
            }
            for key in 0..keys {
                assert_eq!(ranked.remove(&key), plain.remove(&key));
            }
            compare(&ranked, &plain, &mut dice, keys);
            assert!(ranked.is_empty());
        }
    }

    #[test]
    fn a_copy_does_not_move_when_the_original_does() {
        let mut ranked = Ranked::default();
        for key in 0..1000u64 {
            ranked.insert(key, key % 10);
        }
        let copy = ranked.clone();
        for key in (0..1000u64).filter(|key| key % 3 > 0) {
            ranked.remove(&key);
        }
        ranked.insert(0, 99);
        assert_eq!((copy.len(), copy.get(&0), copy.most(&0, &999)), (1000, Some(0), Some(9)));
        assert_eq!((ranked.len(), ranked.get(&0), ranked.most(&0, &999)), (334, Some(99), Some(99)));
    }
}
