//! What is stored always suffices to rebuild the state, wherever the deletion of useless rows was interrupted.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The log table as a value.
type Rows = BTreeMap<i64, (Revision, Bytes, Option<Arc<KeyValue>>)>;

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(u8, Option<u8>)>),
    /// Raises the floor to so many revisions before the present.
    Compact(u64),
    /// Deletes so many of the useless rows, as far as the writer got.
    DeleteUseless(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let changes = proptest::collection::btree_map(0..6u8, proptest::option::weighted(0.6, any::<u8>()), 1..4);
    prop_oneof![
        6 => changes.prop_map(|changes| Step::Write(changes.into_iter().collect())),
        2 => (0..6u64).prop_map(Step::Compact),
        2 => (0..8usize).prop_map(Step::DeleteUseless),
        1 => Just(Step::Reopen),
    ]
}

struct Disk {
    rows: Rows,
    useless: BTreeSet<i64>,
}

fn write(state: &mut State, disk: &mut Disk, changes: &[(u8, Option<u8>)]) {
    let (before, mut row) = (state.revision(), state.next_row());
    let writes: Vec<Write> = changes
        .iter()
        .map(|(key, value)| match value {
            Some(value) => Write::put(vec![*key], vec![*value]),
            None => Write::delete(vec![*key]),
        })
        .collect();
    state.apply(&writes);
    for (revision, changes) in state.revisions_since(before) {
        for change in changes {
            disk.rows.insert(row, (revision, change.key.clone(), change.current.clone()));
            row += 1;
        }
    }
    assert_eq!(row, state.next_row());
}

fn reopened(floor: Revision, disk: &mut Disk) -> State {
    let mut by_revision: BTreeMap<Revision, Vec<_>> = BTreeMap::new();
    for (row, (revision, key, kv)) in &disk.rows {
        by_revision.entry(*revision).or_default().push((*row, key.clone(), kv.clone()));
    }
    let mut state = State::new(floor);
    disk.useless.clear();
    for (revision, rows) in by_revision {
        disk.useless.extend(state.restore(revision, rows));
    }
    state
}

fn assert_same(one: &State, two: &State) {
    assert_eq!((one.revision, one.floor, one.log_bytes), (two.revision, two.floor, two.log_bytes));
    for revision in one.floor.0..=one.revision.0 {
        let at = |state: &State| state.range(&KeyRange::all(), None, Some(Revision(revision)));
        assert_eq!(at(one), at(two));
    }
    let changes = |state: &State| {
        state.revisions_since(state.floor).map(|(revision, changes)| (revision, changes.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(changes(one), changes(two));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rows_on_disk_rebuild_the_state(steps in vec(step(), 1..60)) {
        let mut state = State::new(Revision::INITIAL);
        let mut disk = Disk { rows: Rows::new(), useless: BTreeSet::new() };
        for step in steps {
            match step {
                Step::Write(changes) => write(&mut state, &mut disk, &changes),
                Step::Compact(back) => {
                    let floor = Revision(state.revision().0.saturating_sub(back)).max(state.floor());
                    disk.useless.extend(state.compact(floor));
                }
                Step::DeleteUseless(count) => {
                    for row in (0..count).map_while(|_| disk.useless.pop_first()) {
                        assert!(disk.rows.remove(&row).is_some(), "row {row} was useless twice");
                    }
                }
                Step::Reopen => state = reopened(state.floor(), &mut disk),
            }
            let floor = state.floor();
            assert_same(&state, &reopened(floor, &mut Disk { rows: disk.rows.clone(), useless: BTreeSet::new() }));
        }
    }

    #[test]
    fn a_compacted_state_needs_one_row_per_key(changes in vec((0..6u8, proptest::option::of(any::<u8>())), 1..60)) {
        let mut state = State::new(Revision::INITIAL);
        let mut disk = Disk { rows: Rows::new(), useless: BTreeSet::new() };
        for change in changes {
            write(&mut state, &mut disk, &[change]);
        }
        for row in state.compact(state.revision()) {
            disk.rows.remove(&row);
        }
        assert_eq!(disk.rows.len(), state.keys.len());
    }
}
