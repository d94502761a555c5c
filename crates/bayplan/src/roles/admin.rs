//! The server's answers to its own command line, over the local socket: JSON in and out.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use model::unit::{Lifecycle, StopCause, StopIntent};
use model::{Scope, UnitName};
use records::{Records, units};
use serde_json::{Value, json};
use session::server::Sessions;
use std::sync::Arc;

type Body = UnsyncBoxBody<Bytes, tonic::Status>;

/// What the command line may ask.
pub(crate) struct Admin {
    records: Records,
    #[expect(dead_code, reason = "exec and logs come with the next commit")]
    sessions: Arc<Sessions>,
    scope: Scope,
}

/// An answer that is no success.
struct Refusal(StatusCode, String);

impl Admin {
    pub(crate) fn new(records: Records, sessions: Arc<Sessions>, scope: Scope) -> Self {
        Self { records, sessions, scope }
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let answered = match (request.method().as_str(), request.uri().path()) {
            ("GET", "/v1/ready") => self.ready().await,
            ("GET", "/v1/network") => self.network(),
            ("GET", "/v1/tasks") => self.tasks(),
            ("POST", "/v1/down") => self.down().boxed().await,
            (method, path) => Err(Refusal(StatusCode::NOT_FOUND, format!("there is no {method} {path}"))),
        };
        let (status, value) = match answered {
            Ok(value) => (StatusCode::OK, value),
            Err(Refusal(status, words)) => (status, json!({ "error": words })),
        };
        let body = Full::new(Bytes::from(value.to_string())).map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(body);
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
        let network = snapshot.networks.get(&self.scope);
        let network = network.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, "there is no network".to_owned()))?;
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

    fn tasks(&self) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        Ok(Value::Array(snapshot.units.values().map(|unit| super::super::cli::ps::row(&unit.value)).collect()))
    }

    /// Asks every task to stop and waits until all have.
    async fn down(&self) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let live: Vec<UnitName> = snapshot
            .units
            .iter()
            .filter(|(_, unit)| unit.observed.lifecycle != Lifecycle::Stopped)
            .map(|(name, _)| name.clone())
            .collect();
        for name in &live {
            let wish = StopIntent {
                by: StopCause::UserInitiated,
                reason: "Bayplan was taken down".to_owned(),
                requested_at: self.records.now(),
                grace_s: None,
            };
            let stopped = units::stop(&self.records, name, wish).await;
            stopped.map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
        }
        let over = |snapshot: &model::Snapshot| {
            live.iter().all(|name| snapshot.units.get(name).is_none_or(|u| !u.holds_resources())).then_some(())
        };
        self.records.wait_for(over).await;
        Ok(json!({ "stopped": live.len() }))
    }
}
