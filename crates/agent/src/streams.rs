//! Interactive streams: exec and logs of a Unit, relayed between its supervisor or files and the server.

use crate::context::NodeContext;
use session::StreamRequest;
use session::client::SessionSender;
use session::wire::{End, frame};
use std::sync::Arc;

/// Dials the stream that the server asked for and serves it to its end.
pub(crate) async fn answer(_node: Arc<NodeContext>, sender: SessionSender, id: u64, _request: StreamRequest) {
    let Ok((out, _incoming)) = sender.open_stream(id).await else { return };
    let end = End { exit_code: 1, error: "not built yet".to_owned() };
    // Nobody listens any more: then nobody misses it.
    let _ = out.send(frame::Kind::End(end).into()).await;
}
