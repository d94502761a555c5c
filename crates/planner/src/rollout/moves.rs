//! How many Units to start and to stop now: a step that never leaves the bounds, whatever happens after it.
//!
//! Units are counted in sets. A *kept* set is to have a number of Units; all of a *drained* one are to go, as are displaced
//! Units of kept sets, whose node is leaving, and unhealthy ones. The rules, in plain words:
//!
//! 1. Nothing is started beyond the maximum. What was asked to stop counts until it does.
//! 2. Units of no use, which do not run in a drained set, go at once.
//! 3. A running Unit that is to go is stopped once another has taken its place; before that only if nothing can be started
//!    without room being made, or if a Unit waits for room.
//! 4. Whatever is stopped, the healthy Units that are left are not fewer than the minimum because of it.

use super::Bounds;

/// The Units of one set that take part: those that were not asked to stop, by how they are, and those that were but still run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// No node has room for them yet.
    pub waiting: u32,
    /// They have a node and do not run yet.
    pub pending: u32,
    /// They run, and are not known to be healthy yet.
    pub warming: u32,
    pub healthy: u32,
    pub unhealthy: u32,
    /// Not running, on a node that is leaving.
    pub displaced_idle: u32,
    /// Running and not known to be healthy, on a node that is leaving.
    pub displaced_warming: u32,
    /// Healthy, on a node that is leaving.
    pub displaced_healthy: u32,
    /// Running, and neither to be stopped where they would be nor replaceable: they are left alone until their protection ends.
    pub protected: u32,
    /// Asked to stop and still taking part.
    pub leaving: u32,
}

impl Tally {
    /// Units that fill a slot of a kept set.
    pub fn good(&self) -> u32 {
        self.waiting + self.pending + self.warming + self.healthy
    }

    /// All that count towards the maximum.
    pub fn taking_part(&self) -> u32 {
        self.good() + self.unhealthy + self.displaced() + self.protected + self.leaving
    }

    fn displaced(&self) -> u32 {
        self.displaced_idle + self.displaced_warming + self.displaced_healthy
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// So many Units.
    Keep(u32),
    /// None, as soon as others have taken their place.
    Drain,
}

/// What to do about one set. Of what kind the stopped ones are says which to choose.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Moves {
    pub start: u32,
    /// Beyond what a kept set is to have: of those that are not healthy, waiting ones first.
    pub stop_surplus: u32,
    /// The same of healthy ones.
    pub stop_surplus_healthy: u32,
    /// Of no use: waiting or pending ones of a drained set or on a leaving node.
    pub stop_idle: u32,
    pub stop_unhealthy: u32,
    /// Running ones that are to go and are not known to be healthy.
    pub stop_warming: u32,
    /// Healthy ones that are to go.
    pub stop_healthy: u32,
}

impl Moves {
    pub fn is_nothing(&self) -> bool {
        *self == Moves::default()
    }
}

/// The moves for each set, in the order given; earlier sets start first.
pub fn plan(bounds: &Bounds, sets: &[(Want, Tally)]) -> Vec<Moves> {
    let mut moves: Vec<Moves> = sets.iter().map(|(want, tally)| starts_and_idle(*want, tally)).collect();
    let missing: u32 = moves.iter().map(|moves| moves.start).sum();
    let taking_part: u32 = sets.iter().map(|(_, tally)| tally.taking_part()).sum();
    let freed: u32 = moves.iter().map(|moves| moves.stop_idle).sum();
    limit_starts(&mut moves, bounds.max.saturating_sub(taking_part));

    let started: u32 = moves.iter().map(|moves| moves.start).sum();
    let waiting: u32 = sets.iter().filter(|(want, _)| matches!(want, Want::Keep(_))).map(|(_, t)| t.waiting).sum();
    let leaving: u32 = sets.iter().map(|(_, tally)| tally.leaving).sum();
    // What cannot come up until somebody goes, beyond those that are going already.
    let blocked = (missing - started + waiting).saturating_sub(leaving + freed);
    scale_in(bounds, sets, &mut moves);
    replace(bounds, sets, &mut moves, blocked);
    moves
}

/// Rules 2 and, before the bounds are asked, what is missing.
fn starts_and_idle(want: Want, tally: &Tally) -> Moves {
    match want {
        Want::Keep(count) => {
            Moves { start: count.saturating_sub(tally.good()), stop_idle: tally.displaced_idle, ..Moves::default() }
        }
        Want::Drain => Moves { stop_idle: tally.waiting + tally.pending + tally.displaced_idle, ..Moves::default() },
    }
}

/// Rule 1.
fn limit_starts(moves: &mut [Moves], mut room: u32) {
    for moves in moves {
        moves.start = moves.start.min(room);
        room -= moves.start;
    }
}

/// What a kept set has too many of. Its own size is the bound here: a client asked for fewer.
fn scale_in(bounds: &Bounds, sets: &[(Want, Tally)], moves: &mut [Moves]) {
    let mut healthy = all_healthy(sets);
    for ((want, tally), moves) in sets.iter().zip(moves) {
        let Want::Keep(count) = want else { continue };
        let surplus = tally.good().saturating_sub(*count);
        let not_healthy = tally.good() - tally.healthy;
        let of_healthy = surplus.saturating_sub(not_healthy).min(healthy.saturating_sub(bounds.min_healthy));
        healthy -= of_healthy;
        moves.stop_surplus = surplus.min(not_healthy);
        moves.stop_surplus_healthy = of_healthy;
    }
}

/// Rules 3 and 4.
fn replace(bounds: &Bounds, sets: &[(Want, Tally)], moves: &mut [Moves], blocked: u32) {
    let kept = |(want, tally): &(Want, Tally)| if matches!(want, Want::Keep(_)) { *tally } else { Tally::default() };
    let healthy_kept: u32 = sets.iter().map(|set| kept(set).healthy).sum();
    let up_to_go: u32 = sets.iter().map(|set| warming_to_go(set) + healthy_to_go(set)).sum();
    let unhealthy: u32 = sets.iter().map(|(_, tally)| tally.unhealthy).sum();
    let protected: u32 = sets.iter().map(|(_, tally)| tally.protected).sum();
    let serving = healthy_kept + protected + up_to_go;

    // How many of those that are to go have been replaced, and how many more have to make room.
    let replaced = serving.saturating_sub(bounds.desired).min(up_to_go);
    let mut room = blocked;
    let spare_unhealthy = if serving >= bounds.desired { unhealthy } else { unhealthy.min(room) };
    room -= spare_unhealthy.min(room);
    give(sets, moves, spare_unhealthy, |(_, tally)| tally.unhealthy, |moves| &mut moves.stop_unhealthy);

    let mut budget = replaced + room.min(up_to_go - replaced);
    let surplus_healthy: u32 = moves.iter().map(|moves| moves.stop_surplus_healthy).sum();
    let healthy = all_healthy(sets) - surplus_healthy;
    let up = healthy + sets.iter().map(|(_, tally)| tally.warming + tally.displaced_warming).sum::<u32>();
    // Those that only warm up serve too: they do not go below the minimum either.
    let warming = budget.min(sets.iter().map(warming_to_go).sum()).min(up.saturating_sub(bounds.min_healthy));
    budget -= give(sets, moves, warming, warming_to_go, |moves| &mut moves.stop_warming);
    let allowed = budget.min(healthy.saturating_sub(bounds.min_healthy));
    give(sets, moves, allowed, healthy_to_go, |moves| &mut moves.stop_healthy);
}

fn all_healthy(sets: &[(Want, Tally)]) -> u32 {
    sets.iter().map(|(_, tally)| tally.healthy + tally.displaced_healthy + tally.protected).sum()
}

fn warming_to_go((want, tally): &(Want, Tally)) -> u32 {
    tally.displaced_warming + if *want == Want::Drain { tally.warming } else { 0 }
}

fn healthy_to_go((want, tally): &(Want, Tally)) -> u32 {
    tally.displaced_healthy + if *want == Want::Drain { tally.healthy } else { 0 }
}

/// Hands `count` out over the sets, each at most what it has, the last set first: the oldest goes first. Returns what was given.
fn give(
    sets: &[(Want, Tally)],
    moves: &mut [Moves],
    count: u32,
    has: impl Fn(&(Want, Tally)) -> u32,
    field: impl Fn(&mut Moves) -> &mut u32,
) -> u32 {
    let mut left = count;
    for (set, moves) in sets.iter().zip(moves).rev() {
        let given = left.min(has(set));
        *field(moves) = given;
        left -= given;
    }
    count - left
}

#[cfg(test)]
mod tests;
