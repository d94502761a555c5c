//! What a machine says of itself in ECS's attribute names; a cluster's own attributes are in its memberships.

use super::register_task_definition;
use std::collections::BTreeMap;

/// The built-in attributes that a node registers with, by name; a capability has no value.
///
/// Source of the names: ECS Developer Guide, "Amazon ECS container agent attributes" and the agent's registration.
pub fn node_registration_attributes(region: &str) -> BTreeMap<String, Option<String>> {
    let capabilities = register_task_definition::node_attributes().iter().map(|name| ((*name).to_owned(), None));
    let facts = [
        ("ecs.availability-zone", format!("{region}a")),
        ("ecs.cpu-architecture", cpu_architecture().to_owned()),
        // A machine of its owner's is no EC2 instance type, and says so.
        ("ecs.instance-type", "external".to_owned()),
        ("ecs.os-family", "LINUX".to_owned()),
        ("ecs.os-type", "linux".to_owned()),
    ];
    capabilities.chain(facts.map(|(name, value)| (name.to_owned(), Some(value)))).collect()
}

/// As ECS spells it: `x86_64` or `arm64`.
fn cpu_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_every_capability_of_this_build_and_its_own_facts() {
        let attributes = node_registration_attributes("eu-west-1");
        for capability in register_task_definition::node_attributes() {
            assert_eq!(attributes.get(*capability), Some(&None), "{capability}");
        }
        assert_eq!(attributes["ecs.availability-zone"].as_deref(), Some("eu-west-1a"));
        assert_eq!(attributes["ecs.os-type"].as_deref(), Some("linux"));
        assert!(["x86_64", "arm64"].contains(&attributes["ecs.cpu-architecture"].as_deref().unwrap()));
    }
}
