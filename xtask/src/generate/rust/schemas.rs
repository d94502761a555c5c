//! The schemas of everything that is no structure: scalars, enumerations, lists and maps.

use super::File;
use crate::generate::model::{Reference, Shape};
use crate::generate::names;

pub(super) fn emit(catalog: &super::Catalog<'_>) -> String {
    let mut file = File::new(catalog, "Schemas of scalars, enumerations, lists and maps.".to_owned());
    for (name, shape) in &catalog.model.shapes {
        if shape.is_struct() || !catalog.is_used(name) {
            continue;
        }
        let constant = catalog.schema_name(name);
        let body = body(&mut file, name, shape);
        file.word("Schema");
        file.text += &format!("pub(crate) static {constant}: Schema = {body}{};\n", constraints(shape));
        file.define(constant);
    }
    file.finish()
}

fn body(file: &mut File<'_>, name: &str, shape: &Shape) -> String {
    match shape.kind.as_str() {
        "list" => list(file, name, shape),
        "map" => {
            let (key, value) = (target(file, &shape.key), target(file, &shape.value));
            format!("Schema::map(\"{name}\", &{key}, &{value})")
        }
        "string" if !shape.values.is_empty() => {
            let module = names::field(&file.catalog.type_name(name));
            let values = file.item("values".to_owned());
            format!("Schema::enumeration(\"{name}\", {values}::{module}::VALUES)")
        }
        kind => {
            let kind = match kind {
                "boolean" => "Boolean",
                "integer" => "Integer",
                "long" => "Long",
                "double" | "float" => "Double",
                "timestamp" => "Timestamp",
                "blob" => "Blob",
                "structure" => "Document",
                _ => "String",
            };
            file.word("Kind");
            format!("Schema::scalar(\"{name}\", Kind::{kind})")
        }
    }
}

fn list(file: &mut File<'_>, name: &str, shape: &Shape) -> String {
    let element = target(file, &shape.member);
    let element_name = shape.member.as_ref().and_then(|member| member.location_name.as_deref()).unwrap_or("member");
    if element_name == "member" && !shape.flattened {
        format!("Schema::list(\"{name}\", &{element})")
    } else {
        format!("Schema::list_of(\"{name}\", &{element}, \"{element_name}\", {})", shape.flattened)
    }
}

fn target(file: &mut File<'_>, reference: &Option<Reference>) -> String {
    let name = reference.as_ref().map(|reference| file.catalog.schema_name(&reference.shape)).unwrap_or_default();
    file.item(name)
}

fn constraints(shape: &Shape) -> String {
    let mut text = String::new();
    for (name, bound) in [("min", shape.min), ("max", shape.max)] {
        // Only whole numbers occur; another one would need a wider type, so it must not pass silently.
        if let Some(bound) = bound {
            assert!(bound.fract() == 0.0, "the bound {bound} is no whole number");
            text += &format!(".{name}({})", bound as i64);
        }
    }
    if let Some(pattern) = &shape.pattern {
        text += &format!(".pattern({pattern:?})");
    }
    if shape.sensitive {
        text += ".sensitive()";
    }
    text
}
