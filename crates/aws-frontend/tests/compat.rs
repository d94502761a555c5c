//! Holds docs/compat to the truth: what it says of an operation is what the table of its service says.

use aws_frontend::{Status, tables};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What the compatibility pages are generated from; `BLESS=1` writes it anew, then `cargo xtask generate` the pages.
fn status_file(service: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../models/aws/status/{service}.json"))
}

#[test]
fn the_compatibility_pages_say_what_the_tables_say() {
    for table in tables() {
        let entries = table.built().map(|(operation, status)| {
            let entry = match status {
                Status::Yes => json!({ "status": "yes" }),
                Status::Partial(missing) => json!({ "status": "partial", "note": missing }),
            };
            (operation.to_owned(), entry)
        });
        let truth = Value::Object(entries.collect::<Map<_, _>>());
        let path = status_file(table.api.name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, format!("{truth:#}\n")).unwrap();
        }
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(written, truth, "{}: run this test with BLESS=1, then `cargo xtask generate`", path.display());
    }
}

#[test]
fn every_table_names_only_operations_of_its_service() {
    for table in tables() {
        for (operation, _) in table.built() {
            assert!(table.api.operation(operation).is_some(), "{} has no {operation}", table.api.name);
        }
    }
}
