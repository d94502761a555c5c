//! Contract cases: the limits of one commit, which every engine enforces alike.

use store::{CommitOutcome, Compare, Invalid, KeyRange, MAX_COMMIT_BYTES, MAX_COMPARES, MAX_WRITES, StoreError, Write};

use crate::harness::{Harness, bytes, delete, put};

async fn refusal(s: &Harness, compares: Vec<Compare>, writes: Vec<Write>) -> Invalid {
    match s.store.commit(compares, writes).await {
        Err(StoreError::Invalid(invalid)) => invalid,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn puts(count: usize) -> Vec<Write> {
    (0..count).map(|n| put(&n.to_string(), "v")).collect()
}

fn absents(count: usize) -> Vec<Compare> {
    (0..count).map(|n| Compare::absent(bytes(&n.to_string()))).collect()
}

pub(crate) async fn as_many_writes_as_allowed_are_accepted(s: Harness) {
    s.write(puts(MAX_WRITES)).await;
    assert_eq!(s.range(KeyRange::all()).await.count, MAX_WRITES);
}

pub(crate) async fn one_write_too_many_is_refused(s: Harness) {
    let count = MAX_WRITES + 1;
    assert_eq!(refusal(&s, vec![], puts(count)).await, Invalid::TooManyWrites { count });
}

pub(crate) async fn as_many_compares_as_allowed_are_accepted(s: Harness) {
    assert!(matches!(s.commit(absents(MAX_COMPARES), vec![]).await, CommitOutcome::Committed(_)));
}

pub(crate) async fn one_compare_too_many_is_refused(s: Harness) {
    let count = MAX_COMPARES + 1;
    assert_eq!(refusal(&s, absents(count), vec![]).await, Invalid::TooManyCompares { count });
}

pub(crate) async fn exactly_the_byte_limit_is_accepted(s: Harness) {
    s.write(vec![Write::put("key", vec![7; MAX_COMMIT_BYTES - 3])]).await;
    assert_eq!(s.get("key").await.unwrap().value.len(), MAX_COMMIT_BYTES - 3);
}

pub(crate) async fn one_byte_too_many_is_refused(s: Harness) {
    let writes = vec![Write::put("key", vec![7; MAX_COMMIT_BYTES - 2])];
    assert_eq!(refusal(&s, vec![], writes).await, Invalid::TooLarge { bytes: MAX_COMMIT_BYTES + 1 });
}

pub(crate) async fn the_bytes_of_all_writes_count_together(s: Harness) {
    let half = vec![7; MAX_COMMIT_BYTES / 2];
    let writes = vec![Write::put("a", half.clone()), Write::put("b", half)];
    assert_eq!(refusal(&s, vec![], writes).await, Invalid::TooLarge { bytes: MAX_COMMIT_BYTES + 2 });
}

pub(crate) async fn the_keys_of_compares_count_as_bytes(s: Harness) {
    let compares = vec![Compare::absent(vec![7; MAX_COMMIT_BYTES + 1])];
    assert_eq!(refusal(&s, compares, vec![]).await, Invalid::TooLarge { bytes: MAX_COMMIT_BYTES + 1 });
}

pub(crate) async fn the_keys_of_deletes_count_as_bytes(s: Harness) {
    let writes = vec![Write::delete(vec![7; MAX_COMMIT_BYTES + 1])];
    assert_eq!(refusal(&s, vec![], writes).await, Invalid::TooLarge { bytes: MAX_COMMIT_BYTES + 1 });
}

pub(crate) async fn putting_a_key_twice_is_refused(s: Harness) {
    let writes = vec![put("a", "1"), put("b", "1"), put("a", "2")];
    assert_eq!(refusal(&s, vec![], writes).await, Invalid::WrittenTwice(bytes("a")));
}

pub(crate) async fn putting_and_deleting_a_key_is_refused(s: Harness) {
    assert_eq!(refusal(&s, vec![], vec![put("a", "1"), delete("a")]).await, Invalid::WrittenTwice(bytes("a")));
}

pub(crate) async fn deleting_a_key_twice_is_refused(s: Harness) {
    assert_eq!(refusal(&s, vec![], vec![delete("a"), delete("a")]).await, Invalid::WrittenTwice(bytes("a")));
}

pub(crate) async fn comparing_a_key_twice_is_refused(s: Harness) {
    let compares = vec![Compare::absent("a"), Compare::version("a", 0)];
    assert_eq!(refusal(&s, compares, vec![]).await, Invalid::ComparedTwice(bytes("a")));
}

pub(crate) async fn comparing_and_writing_a_key_is_the_usual_case(s: Harness) {
    assert!(s.commit(vec![Compare::absent("a")], vec![put("a", "1")]).await.committed().is_some());
}

pub(crate) async fn an_empty_key_cannot_be_put(s: Harness) {
    assert_eq!(refusal(&s, vec![], vec![put("", "1")]).await, Invalid::EmptyKey);
}

pub(crate) async fn an_empty_key_cannot_be_deleted(s: Harness) {
    assert_eq!(refusal(&s, vec![], vec![delete("")]).await, Invalid::EmptyKey);
}

pub(crate) async fn an_empty_key_cannot_be_compared(s: Harness) {
    assert_eq!(refusal(&s, vec![Compare::absent("")], vec![]).await, Invalid::EmptyKey);
}

pub(crate) async fn a_refused_commit_changes_nothing(s: Harness) {
    let before = s.put("a", "1").await;
    refusal(&s, vec![], vec![put("a", "2"), put("b", "1"), put("b", "2")]).await;
    assert_eq!((s.value("a").await.as_deref(), s.revision().await), (Some("1"), before));
}

pub(crate) async fn a_refusal_comes_before_a_conflict(s: Harness) {
    s.put("a", "1").await;
    assert_eq!(refusal(&s, vec![Compare::absent("a")], vec![put("", "1")]).await, Invalid::EmptyKey);
}

pub(crate) async fn a_refusal_says_what_is_allowed(s: Harness) {
    let said = refusal(&s, vec![], puts(MAX_WRITES + 1)).await.to_string();
    assert_eq!(said, "101 writes in one commit, at most 100 are allowed");
}
