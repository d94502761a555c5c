//! What a service and its operations are, as data.

use super::{Schema, Structure};

/// One AWS service, as its model describes it.
#[derive(Debug)]
pub struct Api {
    /// The name the AWS CLI uses, for example `ecs`.
    pub name: &'static str,
    /// The name that SDKs derive their settings from, for example `CloudWatch Logs`.
    pub id: &'static str,
    /// For example `Amazon ECS`.
    pub title: &'static str,
    pub api_version: &'static str,
    /// First label of the host name on AWS.
    pub endpoint_prefix: &'static str,
    /// The service in a signature's credential scope.
    pub signing_name: &'static str,
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// `1.0` or `1.1`, for JSON services.
    pub json_version: Option<&'static str>,
    /// What the service speaks, the model's preferred one first.
    pub protocols: &'static [Protocol],
    /// The namespace of XML answers.
    pub xml_namespace: Option<&'static str>,
    /// Sorted by name.
    pub operations: &'static [&'static Operation],
}

/// A wire format of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Json,
    Query,
    Ec2,
    Cbor,
    RestJson,
    RestXml,
}

/// One operation of a service.
#[derive(Debug)]
pub struct Operation {
    /// The API verb, for example `CreateCluster`.
    pub name: &'static str,
    pub input: &'static Schema,
    pub output: &'static Schema,
    /// The element around the output in query XML.
    pub result_wrapper: Option<&'static str>,
    /// The errors the model lists for this operation; the common ones of every AWS service come on top.
    pub errors: &'static [&'static ErrorShape],
    pub method: &'static str,
    pub uri: &'static str,
    pub paginator: Option<Paginator>,
    /// SDKs put this before the host name.
    pub host_prefix: Option<&'static str>,
    /// The answer is an event stream.
    pub event_stream: bool,
    pub readonly: bool,
    pub deprecated: bool,
    /// Clients send it without a signature.
    pub unsigned: bool,
}

/// How SDKs page through an operation. The names are members; several mean that all are used together.
#[derive(Debug)]
pub struct Paginator {
    pub input_tokens: &'static [&'static str],
    pub output_tokens: &'static [&'static str],
    pub limit: Option<&'static str>,
    pub results: &'static [&'static str],
}

/// An error that a service's model declares.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The shape's name, which JSON answers carry as `__type`.
    pub name: &'static str,
    /// What XML answers carry as `Code`.
    pub code: &'static str,
    /// HTTP status: the model's, else 400 for the sender's fault and 500 for the receiver's.
    pub status: u16,
    pub fault: Fault,
    /// Members besides the message.
    pub members: &'static [&'static str],
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's; the same request will fail again.
    Sender,
    /// Ours; a retry may help.
    Receiver,
}

/// Ties an operation to the types of its input and output.
pub trait Call {
    type Input: Structure;
    type Output: Structure;
    const OPERATION: &'static Operation;
}

impl Api {
    /// The operation of that exact name.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        let at = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        Some(self.operations[at])
    }
}
