//! One HTTP request to its operation and back: authenticate, find, authorise, decode, call, encode; no operation's behaviour.

use crate::context::{Caller, Context, Frontend, Identity};
use crate::ids;
use crate::table::Table;
use aws_protocol::sigv4::{CredentialProblem, Rules, SecretKey, Secrets, Verifier};
use aws_protocol::{Route, ServiceError};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use identity::{KeyRing, Principal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The AWS APIs of an installation, ready to answer.
pub struct Service {
    frontend: Arc<Frontend>,
    keys: Arc<KeyRing>,
    verifier: Verifier,
    /// By the name of the API, which no two share.
    tables: BTreeMap<&'static str, Table>,
}

impl Service {
    pub fn new(frontend: Arc<Frontend>, keys: Arc<KeyRing>) -> Self {
        let rules = Rules { region: Some(frontend.scope.region.to_string()), ..Rules::default() };
        let tables = crate::tables().into_iter().map(|table| (table.api.name, table)).collect();
        Self { frontend, keys, verifier: Verifier::new(rules), tables }
    }

    /// Answers one request whose body has been read whole.
    pub async fn answer(&self, parts: &Parts, body: &Bytes) -> Response<Bytes> {
        let request_id: Arc<str> = ids::uuid().into();
        let route = match aws_protocol::route(parts, body) {
            Ok(route) => route,
            Err(refusal) => return aws_protocol::refuse(refusal.wire, &refusal.error, &request_id),
        };
        let wire = route.wire;
        let answer = match self.begin(&route, parts, body, &request_id) {
            Ok(answer) => answer.await,
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| aws_protocol::refuse(wire, &error, &request_id))
    }

    fn begin(
        &self,
        route: &Route<'_>,
        parts: &Parts,
        body: &Bytes,
        request_id: &Arc<str>,
    ) -> Result<futures_util::future::BoxFuture<'static, Result<Response<Bytes>, ServiceError>>, ServiceError> {
        let now = jiff::Timestamp::from_millisecond(self.frontend.records.now().unix_ms() as i64)
            .map_err(|e| ServiceError::new("InternalFailure", 500, aws_api::schema::Fault::Receiver, e.to_string()))?;
        let verified = self
            .verifier
            .verify(parts, body, route.api.signing_name, self, now)
            .map_err(|problem| problem.to_error(route.wire))?;
        let caller = self.caller(&verified.access_key_id, verified.session_token.as_deref())?;
        authorise(&caller, route)?;
        let entry = self.tables.get(route.api.name).and_then(|table| table.entries.get(route.operation.name));
        let entry = entry.ok_or_else(|| ServiceError::not_built(route.api, route.operation))?;
        let context = Context { frontend: self.frontend.clone(), caller, request_id: request_id.clone() };
        (entry.handler)(context, route, body)
    }

    fn caller(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Caller, ServiceError> {
        let account = self.frontend.scope.account.clone();
        match self.keys.principal(access_key_id, session_token) {
            Some(Principal::Root) => Ok(root(account, access_key_id)),
            Some(Principal::TaskRole { role_arn, session }) => {
                let role = role_arn.rsplit('/').next().unwrap_or(&role_arn).to_owned();
                Ok(Caller {
                    arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}").into(),
                    user_id: format!("{access_key_id}:{session}").into(),
                    access_key_id: access_key_id.into(),
                    identity: Identity::TaskRole,
                    account,
                })
            }
            None => Err(ServiceError::sender("UnrecognizedClientException", CredentialProblem::Unknown.to_string())),
        }
    }
}

/// Calls an operation of ECS as the account's root, for who holds the front-end itself: inside one process nobody signs.
pub async fn call_ecs(
    frontend: &Arc<Frontend>,
    operation: &str,
    input: &serde_json::Value,
) -> Result<serde_json::Value, ServiceError> {
    let table = crate::ecs::table();
    let target = format!("{}.{operation}", table.api.target_prefix.unwrap_or_default());
    let internal = |words: String| ServiceError::new("InternalFailure", 500, aws_api::schema::Fault::Receiver, words);
    let request =
        http::Request::post("/").header("x-amz-target", target).header("content-type", "application/x-amz-json-1.1");
    let (parts, body) = request.body(input.to_string()).map_err(|e| internal(e.to_string()))?.into_parts();
    let route = aws_protocol::route(&parts, body.as_bytes()).map_err(|refusal| *refusal.error)?;
    let entry = table.entries.get(route.operation.name);
    let entry = entry.ok_or_else(|| ServiceError::not_built(route.api, route.operation))?;
    let caller = root(frontend.scope.account.clone(), "");
    let context = Context { frontend: frontend.clone(), caller, request_id: ids::uuid().into() };
    let answer = (entry.handler)(context, &route, body.as_bytes())?.await?;
    serde_json::from_slice(answer.body()).map_err(|e| internal(e.to_string()))
}

fn root(account: Arc<str>, access_key_id: &str) -> Caller {
    Caller {
        arn: format!("arn:aws:iam::{account}:root").into(),
        user_id: account.clone(),
        access_key_id: access_key_id.into(),
        identity: Identity::Root,
        account,
    }
}

/// Until IAM exists: the root may do everything, a task's role may ask who it is.
fn authorise(caller: &Caller, route: &Route<'_>) -> Result<(), ServiceError> {
    if caller.identity == Identity::Root || route.operation.name == "GetCallerIdentity" {
        return Ok(());
    }
    let message = format!(
        "User: {} is not authorized to perform: {}:{}; roles of tasks have no permissions until policies are built.",
        caller.arn, route.api.name, route.operation.name
    );
    Err(ServiceError::sender("AccessDeniedException", message))
}

impl Secrets for Service {
    fn secret(&self, access_key_id: &str, session_token: Option<&str>) -> Result<SecretKey, CredentialProblem> {
        let now_ms = self.frontend.records.now().unix_ms();
        match self.keys.secret(access_key_id, session_token, now_ms) {
            Ok(secret) => Ok(SecretKey::new(secret)),
            Err(identity::KeyProblem::Unknown) => Err(CredentialProblem::Unknown),
            Err(identity::KeyProblem::Expired) => Err(CredentialProblem::Expired),
        }
    }
}
