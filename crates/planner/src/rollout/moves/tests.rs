//! The four rules as properties over any counts, and tables of what ECS's documentation promises.

use super::*;
use proptest::prelude::*;

fn healthy(count: u32) -> Tally {
    Tally { healthy: count, ..Tally::default() }
}

fn bounds(desired: u32, maximum_percent: u32, minimum_healthy_percent: u32) -> Bounds {
    Bounds::from_percent(desired, maximum_percent, minimum_healthy_percent)
}

#[test]
fn with_room_for_all_new_units_none_of_the_old_is_stopped_before_one_is_healthy() {
    let start = plan(&bounds(4, 200, 100), &[(Want::Keep(4), Tally::default()), (Want::Drain, healthy(4))]);
    assert_eq!(start[0], Moves { start: 4, ..Moves::default() });
    assert!(start[1].is_nothing());

    let coming = Tally { pending: 1, warming: 1, healthy: 2, ..Tally::default() };
    let later = plan(&bounds(4, 200, 100), &[(Want::Keep(4), coming), (Want::Drain, healthy(4))]);
    assert_eq!(later[1], Moves { stop_healthy: 2, ..Moves::default() });
}

#[test]
fn without_room_as_many_are_stopped_as_the_minimum_allows() {
    let half = plan(&bounds(4, 100, 50), &[(Want::Keep(4), Tally::default()), (Want::Drain, healthy(4))]);
    assert_eq!(half[0].start, 0);
    assert_eq!(half[1], Moves { stop_healthy: 2, ..Moves::default() });

    let stuck = plan(&bounds(4, 100, 100), &[(Want::Keep(4), Tally::default()), (Want::Drain, healthy(4))]);
    assert!(stuck.iter().all(Moves::is_nothing));
}

#[test]
fn those_that_leave_already_are_not_stopped_twice() {
    let leaving = Tally { healthy: 2, leaving: 2, ..Tally::default() };
    let moves = plan(&bounds(4, 100, 0), &[(Want::Keep(4), Tally::default()), (Want::Drain, leaving)]);
    assert_eq!(moves[1].stop_healthy, 2, "four are missing, two leave, two more have to");
    let enough = Tally { healthy: 2, leaving: 4, ..Tally::default() };
    let moves = plan(&bounds(4, 150, 0), &[(Want::Keep(4), Tally::default()), (Want::Drain, enough)]);
    assert_eq!(moves[1].stop_healthy, 0);
}

#[test]
fn a_unit_without_room_may_take_the_place_of_an_old_one() {
    let waiting = Tally { waiting: 2, ..Tally::default() };
    let moves = plan(&bounds(2, 200, 50), &[(Want::Keep(2), waiting), (Want::Drain, healthy(2))]);
    assert_eq!(moves[1], Moves { stop_healthy: 1, ..Moves::default() });
}

#[test]
fn an_unhealthy_unit_is_replaced_first_where_the_maximum_allows_and_stopped_first_where_not() {
    let sick = Tally { healthy: 1, unhealthy: 1, ..Tally::default() };
    let roomy = plan(&bounds(2, 200, 100), &[(Want::Keep(2), sick)]);
    assert_eq!(roomy[0], Moves { start: 1, ..Moves::default() });
    let replaced = Tally { healthy: 2, unhealthy: 1, ..Tally::default() };
    assert_eq!(plan(&bounds(2, 200, 100), &[(Want::Keep(2), replaced)])[0].stop_unhealthy, 1);
    let tight = plan(&bounds(2, 100, 100), &[(Want::Keep(2), sick)]);
    assert_eq!(tight[0], Moves { stop_unhealthy: 1, ..Moves::default() });
}

#[test]
fn old_units_that_never_ran_go_at_once() {
    let never = Tally { waiting: 1, pending: 2, healthy: 1, ..Tally::default() };
    let moves = plan(&bounds(4, 200, 100), &[(Want::Keep(4), Tally::default()), (Want::Drain, never)]);
    assert_eq!(moves[1], Moves { stop_idle: 3, ..Moves::default() });
}

#[test]
fn a_service_that_is_made_anew_at_once_keeps_serving_with_what_only_warms_up() {
    let warm = Tally { warming: 2, ..Tally::default() };
    let moves = plan(&bounds(2, 200, 100), &[(Want::Keep(2), Tally::default()), (Want::Drain, warm)]);
    assert!(moves[1].is_nothing());
}

#[test]
fn scaling_in_takes_what_does_not_serve_first() {
    let mixed = Tally { pending: 1, warming: 1, healthy: 4, ..Tally::default() };
    let to_three = plan(&bounds(3, 200, 100), &[(Want::Keep(3), mixed)])[0];
    assert_eq!(to_three, Moves { stop_surplus: 2, stop_surplus_healthy: 1, ..Moves::default() });
    let to_none = plan(&bounds(0, 200, 100), &[(Want::Keep(0), mixed)])[0];
    assert_eq!(to_none, Moves { stop_surplus: 2, stop_surplus_healthy: 4, ..Moves::default() });
}

#[test]
fn a_protected_unit_of_the_old_revision_stays_and_counts() {
    let old = Tally { healthy: 1, protected: 1, ..Tally::default() };
    let moves = plan(&bounds(2, 200, 100), &[(Want::Keep(2), healthy(2)), (Want::Drain, old)]);
    assert_eq!(moves[1], Moves { stop_healthy: 1, ..Moves::default() });
    let full = plan(&bounds(2, 100, 50), &[(Want::Keep(2), healthy(0)), (Want::Drain, Tally { protected: 2, ..old })]);
    assert_eq!(full[0].start, 0, "the protected ones count towards the maximum");
}

#[test]
fn units_of_a_leaving_node_are_replaced_within_the_bounds() {
    let displaced = Tally { healthy: 1, displaced_healthy: 1, displaced_idle: 1, ..Tally::default() };
    let moves = plan(&bounds(3, 200, 100), &[(Want::Keep(3), displaced)]);
    assert_eq!(moves[0], Moves { start: 2, stop_idle: 1, ..Moves::default() });
    let replaced = Tally { healthy: 3, displaced_healthy: 1, ..Tally::default() };
    assert_eq!(plan(&bounds(3, 200, 100), &[(Want::Keep(3), replaced)])[0].stop_healthy, 1);
}

fn a_tally() -> impl Strategy<Value = Tally> {
    proptest::array::uniform9(0u32..4).prop_map(|[a, b, c, d, e, f, g, h, i]| Tally {
        waiting: a,
        pending: b,
        warming: c,
        healthy: d,
        unhealthy: e,
        displaced_idle: f,
        displaced_warming: g,
        displaced_healthy: h,
        protected: 0,
        leaving: i,
    })
}

fn some_sets() -> impl Strategy<Value = Vec<(Want, Tally)>> {
    let others =
        proptest::collection::vec((prop_oneof![Just(Want::Drain), (0u32..6).prop_map(Want::Keep)], a_tally()), 0..3);
    (0u32..9, a_tally(), others)
        .prop_map(|(count, tally, others)| std::iter::once((Want::Keep(count), tally)).chain(others).collect())
}

fn wanted(sets: &[(Want, Tally)]) -> u32 {
    sets.iter().map(|(want, _)| if let Want::Keep(count) = want { *count } else { 0 }).sum()
}

fn stopped_healthy(moves: &Moves) -> u32 {
    moves.stop_healthy + moves.stop_surplus_healthy
}

/// What the world does between two plans: everything that was started becomes healthy, everything that was stopped is gone.
fn carry_out(sets: &mut [(Want, Tally)], moves: &[Moves]) {
    for ((want, tally), moves) in sets.iter_mut().zip(moves) {
        let not_healthy = tally.good() - tally.healthy;
        let kept = not_healthy - moves.stop_surplus;
        let drained = *want == Want::Drain;
        let (from_warm, from_displaced) = if drained {
            (moves.stop_warming.min(tally.warming), moves.stop_warming.saturating_sub(tally.warming))
        } else {
            (0, moves.stop_warming)
        };
        let (from_healthy, from_leaving_node) = if drained {
            (moves.stop_healthy.min(tally.healthy), moves.stop_healthy.saturating_sub(tally.healthy))
        } else {
            (0, moves.stop_healthy)
        };
        let healthy = if drained {
            tally.healthy - from_healthy + tally.warming - from_warm
        } else {
            tally.healthy - moves.stop_surplus_healthy + kept + moves.start
        };
        *tally = Tally {
            healthy,
            unhealthy: tally.unhealthy - moves.stop_unhealthy,
            displaced_healthy: tally.displaced_healthy + tally.displaced_warming - from_displaced - from_leaving_node,
            ..Tally::default()
        };
    }
}

proptest! {
    #[test]
    fn nothing_is_started_beyond_the_maximum(sets in some_sets(), max in 50u32..250, min in 0u32..=100) {
        let bounds = Bounds::from_percent(wanted(&sets), max, min);
        let taking_part: u32 = sets.iter().map(|(_, tally)| tally.taking_part()).sum();
        let started: u32 = plan(&bounds, &sets).iter().map(|moves| moves.start).sum();
        prop_assert!(started == 0 || taking_part + started <= bounds.max);
    }

    #[test]
    fn healthy_units_never_go_below_the_minimum_because_of_a_plan(sets in some_sets(), max in 50u32..250, min in 0u32..=100) {
        let bounds = Bounds::from_percent(wanted(&sets), max, min);
        let before = all_healthy(&sets);
        let moves = plan(&bounds, &sets);
        let stopped: u32 = moves.iter().map(stopped_healthy).sum();
        prop_assert!(stopped == 0 || before - stopped >= bounds.min_healthy, "{moves:?}");
    }

    #[test]
    fn no_more_is_stopped_than_is_there(sets in some_sets(), max in 50u32..250, min in 0u32..=100) {
        let bounds = Bounds::from_percent(wanted(&sets), max, min);
        for ((want, tally), moves) in sets.iter().zip(plan(&bounds, &sets)) {
            prop_assert!(moves.stop_surplus <= tally.good() - tally.healthy && moves.stop_surplus_healthy <= tally.healthy);
            prop_assert!(moves.stop_unhealthy <= tally.unhealthy);
            prop_assert!(moves.stop_warming <= warming_to_go(&(*want, *tally)));
            prop_assert!(moves.stop_healthy <= healthy_to_go(&(*want, *tally)));
        }
    }

    #[test]
    fn in_a_world_without_failures_every_rollout_that_may_move_ends(
        sets in some_sets(), max in 100u32..250, min in 0u32..=100,
    ) {
        let desired = wanted(&sets);
        let bounds = Bounds::from_percent(desired, max, min);
        prop_assume!(bounds.max > desired || bounds.min_healthy < desired);
        let mut sets = sets;
        for _ in 0..100 {
            let moves = plan(&bounds, &sets);
            carry_out(&mut sets, &moves);
        }
        for (want, tally) in &sets {
            let count = if let Want::Keep(count) = want { *count } else { 0 };
            prop_assert_eq!(*tally, healthy(count), "{:?}", sets);
        }
    }
}
