//! The errors that a service's model declares, as constants.

use super::{Catalog, header};
use crate::generate::model::Shape;
use crate::generate::names;

/// The static's name, without the word every error ends in.
pub(super) fn constant(name: &str) -> String {
    names::constant(name.strip_suffix("Exception").unwrap_or(name))
}

pub(super) fn emit(catalog: &Catalog<'_>) -> String {
    let errors: Vec<_> = catalog.model.shapes.iter().filter(|(_, shape)| shape.exception).collect();
    let mut text = header(&catalog.source(), "The errors that the model declares.");
    if errors.is_empty() {
        return text;
    }
    text += "use crate::schema::{ErrorShape, Fault};\n\n";
    for (name, shape) in errors {
        text += &emit_one(name, shape);
    }
    text
}

fn emit_one(name: &str, shape: &Shape) -> String {
    let details = shape.error.as_ref();
    let ours = shape.fault || details.is_some_and(|error| !error.sender_fault && error.http_status_code >= Some(500));
    let code = details.and_then(|error| error.code.as_deref()).unwrap_or(name);
    let status = details.and_then(|error| error.http_status_code).unwrap_or(if ours { 500 } else { 400 });
    let fault = if ours { "Receiver" } else { "Sender" };
    let members: Vec<&String> = shape.members.keys().filter(|member| !member.eq_ignore_ascii_case("message")).collect();
    format!(
        "/// `{name}`, HTTP {status}.
        pub static {}: ErrorShape = ErrorShape {{
            name: \"{name}\", code: \"{code}\", status: {status}, fault: Fault::{fault}, members: &{members:?},
        }};\n\n",
        constant(name)
    )
}
