//! The values of enumerations, as constants.

use super::{Catalog, header};
use crate::generate::names;

pub(super) fn emit(catalog: &Catalog<'_>) -> String {
    let mut text = header(&catalog.source(), "The values that enumerations allow: a module each.");
    for (name, shape) in &catalog.model.shapes {
        if shape.values.is_empty() {
            continue;
        }
        let module = names::field(&catalog.type_name(name));
        text += &format!("/// `{name}`.\npub mod {module} {{\n");
        let mut constants = Vec::new();
        for value in &shape.values {
            let constant = names::constant(value);
            assert!(!constants.contains(&constant), "{name} has two values called {constant}");
            text += &format!("pub const {constant}: &str = {value:?};\n");
            constants.push(constant);
        }
        text += &format!(
            "/// All of them, in the model's order.\npub const VALUES: &[&str] = &[{}];\n}}\n\n",
            constants.join(", ")
        );
    }
    text
}
