//! One operation: its marker type and its entry of the operation table.

use super::{File, errors};
use crate::generate::model::{Operation, Paginator, Reference};
use crate::generate::names;

pub(super) fn emit(file: &mut File<'_>, name: &str, operation: &Operation) {
    let constant = names::constant(name);
    for word in ["Call", "Operation"] {
        file.word(word);
    }
    let input = side(file, name, "Input", operation.input.as_ref());
    let output = side(file, name, "Output", operation.output.as_ref());
    let paginator = paginator(file, name);
    let wrapper = operation.output.as_ref().and_then(|output| output.result_wrapper.clone());
    let host_prefix = operation.endpoint.as_ref().map(|endpoint| endpoint.host_prefix.clone());
    let errors: String = operation.errors.iter().map(|error| error_name(file, error)).collect();
    file.text += &format!(
        "/// The operation `{name}`.
        #[derive(Clone, Copy, Debug)]
        pub struct {name};

        impl Call for {name} {{
            type Input = {name}Input;
            type Output = {name}Output;
            const OPERATION: &'static Operation = &{constant};
        }}

        pub(crate) static {constant}: Operation = Operation {{
            name: \"{name}\", input: &{input}, output: &{output}, result_wrapper: {wrapper:?}, errors: &[{errors}],
            method: {method:?}, uri: {uri:?}, paginator: {paginator}, host_prefix: {host_prefix:?},
            event_stream: {event_stream}, readonly: {readonly}, deprecated: {deprecated}, unsigned: {unsigned},
        }};\n\n",
        method = operation.http.method,
        uri = operation.http.request_uri,
        event_stream = streams(file, operation.output.as_ref()),
        readonly = operation.readonly,
        deprecated = operation.deprecated,
        unsigned = operation.authtype.as_deref() == Some("none"),
    );
    file.define(name.to_owned());
}

/// The schema's name of an input or output; an operation without one gets an empty struct.
fn side(file: &mut File<'_>, name: &str, end: &str, reference: Option<&Reference>) -> String {
    if let Some(reference) = reference {
        return file.catalog.schema_name(&reference.shape);
    }
    let type_name = format!("{name}{end}");
    let schema_name = names::constant(&type_name);
    file.word("Schema");
    file.word("structure");
    file.text += &format!(
        "/// Empty: the model gives `{name}` none.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct {type_name} {{}}

        pub(crate) static {schema_name}: Schema = Schema::structure(\"{type_name}\", &[]);
        structure!({type_name}, {schema_name});\n\n"
    );
    file.define(type_name);
    file.define(schema_name.clone());
    schema_name
}

fn error_name(file: &mut File<'_>, error: &Reference) -> String {
    let _ = file.item("errors".to_owned());
    format!("&errors::{}, ", errors::constant(&error.shape))
}

fn paginator(file: &mut File<'_>, name: &str) -> String {
    let Some(Paginator { input_token, output_token, limit_key, result_key }) = file.catalog.model.paginators.get(name)
    else {
        return "None".to_owned();
    };
    file.word("Paginator");
    format!(
        "Some(Paginator {{ input_tokens: &{:?}, output_tokens: &{:?}, limit: {limit_key:?}, results: &{:?} }})",
        input_token.as_slice(),
        output_token.as_slice(),
        result_key.as_slice(),
    )
}

fn streams(file: &File<'_>, output: Option<&Reference>) -> bool {
    let members = output.map(|output| &file.catalog.shape(&output.shape).members);
    members.is_some_and(|members| members.values().any(|member| file.catalog.shape(&member.shape).eventstream))
}
