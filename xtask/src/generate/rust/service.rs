//! A service's own file: its modules and its table of operations.

use super::{Catalog, header};
use crate::generate::names;

pub(super) fn emit(catalog: &Catalog<'_>, modules: &[String]) -> String {
    let metadata = &catalog.model.metadata;
    let title = metadata.service_abbreviation.as_ref().unwrap_or(&metadata.service_full_name);
    let mut text = header(&catalog.source(), &format!("{title}, API version {}.", metadata.api_version));
    for module in modules {
        text += &format!("mod {module};\n");
    }
    text += "mod schemas;\npub mod errors;\npub mod values;\n\n";
    for module in modules {
        text += &format!("pub use {module}::*;\n");
    }
    text += "pub(crate) use schemas::*;\n\nuse crate::schema::{Api, Protocol};\n\n";
    let mut operations: Vec<&String> = catalog.model.operations.keys().collect();
    operations.sort();
    let operations: String = operations.iter().map(|name| format!("&{}, ", names::constant(name))).collect();
    let protocols: Vec<&str> = metadata.protocols.iter().map(|name| protocol(name)).collect();
    text + &format!(
        "/// The service and its operations, sorted by name.
        pub static API: Api = Api {{
            name: {:?}, id: {:?}, title: {title:?}, api_version: {:?}, endpoint_prefix: {:?}, signing_name: {:?},
            target_prefix: {:?}, json_version: {:?}, protocols: &[{}], xml_namespace: {:?},
            operations: &[{operations}],
        }};\n",
        catalog.service,
        metadata.service_id,
        metadata.api_version,
        metadata.endpoint_prefix,
        metadata.signing_name.as_ref().unwrap_or(&metadata.endpoint_prefix),
        metadata.target_prefix,
        metadata.json_version,
        protocols.join(", "),
        metadata.xml_namespace,
    )
}

fn protocol(name: &str) -> &'static str {
    match name {
        "json" => "Protocol::Json",
        "query" => "Protocol::Query",
        "ec2" => "Protocol::Ec2",
        "smithy-rpc-v2-cbor" => "Protocol::Cbor",
        "rest-json" => "Protocol::RestJson",
        "rest-xml" => "Protocol::RestXml",
        other => panic!("unknown protocol {other}"),
    }
}
