//! Server and agent ends of the node session; knows no store and no API shape.
//!
//! An agent dials a server and holds one two-way gRPC stream (`Join`): desired sets come down, observations and log
//! batches go up, each acknowledged. A reconnect is a re-sync. Interactive streams (exec, logs) are gRPC streams of their
//! own (`Stream`), dialled by the agent when the server asks for one by id, so that an agent behind NAT can serve them.
//! On one machine the session runs over a Unix socket; across machines the same code runs over mutual TLS.

pub mod client;
pub mod server;
pub mod stream;
pub mod wire;

pub use stream::{ExecRequest, LogsRequest, NodeStreams, StreamRequest};
pub use wire::{Assignment, Credentials, Desired, LogBatch, LogEvent, NodeRegistration, ObservedUpdate, Welcome};
