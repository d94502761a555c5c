//! Which wire format a client speaks: decided from the request alone, so that even a refusal is readable to it.

use aws_api::schema::Api;
use http::HeaderMap;
use http::request::Parts;

/// A wire format, with what its answers need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// AWS JSON 1.0 or 1.1.
    Json {
        version: JsonVersion,
        /// The client comes from a query SDK and wants `x-amzn-query-error` too.
        query_mode: bool,
    },
    /// Forms in, XML out; the namespace of the answers, if the service is known.
    Query { namespace: &'static str },
    /// EC2's dialect of the same.
    Ec2 { namespace: &'static str },
    /// Smithy RPC v2 CBOR, with the same wish.
    Cbor { query_mode: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonVersion {
    V1_0,
    V1_1,
}

pub(crate) const FORM_TYPE: &str = "application/x-www-form-urlencoded";

impl Wire {
    /// JSON 1.1, which most services speak.
    pub const JSON: Self = Self::Json { version: JsonVersion::V1_1, query_mode: false };

    /// The best guess from headers and target, before anything else is known.
    pub fn guess(parts: &Parts) -> Self {
        let headers = &parts.headers;
        let content_type = text(headers, "content-type").unwrap_or_default();
        if is_cbor(headers) {
            cbor(headers)
        } else if headers.contains_key("x-amz-target") || content_type.contains("json") {
            json(headers)
        } else if content_type.starts_with(FORM_TYPE) || parts.uri.query().is_some_and(has_action) {
            Self::Query { namespace: "" }
        } else {
            Self::JSON
        }
    }

    pub(crate) fn query(api: &'static Api) -> Self {
        Self::Query { namespace: api.xml_namespace.unwrap_or_default() }
    }

    pub(crate) fn ec2(api: &'static Api) -> Self {
        Self::Ec2 { namespace: api.xml_namespace.unwrap_or_default() }
    }
}

pub(crate) fn json(headers: &HeaderMap) -> Wire {
    let old = text(headers, "content-type").is_some_and(|kind| kind.starts_with("application/x-amz-json-1.0"));
    let version = if old { JsonVersion::V1_0 } else { JsonVersion::V1_1 };
    Wire::Json { version, query_mode: query_mode(headers) }
}

pub(crate) fn cbor(headers: &HeaderMap) -> Wire {
    Wire::Cbor { query_mode: query_mode(headers) }
}

fn query_mode(headers: &HeaderMap) -> bool {
    text(headers, "x-amzn-query-mode") == Some("true")
}

pub(crate) fn is_cbor(headers: &HeaderMap) -> bool {
    text(headers, "smithy-protocol") == Some("rpc-v2-cbor")
}

pub(crate) fn has_action(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("Action="))
}

/// A header's value, if it is plain text.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
