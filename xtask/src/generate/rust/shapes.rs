//! One structure: the struct, its schema, and the macro that ties them.

use super::File;
use crate::generate::model::Reference;
use crate::generate::names;

pub(super) fn emit(file: &mut File<'_>, name: &str) {
    let catalog = file.catalog;
    let shape = catalog.shape(name);
    let type_name = catalog.type_name(name);
    let schema_name = catalog.schema_name(name);
    let (mut fields, mut members, mut list) = (String::new(), String::new(), String::new());
    for (member, reference) in &shape.members {
        let field = names::field(member);
        let (rust_type, item) = catalog.rust_type(&reference.shape);
        note_types(file, &rust_type, item);
        let required = shape.required.contains(member);
        fields += &documentation(file, reference, required);
        fields += &format!("pub {field}: Option<{rust_type}>,\n");
        members += &describe(file, member, reference, required);
        list += &format!(", {field}");
    }
    file.word("Schema");
    file.word("structure");
    if !shape.members.is_empty() {
        file.word("Member");
    }
    let constructor = if shape.union || shape.eventstream { "union" } else { "structure" };
    let ending = if shape.sensitive { ".sensitive()" } else { "" };
    file.text += &format!(
        "/// {} shape `{name}`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct {type_name} {{ {fields} }}

        pub(crate) static {schema_name}: Schema = Schema::{constructor}(\"{name}\", &[{members}]){ending};
        structure!({type_name}, {schema_name}{list});\n\n",
        catalog.model.metadata.service_id,
    );
    file.define(type_name);
    file.define(schema_name);
}

fn note_types(file: &mut File<'_>, rust_type: &str, item: Option<String>) {
    for word in ["Timestamp", "Blob", "Document"] {
        if item.is_none() && rust_type.contains(word) {
            file.word(word);
        }
    }
    if let Some(item) = item {
        file.item(item);
    }
}

/// Says what the type does not: that the member is required, and where its values are listed.
fn documentation(file: &File<'_>, reference: &Reference, required: bool) -> String {
    let shape = file.catalog.shape(&reference.shape);
    let element = shape.member.as_ref().map(|member| member.shape.as_str());
    let listed = [Some(reference.shape.as_str()), element]
        .into_iter()
        .flatten()
        .find(|name| !file.catalog.shape(name).values.is_empty());
    let mut text = String::new();
    if required {
        text += "/// Required.\n";
    }
    if let Some(name) = listed {
        let module = names::field(&file.catalog.type_name(name));
        let service = file.catalog.service;
        text += &format!("/// Values: [`{module}`](crate::{service}::values::{module}).\n");
    }
    text
}

fn describe(file: &mut File<'_>, name: &str, reference: &Reference, required: bool) -> String {
    let schema = file.item(file.catalog.schema_name(&reference.shape));
    let mut text = format!("Member::new(\"{name}\", &{schema})");
    if required {
        text += ".required()";
    }
    if reference.idempotency_token {
        text += ".idempotency_token()";
    }
    let metadata = &file.catalog.model.metadata;
    let xml = reference.location_name.as_deref().unwrap_or(name);
    let form = form_name(metadata.protocol == "ec2", name, reference);
    if xml != name {
        text += &format!(".xml(\"{xml}\")");
    }
    if form != name {
        text += &format!(".form(\"{form}\")");
    }
    text + ",\n"
}

/// EC2 forms: the query name, else the location name with a capital, else the member's name.
fn form_name(ec2: bool, name: &str, reference: &Reference) -> String {
    match (&reference.query_name, &reference.location_name) {
        (Some(query), _) if ec2 => query.clone(),
        (_, Some(location)) if ec2 => {
            let (first, rest) = location.split_at(1);
            first.to_ascii_uppercase() + rest
        }
        (_, Some(location)) => location.clone(),
        _ => name.to_owned(),
    }
}
