//! Interactive streams: opened by the server, dialled by the agent, bounded both ways.

use crate::support::{Server, soon};
use model::{NodeId, UnitUid};
use session::client::{FromServer, Session};
use session::server::Sessions;
use session::stream::{OpenedStream, StreamError};
use session::wire::{End, Frame, frame};
use session::{ExecRequest, NodeStreams, StreamRequest};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Streaming;

fn exec(unit: &str) -> ExecRequest {
    ExecRequest {
        unit: UnitUid::new(unit),
        container: None,
        command: vec!["sh".into()],
        env: Vec::new(),
        user: None,
        working_dir: None,
        tty: false,
        stdin: true,
    }
}

fn open(sessions: &Arc<Sessions>, node: &str) -> impl Future<Output = Result<OpenedStream, StreamError>> + 'static {
    sessions.exec(&NodeId::new(node), exec("u1"))
}

/// A caller that waits for a stream meanwhile.
fn calling(server: &Server) -> JoinSet<Result<OpenedStream, StreamError>> {
    let mut caller = JoinSet::new();
    caller.spawn(open(&server.sessions, "n1"));
    caller
}

async fn asked(node: &mut Session) -> (u64, StreamRequest) {
    match soon("being asked for a stream", node.receiver.next()).await.unwrap() {
        FromServer::OpenStream { id, request } => (id, request),
        other => panic!("expected to be asked for a stream, got {other:?}"),
    }
}

/// A stream from the caller to the node: the caller's end, and both halves of the node's.
async fn opened(server: &Server, node: &mut Session) -> (OpenedStream, mpsc::Sender<Frame>, Streaming<Frame>) {
    let sender = node.sender.clone();
    let answer = async {
        let (id, request) = asked(node).await;
        assert_eq!(request, StreamRequest::Exec(exec("u1")));
        sender.open_stream(id).await.unwrap()
    };
    let (caller, (to_server, from_server)) = tokio::join!(open(&server.sessions, "n1"), answer);
    (caller.unwrap(), to_server, from_server)
}

#[tokio::test]
async fn frames_go_both_ways_and_the_end_is_told() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let (mut caller, to_server, mut from_server) = opened(&server, &mut node).await;

    caller.to_node.send(frame::Kind::Stdin(b"ls\n".to_vec()).into()).await.unwrap();
    let typed = soon("input", from_server.message()).await.unwrap().unwrap();
    assert_eq!(typed.kind, Some(frame::Kind::Stdin(b"ls\n".to_vec())));

    to_server.send(frame::Kind::Stdout(b"a b\n".to_vec()).into()).await.unwrap();
    to_server.send(frame::Kind::End(End { exit_code: 3, error: String::new() }).into()).await.unwrap();
    drop(to_server);
    assert_eq!(caller.from_node.recv().await.unwrap().kind, Some(frame::Kind::Stdout(b"a b\n".to_vec())));
    assert!(matches!(caller.from_node.recv().await.unwrap().kind, Some(frame::Kind::End(End { exit_code: 3, .. }))));
    assert_eq!(caller.from_node.recv().await, None);
}

#[tokio::test]
async fn output_goes_on_after_the_callers_input_has_ended() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let (caller, to_server, mut from_server) = opened(&server, &mut node).await;
    let OpenedStream { to_node, mut from_node } = caller;
    drop(to_node);
    assert_eq!(soon("the end of input", from_server.message()).await.unwrap(), None);
    to_server.send(frame::Kind::Stdout(b"late".to_vec()).into()).await.unwrap();
    let late = soon("late output", from_node.recv()).await.unwrap();
    assert_eq!(late.kind, Some(frame::Kind::Stdout(b"late".to_vec())));
}

#[tokio::test]
async fn a_caller_that_does_not_read_slows_the_node_down_and_loses_nothing() {
    const FRAME: usize = 64 << 10;
    let server = Server::start();
    let mut node = server.join("n1").await;
    let (mut caller, to_server, _from_server) = opened(&server, &mut node).await;
    let mut sent = 0u32;
    loop {
        let mut bytes = vec![0; FRAME];
        bytes[..4].copy_from_slice(&sent.to_be_bytes());
        let frame = frame::Kind::Stdout(bytes).into();
        // A send that goes on for this long is held up.
        match tokio::time::timeout(Duration::from_millis(300), to_server.send(frame)).await {
            Ok(taken) => taken.unwrap(),
            Err(_) => break,
        }
        sent += 1;
        assert!((sent as usize) * FRAME < 64 << 20, "nothing holds the node up");
    }
    for expected in 0..sent {
        let frame = soon("a held frame", caller.from_node.recv()).await.unwrap();
        let Some(frame::Kind::Stdout(bytes)) = frame.kind else { panic!("expected output") };
        assert_eq!(bytes[..4], expected.to_be_bytes());
    }
}

#[tokio::test]
async fn a_node_hears_that_its_caller_has_hung_up() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let (caller, to_server, mut from_server) = opened(&server, &mut node).await;
    drop(caller);
    soon("the end of the stream", async { while let Ok(Some(_)) = from_server.message().await {} }).await;
    soon("the way to the caller to close", to_server.closed()).await;
}

#[tokio::test]
async fn no_stream_is_opened_on_a_node_that_is_not_connected() {
    let server = Server::start();
    let node = server.join("n1").await;
    drop(node);
    server.desk.until("left n1").await;
    // Nothing but the wait for the node is left to do: it is over at once.
    tokio::time::pause();
    let refused = open(&server.sessions, "n1").await.unwrap_err();
    assert!(matches!(refused, StreamError::NotConnected(_)));
    assert_eq!(refused.to_string(), "the node of task u1 is not connected; `bayplan doctor` shows why");
}

#[tokio::test]
async fn a_stream_that_is_asked_for_while_the_node_is_away_is_opened_when_it_comes_back() {
    let server = Server::start();
    drop(server.join("n1").await);
    server.desk.until("left n1").await;
    let mut caller = calling(&server);
    let mut node = server.join("n1").await;
    let (id, _) = asked(&mut node).await;
    let (_to_server, _from_server) = node.sender.open_stream(id).await.unwrap();
    soon("the stream", caller.join_next()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_node_that_dies_before_it_has_dialled_is_asked_again_by_the_same_caller() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let mut caller = calling(&server);
    let (first, _) = asked(&mut node).await;
    drop(node);
    server.desk.until("left n1").await;
    let mut node = server.join("n1").await;
    let (second, request) = asked(&mut node).await;
    assert_ne!(first, second);
    assert_eq!(request, StreamRequest::Exec(exec("u1")));
    // What the dead one was asked for is nobody's any more.
    assert!(node.sender.open_stream(first).await.is_err());
    let (_to_server, _from_server) = node.sender.open_stream(second).await.unwrap();
    soon("the stream", caller.join_next()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_node_that_answers_too_late_hears_that_nobody_waits() {
    let server = Server::start();
    let mut node = server.join("n1").await;
    let sender = node.sender.clone();
    let id = {
        let caller = open(&server.sessions, "n1");
        tokio::pin!(caller);
        tokio::select! {
            _ = &mut caller => panic!("nobody has answered yet"),
            (id, _) = asked(&mut node) => id,
        }
    };
    let refused = sender.open_stream(id).await.unwrap_err();
    assert_eq!(refused.to_string(), "the session ended: nobody waits for this stream any more");
}
