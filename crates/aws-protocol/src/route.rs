//! A request to the service and operation it is for: one port serves them all.

use aws_api::schema::{Api, Operation, Protocol};
use http::Method;
use http::request::Parts;

use crate::error::ServiceError;
use crate::form::Form;
use crate::sigv4::scope_service;
use crate::wire::{self, Wire};

/// Where a request goes and how it is written.
#[derive(Debug)]
pub struct Route<'r> {
    pub api: &'static Api,
    pub operation: &'static Operation,
    pub wire: Wire,
    /// The parameters of a form request, parsed once.
    pub(crate) form: Form<'r>,
}

/// A request that goes nowhere, with the wire format to say so in.
#[derive(Debug)]
pub struct Refusal {
    pub wire: Wire,
    pub error: Box<ServiceError>,
}

impl Refusal {
    fn new(wire: Wire, error: ServiceError) -> Self {
        Self { wire, error: Box::new(error) }
    }
}

/// Finds service and operation, in the order: JSON target, CBOR path, form action.
///
/// # Errors
/// Nothing is served under that name; the error names it.
pub fn route<'r>(parts: &'r Parts, body: &'r [u8]) -> Result<Route<'r>, Refusal> {
    if let Some(target) = wire::text(&parts.headers, "x-amz-target") {
        return by_target(parts, target);
    }
    if wire::is_cbor(&parts.headers) {
        return by_path(parts);
    }
    let is_form = wire::text(&parts.headers, "content-type").is_some_and(|kind| kind.starts_with(wire::FORM_TYPE));
    if is_form || parts.uri.query().is_some_and(wire::has_action) {
        return by_action(parts, if is_form { body } else { &[] });
    }
    let message = format!(
        "{} {} is no AWS API request that Bayplan knows: it expects an X-Amz-Target header, a form with an Action, or \
         Smithy RPC v2 CBOR",
        parts.method,
        parts.uri.path()
    );
    Err(Refusal::new(Wire::guess(parts), unknown_operation(message)))
}

fn by_target<'r>(parts: &Parts, target: &str) -> Result<Route<'r>, Refusal> {
    let wire = wire::json(&parts.headers);
    let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
    let Some(api) = find(|api| api.target_prefix == Some(prefix) && api.protocols.contains(&Protocol::Json)) else {
        let message = format!("no service answers to the X-Amz-Target prefix {prefix}; {}", served());
        return Err(Refusal::new(wire, unknown_operation(message)));
    };
    found(api, name, wire)
}

fn by_path<'r>(parts: &Parts) -> Result<Route<'r>, Refusal> {
    let (wire, path) = (wire::cbor(&parts.headers), parts.uri.path());
    let mut segments = path.trim_start_matches('/').split('/');
    let mut after = |word| if segments.next() == Some(word) { segments.next() } else { None };
    let (Some(service), Some(name)) = (after("service"), after("operation")) else {
        let message = format!("a CBOR request goes to /service/NAME/operation/NAME, not to {path}");
        return Err(Refusal::new(wire, unknown_operation(message)));
    };
    let Some(api) = find(|api| api.target_prefix == Some(service) && api.protocols.contains(&Protocol::Cbor)) else {
        let message = format!("no service called {service} speaks CBOR here; {}", served());
        return Err(Refusal::new(wire, unknown_operation(message)));
    };
    found(api, name, wire)
}

fn by_action<'r>(parts: &'r Parts, body: &'r [u8]) -> Result<Route<'r>, Refusal> {
    let wire = Wire::Query { namespace: "" };
    let form = Form::parse(parts.uri.query().unwrap_or_default(), body)
        .map_err(|message| Refusal::new(wire, ServiceError::sender("MalformedQueryString", message)))?;
    let Some(action) = form.get("Action") else {
        let message = "the form has no Action parameter, which names the operation";
        let error = match parts.method {
            Method::POST | Method::GET => ServiceError::sender("MissingAction", message),
            _ => ServiceError::sender("InvalidAction", format!("{} requests are not served", parts.method)),
        };
        return Err(Refusal::new(wire, error));
    };
    let Some(api) = form_api(parts, &form, action) else {
        let message = format!("no service that Bayplan serves has the action {action}; {}", served());
        return Err(Refusal::new(wire, ServiceError::sender("InvalidAction", message)));
    };
    let wire = if api.protocols.contains(&Protocol::Ec2) { Wire::ec2(api) } else { Wire::query(api) };
    let Some(operation) = api.operation(action) else {
        let message = format!("{} has no operation {action} that Bayplan knows", api.title);
        return Err(Refusal::new(wire, ServiceError::sender("InvalidAction", message)));
    };
    Ok(Route { api, operation, wire, form })
}

/// Form services share one path: the signature's scope tells them apart, else version and action do.
fn form_api(parts: &Parts, form: &Form<'_>, action: &str) -> Option<&'static Api> {
    let speaks_forms = |api: &Api| api.protocols.contains(&Protocol::Query) || api.protocols.contains(&Protocol::Ec2);
    if let Some(signing_name) = scope_service(parts) {
        return find(|api| api.signing_name == signing_name && speaks_forms(api));
    }
    let version = form.get("Version");
    find(|api| speaks_forms(api) && version == Some(api.api_version) && api.operation(action).is_some())
}

fn found<'r>(api: &'static Api, name: &str, wire: Wire) -> Result<Route<'r>, Refusal> {
    let Some(operation) = api.operation(name) else {
        let message = format!("{} has no operation {name} that Bayplan knows", api.title);
        return Err(Refusal::new(wire, unknown_operation(message)));
    };
    Ok(Route { api, operation, wire, form: Form::default() })
}

fn find(wanted: impl Fn(&Api) -> bool) -> Option<&'static Api> {
    aws_api::APIS.iter().copied().find(|api| wanted(api))
}

fn unknown_operation(message: String) -> ServiceError {
    ServiceError::sender("UnknownOperationException", message)
}

fn served() -> String {
    let names: Vec<&str> = aws_api::APIS.iter().map(|api| api.name).collect();
    format!("Bayplan serves {}", names.join(", "))
}
