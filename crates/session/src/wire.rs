//! What goes over a session: protobuf envelopes around documents in the engine's own encoding.
//!
//! The envelopes are append-only: a field number is never reused, an unknown field is skipped.

use model::network::Network;
use model::unit::{Observed, Unit, UnitSpec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Raised when an envelope changes meaning; a server refuses agents that are too old, and says so.
pub const PROTOCOL: u32 = 1;

/// From the agent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AgentMessage {
    #[prost(oneof = "agent_message::Kind", tags = "1, 2, 3")]
    pub kind: Option<agent_message::Kind>,
}

pub mod agent_message {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        #[prost(message, tag = "1")]
        Hello(super::Hello),
        #[prost(message, tag = "2")]
        Observed(super::ObservedUpdate),
        #[prost(message, tag = "3")]
        Logs(super::LogBatch),
    }
}

/// From the server.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ServerMessage {
    #[prost(oneof = "server_message::Kind", tags = "1, 2, 3, 4, 5")]
    pub kind: Option<server_message::Kind>,
}

pub mod server_message {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        #[prost(message, tag = "1")]
        Welcome(super::WelcomeFrame),
        #[prost(message, tag = "2")]
        Desired(super::DesiredFrame),
        #[prost(message, tag = "3")]
        ObservedAck(super::ObservedAck),
        #[prost(message, tag = "4")]
        LogAck(super::LogAck),
        #[prost(message, tag = "5")]
        OpenStream(super::OpenStream),
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Hello {
    #[prost(uint32, tag = "1")]
    pub protocol: u32,
    /// A [`NodeRegistration`].
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct WelcomeFrame {
    /// A [`Welcome`].
    #[prost(bytes = "vec", tag = "1")]
    pub document: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DesiredFrame {
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// Units that are not in a complete set are to be stopped; a partial one only adds and changes.
    #[prost(bool, tag = "2")]
    pub complete: bool,
    /// [`Assignment`]s.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub assignments: Vec<Vec<u8>>,
    /// Uids whose records are gone: forget them once they have stopped.
    #[prost(string, repeated, tag = "4")]
    pub gone: Vec<String>,
    #[prost(uint64, tag = "5")]
    pub epoch: u64,
}

/// One observation of a Unit, replacing all earlier ones of the same agent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ObservedUpdate {
    #[prost(string, tag = "1")]
    pub uid: String,
    /// Rises with each observation of this Unit; the acknowledgement names it.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// A [`model::unit::Observed`].
    #[prost(bytes = "vec", tag = "3")]
    pub document: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ObservedAck {
    #[prost(string, tag = "1")]
    pub uid: String,
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
}

/// Lines of one container for one stream of the Logs API.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogBatch {
    #[prost(string, tag = "1")]
    pub account: String,
    #[prost(string, tag = "2")]
    pub region: String,
    #[prost(string, tag = "3")]
    pub group: String,
    #[prost(string, tag = "4")]
    pub stream: String,
    #[prost(bool, tag = "5")]
    pub create_group: bool,
    /// Names the container attempt; with `sequence` it makes a re-sent batch harmless.
    #[prost(string, tag = "6")]
    pub producer: String,
    #[prost(uint64, tag = "7")]
    pub sequence: u64,
    #[prost(message, repeated, tag = "8")]
    pub events: Vec<LogEvent>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LogEvent {
    #[prost(uint64, tag = "1")]
    pub timestamp_ms: u64,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LogAck {
    #[prost(string, tag = "1")]
    pub producer: String,
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// Empty when taken; else why not: the batch is kept and sent again after a while.
    #[prost(string, tag = "3")]
    pub refused: String,
}

/// The server wants an interactive stream: dial `Stream` and send this id first.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OpenStream {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// A [`crate::StreamRequest`].
    #[prost(bytes = "vec", tag = "2")]
    pub request: Vec<u8>,
}

/// One frame of an interactive stream, either way.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Frame {
    #[prost(oneof = "frame::Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    pub kind: Option<frame::Kind>,
}

pub mod frame {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        /// First, from the agent: which [`super::OpenStream`] this answers.
        #[prost(uint64, tag = "1")]
        Answers(u64),
        #[prost(bytes, tag = "2")]
        Stdin(Vec<u8>),
        #[prost(bytes, tag = "3")]
        Stdout(Vec<u8>),
        #[prost(bytes, tag = "4")]
        Stderr(Vec<u8>),
        #[prost(message, tag = "5")]
        Resize(super::Resize),
        /// Last, from the agent.
        #[prost(message, tag = "6")]
        End(super::End),
        /// The caller's input has ended.
        #[prost(bool, tag = "7")]
        StdinEnd(bool),
        /// A line of a container's log.
        #[prost(message, tag = "8")]
        Log(super::LogLine),
        /// Before the first line of a log: where each container's begins.
        #[prost(message, tag = "9")]
        LogPlaces(super::LogPlaces),
    }
}

/// A line as it is shown, and the place behind it in its container's log: whoever has it has everything up to there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogLine {
    #[prost(bytes = "vec", tag = "1")]
    pub bytes: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub stderr: bool,
    #[prost(string, tag = "3")]
    pub container: String,
    /// For [`crate::LogsRequest::from`]; only the node reads it.
    #[prost(string, tag = "4")]
    pub place: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LogPlaces {
    /// By container.
    #[prost(btree_map = "string, string", tag = "1")]
    pub places: std::collections::BTreeMap<String, String>,
}

impl From<frame::Kind> for Frame {
    fn from(kind: frame::Kind) -> Self {
        Frame { kind: Some(kind) }
    }
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Resize {
    #[prost(uint32, tag = "1")]
    pub rows: u32,
    #[prost(uint32, tag = "2")]
    pub columns: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct End {
    #[prost(int32, tag = "1")]
    pub exit_code: i32,
    /// Why the stream could not do what was asked; empty when it could.
    #[prost(string, tag = "2")]
    pub error: String,
}

/// What a node says of itself when it joins.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct NodeRegistration {
    pub node: model::Node,
    /// Units of which something is kept here, running or not: the node is told which of them are gone.
    #[serde(default)]
    pub keeps: Vec<model::UnitUid>,
}

/// What a server answers: what the node needs besides its Units.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Welcome {
    pub node: model::NodeId,
    pub networks: Vec<Network>,
}

/// One Unit for a node, with all that its containers need.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Assignment {
    pub unit: Arc<Unit>,
    pub spec: Arc<UnitSpec>,
    /// The revision of the Unit's record.
    pub revision: u64,
    /// Where the Unit runs under a role: what its containers may sign with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

/// Temporary credentials of one Unit, good for nobody else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.access_key_id)
    }
}

/// A step of the desired state of a node.
#[derive(Clone, Debug)]
pub struct Desired {
    pub epoch: u64,
    pub revision: u64,
    pub complete: bool,
    pub assignments: Vec<Assignment>,
    pub gone: Vec<model::UnitUid>,
}

impl ObservedUpdate {
    pub fn new(uid: &model::UnitUid, sequence: u64, observed: &Observed) -> Self {
        let document = serde_json::to_vec(observed).expect("an observation has only string keys");
        Self { uid: uid.to_string(), sequence, document }
    }
}
