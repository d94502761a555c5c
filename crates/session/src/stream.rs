//! Interactive streams by Unit: what is asked for, and the one trait through which any server reaches the holder.

use crate::wire::Frame;
use futures_util::future::BoxFuture;
use model::UnitUid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// What an interactive stream is for.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StreamRequest {
    Exec(ExecRequest),
    Logs(LogsRequest),
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct ExecRequest {
    pub unit: UnitUid,
    /// None is the only container, or an error that lists them.
    pub container: Option<String>,
    pub command: Vec<String>,
    #[serde(default)]
    pub env: Vec<(String, String)>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub working_dir: Option<String>,
    pub tty: bool,
    pub stdin: bool,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct LogsRequest {
    pub unit: UnitUid,
    /// None is every container.
    pub container: Option<String>,
    pub follow: bool,
    /// Only the last so many lines of each container.
    pub tail: Option<u64>,
    /// Prefix each line with its time.
    #[serde(default)]
    pub timestamps: bool,
    /// Each line as a JSON object of container, stream, timestampMs and message.
    #[serde(default)]
    pub json: bool,
    /// To go on where an earlier stream broke off: the place behind each container's last line that came. A container that is
    /// not named is shown from its first line on, and `tail` has been heeded already.
    #[serde(default)]
    pub from: Option<BTreeMap<String, String>>,
}

impl StreamRequest {
    pub fn unit(&self) -> &UnitUid {
        match self {
            StreamRequest::Exec(r) => &r.unit,
            StreamRequest::Logs(r) => &r.unit,
        }
    }
}

/// Both ends of an open interactive stream. Each way holds at most a few frames: a slow end slows the other.
#[derive(Debug)]
pub struct OpenedStream {
    pub to_node: mpsc::Sender<Frame>,
    pub from_node: mpsc::Receiver<Frame>,
}

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the node of task {0} is not connected; `bayplan doctor` shows why")]
    NotConnected(UnitUid),
    #[error("the node did not open the stream: {0}")]
    Refused(String),
}

/// Interactive access to a Unit wherever it runs.
pub trait NodeStreams: Send + Sync {
    fn exec(&self, node: &model::NodeId, request: ExecRequest)
    -> BoxFuture<'static, Result<OpenedStream, StreamError>>;
    fn logs(&self, node: &model::NodeId, request: LogsRequest)
    -> BoxFuture<'static, Result<OpenedStream, StreamError>>;
}
