//! Contract cases: reading keys, now and in the past.

use bytes::Bytes;
use store::{KeyRange, Revision, StoreError, Write};

use crate::harness::{Harness, bytes, delete, keys, put, values};

async fn with_keys(s: &Harness, names: &[&str]) {
    s.write(names.iter().map(|name| put(name, name)).collect()).await;
}

pub(crate) async fn an_empty_store_has_no_keys(s: Harness) {
    let result = s.range(KeyRange::all()).await;
    assert_eq!((result.kvs.len(), result.count, result.more), (0, 0, false));
}

pub(crate) async fn a_key_that_was_put_is_found(s: Harness) {
    s.put("a", "1").await;
    assert_eq!(s.value("a").await.as_deref(), Some("1"));
}

pub(crate) async fn an_absent_key_is_not_found(s: Harness) {
    s.put("a", "1").await;
    assert_eq!(s.get("b").await, None);
}

pub(crate) async fn keys_come_in_byte_order(s: Harness) {
    with_keys(&s, &["b", "a\u{7f}", "a", "B", "aa"]).await;
    assert_eq!(s.keys(KeyRange::all()).await, ["B", "a", "aa", "a\u{7f}", "b"]);
}

pub(crate) async fn a_prefix_finds_only_keys_that_begin_with_it(s: Harness) {
    with_keys(&s, &["a", "a/", "a/1", "a/2", "a0", "b"]).await;
    assert_eq!(s.keys(KeyRange::prefix("a/")).await, ["a/", "a/1", "a/2"]);
}

pub(crate) async fn a_prefix_that_ends_in_ff_finds_its_keys(s: Harness) {
    s.write(vec![Write::put(vec![b'a', 0xff, 1], "in"), Write::put("b", "out")]).await;
    assert_eq!(values(&s.range(KeyRange::prefix(vec![b'a', 0xff])).await), ["in"]);
}

pub(crate) async fn an_empty_prefix_finds_everything(s: Harness) {
    with_keys(&s, &["a", "b"]).await;
    assert_eq!(s.keys(KeyRange::prefix("")).await, ["a", "b"]);
}

pub(crate) async fn a_single_key_range_does_not_find_longer_keys(s: Harness) {
    with_keys(&s, &["a", "aa"]).await;
    assert_eq!(s.keys(KeyRange::key("a")).await, ["a"]);
}

pub(crate) async fn a_span_has_its_start_and_not_its_end(s: Harness) {
    with_keys(&s, &["a", "b", "c", "d"]).await;
    assert_eq!(s.keys(KeyRange::span("b", "d")).await, ["b", "c"]);
}

pub(crate) async fn a_span_between_keys_finds_nothing(s: Harness) {
    with_keys(&s, &["a", "d"]).await;
    assert_eq!(s.range(KeyRange::span("b", "c")).await.count, 0);
}

pub(crate) async fn an_empty_span_finds_nothing(s: Harness) {
    with_keys(&s, &["a"]).await;
    assert_eq!(s.range(KeyRange::span("a", "a")).await.count, 0);
}

pub(crate) async fn an_inverted_span_finds_nothing(s: Harness) {
    with_keys(&s, &["a", "b"]).await;
    assert_eq!(s.range(KeyRange::span("c", "a")).await.count, 0);
}

pub(crate) async fn an_inverted_span_in_the_past_finds_nothing(s: Harness) {
    let then = s.put("b", "1").await;
    s.put("b", "2").await;
    assert_eq!(s.range_at(KeyRange::span("c", "a"), then).await.count, 0);
}

pub(crate) async fn a_range_starting_at_a_key_reaches_the_end(s: Harness) {
    s.write(vec![put("a", ""), put("b", ""), Write::put(vec![0xff, 0xff], "last")]).await;
    assert_eq!(values(&s.range(KeyRange::starting_at("b")).await), ["", "last"]);
}

pub(crate) async fn a_limit_cuts_the_answer_and_says_so(s: Harness) {
    with_keys(&s, &["a", "b", "c"]).await;
    let result = s.store.range(KeyRange::all(), Some(2), None).await.unwrap();
    assert_eq!((keys(&result), result.more), (vec!["a".to_owned(), "b".to_owned()], true));
}

pub(crate) async fn a_limit_of_exactly_the_count_is_not_cut(s: Harness) {
    with_keys(&s, &["a", "b"]).await;
    let result = s.store.range(KeyRange::all(), Some(2), None).await.unwrap();
    assert_eq!((result.kvs.len(), result.more), (2, false));
}

pub(crate) async fn a_limit_above_the_count_is_not_cut(s: Harness) {
    with_keys(&s, &["a"]).await;
    let result = s.store.range(KeyRange::all(), Some(9), None).await.unwrap();
    assert_eq!((result.kvs.len(), result.more), (1, false));
}

pub(crate) async fn a_limit_of_zero_only_counts(s: Harness) {
    with_keys(&s, &["a", "b"]).await;
    let result = s.store.range(KeyRange::all(), Some(0), None).await.unwrap();
    assert_eq!((result.kvs.len(), result.count, result.more), (0, 2, true));
}

pub(crate) async fn the_count_ignores_the_limit(s: Harness) {
    with_keys(&s, &["a/1", "a/2", "a/3", "b"]).await;
    let result = s.store.range(KeyRange::prefix("a/"), Some(1), None).await.unwrap();
    assert_eq!((result.kvs.len(), result.count), (1, 3));
}

pub(crate) async fn a_range_tells_the_revision_it_was_read_at(s: Harness) {
    let revision = s.put("a", "1").await;
    assert_eq!(s.range(KeyRange::all()).await.revision, revision);
}

pub(crate) async fn a_range_in_the_past_tells_that_revision(s: Harness) {
    let then = s.put("a", "1").await;
    s.put("a", "2").await;
    assert_eq!(s.range_at(KeyRange::all(), then).await.revision, then);
}

pub(crate) async fn pages_at_one_revision_show_one_picture(s: Harness) {
    with_keys(&s, &["a", "c", "e"]).await;
    let first = s.store.range(KeyRange::all(), Some(2), None).await.unwrap();
    s.write(vec![put("b", "new"), delete("e")]).await;
    let rest = KeyRange::all().after(&first.kvs[1].key);
    let second = s.store.range(rest, Some(2), Some(first.revision)).await.unwrap();
    assert_eq!((keys(&second), second.more), (vec!["e".to_owned()], false));
}

pub(crate) async fn the_past_shows_an_overwritten_value(s: Harness) {
    let then = s.put("a", "old").await;
    s.put("a", "new").await;
    s.put("a", "newer").await;
    assert_eq!(values(&s.range_at(KeyRange::all(), then).await), ["old"]);
}

pub(crate) async fn the_past_shows_a_deleted_key(s: Harness) {
    let then = s.put("a", "1").await;
    s.delete("a").await;
    assert_eq!(keys(&s.range_at(KeyRange::all(), then).await), ["a"]);
}

pub(crate) async fn the_past_hides_a_later_key(s: Harness) {
    let then = s.put("a", "1").await;
    s.put("b", "1").await;
    assert_eq!(keys(&s.range_at(KeyRange::all(), then).await), ["a"]);
}

pub(crate) async fn the_past_hides_a_key_between_two_lives(s: Harness) {
    s.put("a", "1").await;
    let then = s.delete("a").await;
    s.put("a", "2").await;
    assert_eq!(s.range_at(KeyRange::all(), then).await.count, 0);
}

pub(crate) async fn the_past_has_the_numbers_of_then(s: Harness) {
    let created = s.put("a", "1").await;
    let then = s.put("a", "2").await;
    s.delete("a").await;
    s.put("a", "3").await;
    let past = s.range_at(KeyRange::all(), then).await.kvs[0].clone();
    assert_eq!((past.create_revision, past.mod_revision, past.version), (created, then, 2));
}

pub(crate) async fn the_past_is_in_byte_order_with_limit_and_count(s: Harness) {
    with_keys(&s, &["b", "d", "f"]).await;
    let then = s.revision().await;
    s.write(vec![put("a", ""), put("d", "new"), delete("b")]).await;
    let result = s.store.range(KeyRange::all(), Some(2), Some(then)).await.unwrap();
    assert_eq!((keys(&result), result.count, result.more), (vec!["b".to_owned(), "d".to_owned()], 3, true));
}

pub(crate) async fn the_past_keeps_to_the_range(s: Harness) {
    with_keys(&s, &["a/1", "b/1"]).await;
    let then = s.revision().await;
    s.write(vec![delete("a/1"), delete("b/1")]).await;
    assert_eq!(keys(&s.range_at(KeyRange::prefix("b/"), then).await), ["b/1"]);
}

pub(crate) async fn every_revision_of_the_past_can_be_read(s: Harness) {
    let start = s.revision().await;
    for n in 1..=20 {
        s.put("a", &n.to_string()).await;
    }
    for n in 1..=20 {
        let then = s.range_at(KeyRange::key("a"), Revision(start.0 + n)).await;
        assert_eq!(values(&then), [n.to_string()]);
    }
}

pub(crate) async fn the_revision_before_the_first_write_is_empty(s: Harness) {
    let start = s.revision().await;
    s.put("a", "1").await;
    assert_eq!(s.range_at(KeyRange::all(), start).await.count, 0);
}

pub(crate) async fn the_current_revision_by_name_is_now(s: Harness) {
    let now = s.put("a", "1").await;
    assert_eq!(s.range_at(KeyRange::all(), now).await, s.range(KeyRange::all()).await);
}

pub(crate) async fn a_future_revision_cannot_be_read(s: Harness) {
    let current = s.put("a", "1").await;
    let requested = current.next();
    let answer = s.store.range(KeyRange::all(), None, Some(requested)).await;
    assert_eq!(answer, Err(StoreError::FutureRevision { requested, current }));
}

pub(crate) async fn keys_and_values_hold_any_byte(s: Harness) {
    let all: Bytes = (0..=255u8).collect();
    s.write(vec![Write::put(all.clone(), all.clone())]).await;
    let found = s.store.get(all.clone()).await.unwrap().unwrap();
    assert_eq!((&found.key, &found.value), (&all, &all));
}

pub(crate) async fn an_empty_value_is_a_value(s: Harness) {
    s.put("a", "").await;
    assert_eq!(s.value("a").await.as_deref(), Some(""));
}

pub(crate) async fn a_thousand_keys_are_all_found(s: Harness) {
    let name = |n: usize| format!("k{n:04}");
    for block in 0..10 {
        s.write((0..100).map(|n| put(&name(block * 100 + n), "v")).collect()).await;
    }
    assert_eq!(s.keys(KeyRange::all()).await, (0..1000).map(name).collect::<Vec<_>>());
}

pub(crate) async fn an_answer_does_not_change_with_later_writes(s: Harness) {
    s.put("a", "1").await;
    let before = s.range(KeyRange::all()).await;
    s.put("a", "2").await;
    assert_eq!(values(&before), ["1"]);
}

pub(crate) async fn paging_visits_every_key_once(s: Harness) {
    let names: Vec<String> = (0..25).map(|n| format!("k{n:02}")).collect();
    s.write(names.iter().map(|name| put(name, "")).collect()).await;
    let (mut range, mut seen) = (KeyRange::prefix(bytes("k")), Vec::new());
    loop {
        let page = s.store.range(range.clone(), Some(4), None).await.unwrap();
        seen.extend(keys(&page));
        if !page.more {
            break;
        }
        range = range.after(&page.kvs[page.kvs.len() - 1].key);
    }
    assert_eq!(seen, names);
}
