//! Both ends of the node session over a real socket: joining, steps, acknowledgements, breaks and replacements.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod streams;
mod support;

use model::UnitUid;
use session::client::{FromServer, SessionError};
use session::{Desired, LogBatch};
use std::sync::atomic::Ordering;
use support::{Server, assignment, heard, last_observation, observation, soon, step};

#[tokio::test]
async fn a_node_is_welcomed_and_gets_its_steps_in_order() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    assert_eq!(node.welcome.node.as_str(), "n1");
    let steps = server.desk.steps("n1");
    for revision in 1..=100 {
        soon("a step to be taken", steps.send(step(revision))).await.unwrap();
        assert_eq!(heard(&mut node).await, format!("step {revision} complete {}", revision == 1));
    }
}

#[tokio::test]
async fn a_node_that_is_refused_hears_why() {
    let server = Server::start();
    *server.desk.refusal.lock().unwrap() = Some("this node was deregistered".into());
    let refused = server.try_join("n1").await.unwrap_err();
    assert!(matches!(refused, SessionError::Ended(_)));
    assert_eq!(refused.to_string(), "the session ended: this node was deregistered");
}

#[tokio::test]
async fn a_node_without_a_server_cannot_join() {
    let server = Server::start();
    let socket = tempfile::tempdir().unwrap().path().join("nobody.sock");
    let refused = session::client::join(socket, support::registration("n1")).await.unwrap_err();
    assert!(matches!(refused, SessionError::Unreachable(_)), "{refused}");
    assert!(server.desk.events().is_empty());
}

#[tokio::test]
async fn an_observation_is_acknowledged_when_it_is_stored_and_not_before() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    server.desk.hold();
    node.sender.observed(observation("a", 7)).await.unwrap();
    server.desk.steps("n1").send(step(1)).await.unwrap();
    assert_eq!(heard(&mut node).await, "step 1 complete true", "a desk that takes long holds nothing else up");
    server.desk.permits.add_permits(1);
    assert_eq!(heard(&mut node).await, "stored a 7");
}

#[tokio::test]
async fn what_cannot_be_stored_is_tried_again_and_acknowledged_only_then() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    server.desk.broken.store(true, Ordering::SeqCst);
    node.sender.observed(observation("a", 1)).await.unwrap();
    server.desk.until("could not store a 1").await;
    server.desk.steps("n1").send(step(1)).await.unwrap();
    assert_eq!(heard(&mut node).await, "step 1 complete true", "nothing was acknowledged");
    server.desk.broken.store(false, Ordering::SeqCst);
    assert_eq!(heard(&mut node).await, "stored a 1");
}

#[tokio::test]
async fn of_one_unit_a_later_observation_is_never_stored_before_an_earlier_one() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    server.desk.hold();
    for sequence in 1..=3 {
        node.sender.observed(observation("a", sequence)).await.unwrap();
    }
    node.sender.observed(observation("b", 1)).await.unwrap();
    // What is sent is read in order, so this comes after all four.
    node.sender.logs(batch("x", 1, "group")).await.unwrap();
    server.desk.permits.add_permits(4);
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(heard(&mut node).await);
    }
    let of = |prefix: &str| -> Vec<&str> { all.iter().map(String::as_str).filter(|e| e.starts_with(prefix)).collect() };
    let a = of("stored a");
    assert_eq!(a.first(), Some(&"stored a 1"));
    assert!(a.is_sorted(), "{a:?}");
    server.desk.permits.add_permits(1);
    server.desk.until("stored a 3").await;
    assert_eq!(of("stored b"), ["stored b 1"]);
}

#[tokio::test]
async fn after_a_units_end_was_acknowledged_no_older_step_begins_it_anew() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let (ended, other) = (assignment("a"), assignment("b"));
    node.sender.observed(last_observation(&ended.unit.uid, 3)).await.unwrap();
    assert_eq!(heard(&mut node).await, format!("stored {} 3", ended.unit.uid));
    for complete in [true, false] {
        let stale = Desired { complete, assignments: vec![ended.clone(), other.clone()], ..step(1) };
        server.desk.steps("n1").send(stale).await.unwrap();
        let told = soon("the step", node.receiver.next()).await.unwrap();
        let FromServer::Desired(told) = told else { panic!("expected a step, got {told:?}") };
        let uids: Vec<&UnitUid> = told.assignments.iter().map(|assignment| &assignment.unit.uid).collect();
        assert_eq!(uids, [&other.unit.uid]);
    }
}

#[tokio::test]
async fn log_batches_are_taken_in_order_and_a_refusal_says_why() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    for sequence in 1..=20 {
        node.sender.logs(batch("c1", sequence, "group")).await.unwrap();
    }
    node.sender.logs(batch("c1", 21, "")).await.unwrap();
    for sequence in 1..=20 {
        assert_eq!(heard(&mut node).await, format!("logged c1 {sequence}"));
    }
    assert_eq!(heard(&mut node).await, "refused c1 21: there is no such group");
}

#[tokio::test]
async fn an_agent_that_does_not_read_is_still_heard() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let steps = server.desk.steps("n1");
    // Far more than every buffer in between holds.
    let flood = tokio::task::JoinSet::from_iter([async move {
        for revision in 1..=200 {
            let gone = (0..2000).map(|n| model::UnitUid::new(format!("{n:0>32}"))).collect();
            if steps.send(session::Desired { gone, ..step(revision) }).await.is_err() {
                return;
            }
        }
    }]);
    for sequence in 1..=500 {
        soon("an observation to be sent", node.sender.observed(observation("a", sequence))).await.unwrap();
    }
    server.desk.until("stored a 500").await;
    for revision in 1..=200 {
        while !heard(&mut node).await.starts_with(&format!("step {revision} ")) {}
    }
    drop(flood);
}

#[tokio::test]
async fn a_node_whose_connection_breaks_has_left() {
    let server = Server::start();
    let node = server.join("n1").await;
    drop(node);
    server.desk.until("left n1").await;
    server.join("n1").await;
    assert_eq!(server.desk.events()[..4], ["join n1", "feed n1", "left n1", "join n1"]);
}

#[tokio::test]
async fn a_newer_session_ends_the_older_one_and_the_node_has_not_left() {
    let server = Server::start();
    let mut older = server.join("n1").await;
    let mut newer = server.join("n1").await;
    assert_eq!(heard(&mut older).await, "error: the session ended: a newer session of this node has taken over");
    drop(older);
    server.desk.steps("n1").send(step(1)).await.unwrap();
    assert_eq!(heard(&mut newer).await, "step 1 complete true");
    assert!(!server.desk.events().contains(&"left n1".to_owned()), "{:?}", server.desk.events());
    drop(newer);
    server.desk.until("left n1").await;
}

#[tokio::test]
async fn what_an_older_session_left_unstored_is_not_stored_after_a_newer_one_began() {
    let server = Server::start();
    let older = server.join("n1").await;
    server.desk.hold();
    older.sender.observed(observation("a", 1)).await.unwrap();
    older.sender.observed(observation("a", 2)).await.unwrap();
    let mut newer = server.join("n1").await;
    newer.sender.observed(observation("a", 3)).await.unwrap();
    server.desk.permits.add_permits(10);
    assert_eq!(heard(&mut newer).await, "stored a 3");
    let stored: Vec<String> = server.desk.events().into_iter().filter(|e| e.starts_with("stored")).collect();
    assert_eq!(stored, ["stored a 3"]);
}

#[tokio::test]
async fn a_server_that_shuts_down_says_what_it_had_to_say_first() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let steps = server.desk.steps("n1");
    for revision in 1..=10 {
        steps.send(step(revision)).await.unwrap();
    }
    server.desk.end_feed("n1");
    drop(steps);
    for revision in 1..=10 {
        assert_eq!(heard(&mut node).await, format!("step {revision} complete {}", revision == 1));
    }
    assert_eq!(heard(&mut node).await, "error: the session ended: the server is shutting down");
}

#[tokio::test]
async fn a_node_joins_the_next_server_when_its_server_has_died() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let server = server.restart();
    assert!(heard(&mut node).await.starts_with("error: "));
    let gone = async {
        while node.sender.observed(observation("a", 1)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("sending to fail", gone).await;
    let mut node = server.join("n1").await;
    node.sender.observed(observation("a", 1)).await.unwrap();
    assert_eq!(heard(&mut node).await, "stored a 1");
}

fn batch(producer: &str, sequence: u64, group: &str) -> LogBatch {
    LogBatch { producer: producer.into(), sequence, group: group.into(), ..LogBatch::default() }
}
