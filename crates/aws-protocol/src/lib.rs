//! Bytes to AWS shapes and back: JSON, query and XML, CBOR, SigV4; no handlers.

mod error;

pub use error::ServiceError;
