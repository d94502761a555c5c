//! What was appended is read back complete and in order, by any page size, in both directions, across restarts.

use super::*;
use crate::logs::read::Filter;
use crate::logs::store::StreamSelection;
use crate::pattern::Pattern;
use proptest::prelude::*;

/// A batch: its stream, its events, and whether the store is opened anew after it.
type Appended = (usize, Vec<(i64, String)>, bool);

/// Times collide and go back, so that ties and overlapping blocks are common.
fn batches() -> impl Strategy<Value = Vec<Appended>> {
    let event = (0i64..60, "[a-c]{0,30}");
    prop::collection::vec((0usize..2, prop::collection::vec(event, 1..30), prop::bool::weighted(0.1)), 1..25)
}

/// Everything in the order that reads promise, as (time, stream, number, message).
type Model = Vec<(i64, usize, u64, String)>;

fn fill(dir: &std::path::Path, batches: &[Appended]) -> (LogStore, Model) {
    let mut store = LogStore::open_with(dir, 2_000).unwrap();
    let names = ["s0", "s1"];
    for name in names {
        store.create_stream(GROUP, name, 1).unwrap();
    }
    let (mut model, mut next) = (Vec::new(), [0, 0]);
    for (stream, events, reopen) in batches {
        let borrowed: Vec<_> = events.iter().map(|(t, m)| (*t, m.as_str())).collect();
        put(&store, names[*stream], &borrowed);
        for (time, message) in events {
            model.push((*time, *stream, next[*stream], message.clone()));
            next[*stream] += 1;
        }
        if *reopen {
            store.sync().unwrap();
            drop(store);
            store = LogStore::open_with(dir, 2_000).unwrap();
        }
    }
    model.sort();
    (store, model)
}

fn walk(store: &LogStore, limit: usize, query: Get<'static>, backward: bool) -> Vec<(i64, u64, String)> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = store.get(GROUP, "s0", &Get { token: token.as_deref(), ..query }).unwrap();
        assert!(page.events.len() <= limit);
        let next = if backward { page.next_backward } else { page.next_forward };
        let page: Vec<_> = page.events.into_iter().map(|e| (e.timestamp_ms(), e.seq(), e.message)).collect();
        if page.is_empty() {
            assert!(token.as_ref().is_none_or(|t| *t == next), "at an end the same token comes back");
            return all;
        }
        if backward {
            all.splice(0..0, page);
        } else {
            all.extend(page);
        }
        token = Some(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_walk_over_a_stream_meets_each_event_once_and_in_order(
        batches in batches(), limit in 1usize..40, start in 0i64..60, length in 0i64..70,
    ) {
        let dir = folder();
        let (store, model) = fill(dir.path(), &batches);
        let (start_ms, end_ms) = (Some(start), Some(start + length));
        let expected: Vec<_> = model.iter().filter(|(t, s, ..)| *s == 0 && *t >= start && *t < start + length)
            .map(|(t, _, n, m)| (*t, *n, m.clone())).collect();
        for (from, backward) in [(Start::Head, false), (Start::Tail, true)] {
            let query = Get { start_ms, end_ms, from, limit: Some(limit), token: None };
            prop_assert_eq!(&walk(&store, limit, query, backward), &expected);
        }
    }

    #[test]
    fn a_page_read_forward_is_met_again_when_turning_back(batches in batches(), limit in 1usize..40) {
        let dir = folder();
        let (store, _) = fill(dir.path(), &batches);
        let first = store.get(GROUP, "s0", &get(Start::Head, Some(limit), None)).unwrap();
        let second = store.get(GROUP, "s0", &get(Start::Head, Some(limit), Some(&first.next_forward))).unwrap();
        let back = store.get(GROUP, "s0", &get(Start::Head, Some(limit), Some(&second.next_backward))).unwrap();
        prop_assert_eq!(back.events, first.events);
    }

    #[test]
    fn a_filter_merges_streams_by_time_and_its_ids_are_unique_and_ascend(
        batches in batches(), limit in 1usize..40, most_read in 0u64..4_000, down: bool, term in prop::option::of("[a-c]{1,2}"),
    ) {
        let dir = folder();
        let (store, mut model) = fill(dir.path(), &batches);
        model.retain(|(.., message)| term.as_ref().is_none_or(|t| message.contains(t)));
        let pattern = term.map(|t| Pattern::parse(&t).unwrap());
        let (mut all, mut ids, mut token) = (Vec::new(), Vec::new(), None);
        loop {
            let (token_now, limit) = (token.as_deref(), Some(limit));
            let from = if down { Start::Tail } else { Start::Head };
            let filter = Filter { start_ms: None, end_ms: None, pattern: pattern.as_ref(), from, limit, token: token_now };
            let page = store.filter_reading(GROUP, StreamSelection::All, &filter, most_read).unwrap();
            for event in page.events {
                ids.push(event.event_id());
                all.push((event.timestamp_ms(), usize::from(&*event.stream == "s1"), event.seq(), event.message));
            }
            match page.next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        if down {
            all.reverse();
            ids.reverse();
        }
        prop_assert_eq!(all, model);
        prop_assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn arrivals_come_in_the_order_of_appending(batches in batches(), limit in 1usize..40) {
        let dir = folder();
        let (store, _) = fill(dir.path(), &batches);
        let expected: Vec<_> = batches.iter().filter(|b| b.0 == 0).flat_map(|b| b.1.clone()).collect();
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let page = store.arrivals(GROUP, "s0", from, limit).unwrap();
            if page.events.is_empty() {
                break;
            }
            from = page.next_seq;
            all.extend(page.events.into_iter().map(|e| (e.timestamp_ms(), e.message)));
        }
        prop_assert_eq!(all, expected);
    }
}

#[test]
fn a_page_ends_at_one_mebibyte() {
    let dir = folder();
    let store = LogStore::open(dir.path()).unwrap();
    store.create_stream(GROUP, "s", 1).unwrap();
    let long = "x".repeat(256 * 1024 - 26);
    for n in 0..9 {
        put(&store, "s", &[(n, &long), (n, &long)]);
    }
    let mut token = None;
    for events in [4, 4, 4, 4, 2, 0] {
        let page = store.get(GROUP, "s", &get(Start::Head, None, token.as_deref())).unwrap();
        assert_eq!(page.events.len(), events);
        token = Some(page.next_forward);
    }
}

#[test]
fn a_tail_token_shows_what_arrives_later() {
    let dir = folder();
    let store = LogStore::open(dir.path()).unwrap();
    store.create_stream(GROUP, "s", 1).unwrap();
    let empty = store.get(GROUP, "s", &get(Start::Tail, None, None)).unwrap();
    assert!(empty.events.is_empty());
    put(&store, "s", &[(5, "one"), (5, "two")]);
    let page = store.get(GROUP, "s", &get(Start::Tail, None, Some(&empty.next_forward))).unwrap();
    assert_eq!(page.events.len(), 2);
    let again = store.get(GROUP, "s", &get(Start::Tail, None, Some(&page.next_forward))).unwrap();
    assert_eq!((again.events.len(), &again.next_forward), (0, &page.next_forward));
    put(&store, "s", &[(5, "three")]);
    let page = store.get(GROUP, "s", &get(Start::Tail, None, Some(&again.next_forward))).unwrap();
    assert_eq!(page.events[0].message, "three");
}

#[test]
fn a_filter_looks_at_the_streams_that_it_is_told() {
    let dir = folder();
    let store = LogStore::open(dir.path()).unwrap();
    for (time, name) in ["web/2", "web/1", "db"].into_iter().enumerate() {
        store.create_stream(GROUP, name, 1).unwrap();
        put(&store, name, &[(time as i64, name)]);
    }
    let read = |streams, start_ms, end_ms| {
        let filter = Filter { start_ms, end_ms, pattern: None, from: Start::Head, limit: None, token: None };
        let page = store.filter(GROUP, streams, &filter).unwrap();
        page.events.into_iter().map(|e| e.message).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(StreamSelection::All, None, None), "web/2 web/1 db");
    assert_eq!(read(StreamSelection::All, Some(1), Some(2)), "web/1");
    assert_eq!(read(StreamSelection::Prefix("web/"), None, None), "web/2 web/1");
    assert_eq!(read(StreamSelection::Names(&["db", "web/1", "db", "none"]), None, None), "web/1 db");
}
