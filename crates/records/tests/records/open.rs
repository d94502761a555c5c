//! Opening what is stored, whoever wrote it.

use crate::admit;
use records::{Draft, OpenError, Records};
use std::sync::Arc;
use store::{MemoryStore, Store, Write};
use test_support::{HandClock, Wish, cluster, cluster_id, node};

async fn put(store: &MemoryStore, key: &str, value: &str) {
    store.commit(Vec::new(), vec![Write::put(key.to_owned(), value.to_owned())]).await.unwrap();
}

async fn refusal(store: MemoryStore) -> OpenError {
    match Records::open(Arc::new(store), Arc::new(HandClock::default())).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_existing_store_opens_as_what_was_followed() {
    let store = Arc::new(MemoryStore::default());
    let live = test_support::open(store.clone(), Arc::<HandClock>::default()).await;
    for n in 0..30 {
        admit(&live.records, &Wish { cpu: n % 3, ..Wish::default() }, &format!("t{n}")).await;
    }
    let mut draft = Draft::new();
    draft.create(&cluster_id("default"), &cluster("default")).create(&model::NodeId::new("n1"), &node("n1", 1, 1));
    live.records.commit(draft).await.unwrap();

    let (live, opened) =
        (live.records.current(), test_support::open(store, Arc::<HandClock>::default()).await.records.current());
    assert_eq!(opened.revision, live.revision);
    assert_eq!(opened.units, live.units);
    assert_eq!(opened.specs, live.specs);
    assert_eq!((opened.clusters.clone(), opened.nodes.clone()), (live.clusters.clone(), live.nodes.clone()));
}

#[tokio::test]
async fn a_record_of_a_newer_level_is_refused_with_words() {
    for newer in [r#"{"v":2,"r":{"bindings":1}}"#, r#"{"v":2,"r":{"of":"another shape"}}"#] {
        let store = MemoryStore::default();
        put(&store, "ledger/n1", newer).await;
        let error = refusal(store).await;
        assert_eq!(error.to_string(), "the record ledger/n1 is unreadable");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("newer Bayplan") && cause.contains("start that version again"), "{cause}");
    }
}

#[tokio::test]
async fn a_broken_record_names_its_key() {
    let store = MemoryStore::default();
    put(&store, "node/n1", "not a record").await;
    assert_eq!(refusal(store).await.to_string(), "the record node/n1 is unreadable");
}

#[tokio::test]
async fn keys_of_rooms_that_this_build_does_not_know_are_left_alone() {
    let store = Arc::new(MemoryStore::default());
    put(&store, "kube/c1/apps/deployments/default/web", "whatever").await;
    put(&store, "sessions/n1", "whatever").await;
    let opened = test_support::open(store.clone(), Arc::<HandClock>::default()).await;
    put(&store, "kube/c1/apps/deployments/default/api", "whatever").await;
    admit(&opened.records, &Wish::default(), "a").await;
    assert_eq!(opened.records.current().units.len(), 1);
}

#[tokio::test]
async fn following_ends_with_words_when_a_newer_level_appears_or_history_is_forgotten() {
    let store = Arc::new(MemoryStore::default());
    let (_records, follow) = Records::open(store.clone(), Arc::new(HandClock::default())).await.unwrap();
    put(&store, "ledger/n1", r#"{"v":9,"r":{}}"#).await;
    assert!(matches!(follow.await, OpenError::Record { key, .. } if key == "ledger/n1"));

    let store = Arc::new(MemoryStore::new(store::MemoryOptions { keep_revisions: Some(2), ..Default::default() }));
    let (_records, follow) = Records::open(store.clone(), Arc::new(HandClock::default())).await.unwrap();
    for _ in 0..10 {
        put(&store, "other/key", "x").await;
    }
    assert!(matches!(follow.await, OpenError::Compacted(_)));
}
