//! A routed request to its input, and an output or error to an HTTP answer, in whichever wire format the client speaks.

use aws_api::schema::{Fault, Operation, Structure};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::error::ServiceError;
use crate::form::Dialect;
use crate::route::Route;
use crate::wire::{JsonVersion, Wire};
use crate::{cbor, json, xml};

/// Reads the operation's input from the request.
///
/// # Errors
/// What the client's wire format calls a malformed request; the message names the member.
pub fn decode<T: Structure>(route: &Route<'_>, body: &[u8]) -> Result<T, ServiceError> {
    let serialization = |message| ServiceError::sender("SerializationException", message);
    match route.wire {
        Wire::Json { .. } => json::decode(body).map_err(|error| serialization(error.to_string())),
        Wire::Cbor { .. } => cbor::decode(body).map_err(|error| serialization(error.to_string())),
        Wire::Query { .. } => {
            route.form.decode(Dialect::Query).map_err(|message| ServiceError::sender("MalformedInput", message))
        }
        Wire::Ec2 { .. } => {
            route.form.decode(Dialect::Ec2).map_err(|message| ServiceError::sender("InvalidParameterValue", message))
        }
    }
}

/// Answers with the operation's output.
pub fn answer<T: Structure>(
    wire: Wire,
    operation: &'static Operation,
    output: &T,
    request_id: &str,
) -> Response<Bytes> {
    let body = match wire {
        Wire::Json { .. } => json::encode(output),
        Wire::Cbor { .. } => cbor::encode(output),
        Wire::Query { namespace } => xml::query(operation, namespace, output, request_id).into_bytes(),
        Wire::Ec2 { namespace } => xml::ec2(operation, namespace, output, request_id).into_bytes(),
    };
    respond(wire, StatusCode::OK, body, request_id)
}

/// Answers with an error.
pub fn refuse(wire: Wire, error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let body = match wire {
        Wire::Json { .. } => serde_json::Value::Object(error_object(error)).to_string().into_bytes(),
        Wire::Cbor { .. } => cbor::from_json(&serde_json::Value::Object(error_object(error))),
        Wire::Query { namespace } => xml::query_error(namespace, error, request_id).into_bytes(),
        Wire::Ec2 { .. } => xml::ec2_error(error, request_id).into_bytes(),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(wire, status, body, request_id);
    if matches!(wire, Wire::Json { query_mode: true, .. } | Wire::Cbor { query_mode: true }) {
        let fault = if error.fault == Fault::Sender { "Sender" } else { "Receiver" };
        // Smithy, awsQueryCompatible: the code of the query protocol, and whose fault it is.
        if let Ok(value) = HeaderValue::from_str(&format!("{};{fault}", error.xml_code())) {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
    }
    response
}

fn error_object(error: &ServiceError) -> serde_json::Map<String, serde_json::Value> {
    let mut object = error.fields.clone();
    object.insert("__type".to_owned(), error.code.as_ref().into());
    object.insert("message".to_owned(), error.message.as_str().into());
    object
}

fn respond(wire: Wire, status: StatusCode, body: Vec<u8>, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type(wire)));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if matches!(wire, Wire::Cbor { .. }) {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

fn content_type(wire: Wire) -> &'static str {
    match wire {
        Wire::Json { version: JsonVersion::V1_0, .. } => "application/x-amz-json-1.0",
        Wire::Json { version: JsonVersion::V1_1, .. } => "application/x-amz-json-1.1",
        Wire::Query { .. } => "text/xml",
        Wire::Ec2 { .. } => "text/xml;charset=UTF-8",
        Wire::Cbor { .. } => "application/cbor",
    }
}
