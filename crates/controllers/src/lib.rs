//! The loop harness and one small file per controller; deciding is the planner's.
//!
//! A controller is woken, never told: it looks at the whole snapshot, asks the planner, and commits what was planned. A
//! commit that conflicts is planned again on what is stored now.

mod collector;
mod desk;
mod harness;
mod placement;
mod services;

pub use collector::{Collector, Retention};
pub use desk::{CredentialIssuer, LogSink, NodeDesk};
pub use harness::{Controller, run};
pub use placement::Placer;
pub use services::{Alarms, Quiet, ServiceScheduler, Settings};
