//! Bytes to AWS shapes and back: routing, JSON, forms and XML, CBOR, SigV4, constraints, page tokens; no handlers.
//!
//! The way of a request, for a front-end that has its head and its whole body:
//!
//! ```
//! use aws_api::{ecs, schema::Call};
//! use aws_protocol::sigv4::{CredentialProblem, SecretKey, Secrets, Verifier};
//!
//! struct OneKey;
//! impl Secrets for OneKey {
//!     fn secret(&self, id: &str, token: Option<&str>) -> Result<SecretKey, CredentialProblem> {
//!         match (id, token) {
//!             ("AKIDEXAMPLE", None) => Ok(SecretKey::new("secret")),
//!             _ => Err(CredentialProblem::Unknown),
//!         }
//!     }
//! }
//!
//! fn serve(
//!     parts: &http::request::Parts,
//!     body: &bytes::Bytes,
//!     verifier: &Verifier,
//!     now: jiff::Timestamp,
//!     request_id: &str,
//! ) -> http::Response<bytes::Bytes> {
//!     let route = match aws_protocol::route(parts, body) {
//!         Ok(route) => route,
//!         Err(refusal) => return aws_protocol::refuse(refusal.wire, &refusal.error, request_id),
//!     };
//!     let answer = (|| {
//!         let caller = verifier
//!             .verify(parts, body, route.api.signing_name, &OneKey, now)
//!             .map_err(|problem| problem.to_error(route.wire))?;
//!         // One arm per operation; here a table would stand.
//!         match route.operation.name {
//!             "ListClusters" => {
//!                 let input: <ecs::ListClusters as Call>::Input = aws_protocol::decode(&route, body)?;
//!                 let output = ecs::ListClustersOutput { cluster_arns: Some(vec![]), ..Default::default() };
//!                 Ok(aws_protocol::answer(route.wire, route.operation, &output, request_id))
//!             }
//!             _ => Err(aws_protocol::ServiceError::not_built(route.api, route.operation)),
//!         }
//!     })();
//!     answer.unwrap_or_else(|error| aws_protocol::refuse(route.wire, &error, request_id))
//! }
//! ```

pub mod cbor;
mod error;
mod exchange;
mod form;
pub mod json;
pub mod page;
mod route;
pub mod sigv4;
mod time;
mod validate;
mod wire;
mod xml;

pub use error::ServiceError;
pub use exchange::{answer, decode, refuse};
pub use route::{Refusal, Route, route};
pub use validate::{Violation, ViolationKind, validate};
pub use wire::{JsonVersion, Wire};
