//! Row 5: durable writes; one client for both servers.

pub(crate) mod client;
pub(crate) mod server;
