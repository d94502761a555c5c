//! Drives the Units of one node: decides, per Unit, what its supervisor does next; knows no store and no API shape.
//!
//! [`run`] joins a server, takes desired sets, and keeps one actor per Unit ([`unit`]). An actor's memory is a journal on
//! disk, so that an agent that is killed at any moment goes on where it was: it adopts the supervisors that live and
//! reports what it finds. Observations wait in an outbox until the server has stored them.

mod config;
mod context;
mod directory;
mod graph;
mod journal;
mod link;
mod machine;
mod outbox;
mod ready;
mod session_loop;
mod ship;
mod streams;
mod tail;
mod unit;

pub use config::Config;
pub use machine::probe as probe_machine;
pub use session_loop::{AgentError, run};
