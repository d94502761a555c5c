//! The server's answers to its own command line, over the local socket: JSON in and out, and frames for exec and logs.

mod down;
mod find;
pub(crate) mod rollout;
pub(crate) mod services;
mod spot;
pub(crate) mod streams;
#[cfg(test)]
pub(crate) mod testing;
mod why;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use model::Scope;
use records::Records;
use serde_json::{Value, json};
use session::server::Sessions;
use std::sync::Arc;
use tokio::sync::watch;

pub(super) type Body = UnsyncBoxBody<Bytes, tonic::Status>;

/// Longest question, in bytes.
const BODY_MAX: usize = 1 << 20;

/// What the command line may ask.
pub(crate) struct Admin {
    records: Records,
    sessions: Arc<Sessions>,
    scope: Scope,
    /// Whether Bayplan goes down, and so no service is to start anything.
    going_down: watch::Sender<bool>,
}

/// An answer that is no success: the command line shows its words.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl Refusal {
    fn not_found(words: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, words.into())
    }
    fn conflict(words: impl Into<String>) -> Self {
        Self(StatusCode::CONFLICT, words.into())
    }
    fn internal(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl Admin {
    pub(crate) fn new(
        records: Records,
        sessions: Arc<Sessions>,
        scope: Scope,
        going_down: watch::Sender<bool>,
    ) -> Self {
        Self { records, sessions, scope, going_down }
    }

    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let answered = match (request.method().as_str(), request.uri().path()) {
            ("GET", "/v1/ready") => self.ready().await,
            ("GET", "/v1/network") => self.network(),
            ("GET", "/v1/tasks") => Ok(self.tasks()),
            ("GET", "/v1/services") => Ok(self.services()),
            ("GET", "/v1/check") => self.check().await,
            ("POST", "/v1/down") => self.down().await,
            ("POST", "/v1/spot/interrupt") => match body(request).await {
                Ok(question) => self.interrupt(&question).await,
                Err(refusal) => Err(refusal),
            },
            ("POST", "/v1/why") => match body(request).await {
                Ok(question) => self.why(&question).await,
                Err(refusal) => Err(refusal),
            },
            ("POST", "/v1/rollout") => match self.rollout(request).await {
                Ok(response) => return response,
                Err(refusal) => Err(refusal),
            },
            ("POST", "/v1/stream") => match self.stream(request).await {
                Ok(response) => return response,
                Err(refusal) => Err(refusal),
            },
            (method, path) => Err(Refusal::not_found(format!("there is no {method} {path}"))),
        };
        let (status, value) = match answered {
            Ok(value) => (StatusCode::OK, value),
            Err(Refusal(status, words)) => (status, json!({ "error": words })),
        };
        let mut response = Response::new(full(value.to_string()));
        *response.status_mut() = status;
        response
    }

    /// Waits until a node is connected.
    async fn ready(&self) -> Result<Value, Refusal> {
        let connected = |snapshot: &model::Snapshot| snapshot.nodes.values().any(|n| n.connected).then_some(());
        match self.records.wait_for(connected).await {
            Some(()) => Ok(json!({ "ready": true })),
            None => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down".to_owned())),
        }
    }

    fn network(&self) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let network = snapshot.networks.get(&self.scope).ok_or_else(|| Refusal::not_found("there is no network"))?;
        let subnets: Vec<Value> = network
            .subnets
            .iter()
            .map(|s| json!({ "id": s.id, "cidr": s.range.to_string(), "zone": s.zone }))
            .collect();
        Ok(json!({
            "vpc": network.id,
            "cidr": network.range.to_string(),
            "subnets": subnets,
            "securityGroup": network.default_security_group,
        }))
    }

    fn tasks(&self) -> Value {
        let snapshot = self.records.current();
        Value::Array(snapshot.units.values().map(|unit| crate::cli::ps::row(&unit.value)).collect())
    }

    /// What `doctor` asks a running server: its invariants, its nodes, its store.
    async fn check(&self) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let status = self.records.status().await.map_err(Refusal::internal)?;
        let nodes: Vec<Value> = snapshot
            .nodes
            .values()
            .map(|n| json!({ "id": n.id.as_str(), "hostname": n.hostname, "connected": n.connected }))
            .collect();
        Ok(json!({
            "brokenInvariants": model::invariants::check(&snapshot),
            "nodes": nodes,
            "storeBytes": status.bytes,
            "revision": status.revision.0,
        }))
    }
}

async fn body(request: Request<Incoming>) -> Result<Value, Refusal> {
    let bad = |words: String| Refusal(StatusCode::BAD_REQUEST, words);
    let bytes = Limited::new(request.into_body(), BODY_MAX).collect().await.map_err(|e| bad(e.to_string()))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}
