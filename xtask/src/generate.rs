//! `cargo xtask generate`: public service models -> trimmed models -> Rust shapes and compatibility pages.

mod botocore;
mod compat;
mod model;
mod names;
mod output;
mod rust;
mod selection;

use std::path::Path;

use anyhow::Context as _;

use model::Model;
use output::Output;
use selection::Selection;

/// Runs the command with what follows its name on the command line.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        [] => {
            let count = code_and_docs(root)?.write(root)?;
            println!("generate: {count} files changed");
            Ok(())
        }
        ["--check"] => code_and_docs(root)?.check(root),
        ["models"] => write_models(root, None),
        ["models", source] => write_models(root, Some(Path::new(source))),
        _ => anyhow::bail!("unknown arguments {arguments:?}; see `cargo xtask`"),
    }
}

fn write_models(root: &Path, source: Option<&Path>) -> anyhow::Result<()> {
    let selection = Selection::read(root)?;
    let source = botocore::Source::find(root, source, &selection.botocore)?;
    let mut output = Output::default();
    for (service, operations) in &selection.services {
        let model = source.read(service)?.trim(operations).with_context(|| format!("trim {service}"))?;
        output.add(selection::model_path(service), serde_json::to_string_pretty(&model)? + "\n");
    }
    let count = output.write(root)?;
    println!("generate models: {count} files changed");
    Ok(())
}

/// Everything that is made from the committed models.
fn code_and_docs(root: &Path) -> anyhow::Result<Output> {
    let selection = Selection::read(root)?;
    let mut models: Vec<(String, Model)> = Vec::new();
    for service in selection.services.keys() {
        models.push((service.clone(), selection::read_json(&root.join(selection::model_path(service)))?));
    }
    let mut output = Output::default();
    output.own("crates/aws-api/src/services");
    rust::emit(&models, &mut output)?;
    compat::emit(root, &models, &mut output)?;
    output.format(root)?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_the_models_make() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root");
        code_and_docs(root).and_then(|made| made.check(root)).expect("generated files are fresh");
    }
}
