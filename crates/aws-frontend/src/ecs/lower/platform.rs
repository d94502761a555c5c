//! The operating system and processor that a definition asks for.

use crate::ecs::lower::Unsupported;
use aws_api::ecs::TaskDefinition;

/// Node attributes with their values, as `name=value`.
pub(super) fn required(definition: &TaskDefinition) -> Vec<String> {
    let Some(platform) = &definition.runtime_platform else { return Vec::new() };
    let mut required = Vec::new();
    match platform.operating_system_family.as_deref() {
        None => {}
        Some("LINUX") => required.push("ecs.os-type=linux".to_owned()),
        Some(family) => required.push(os_family(family)),
    }
    match platform.cpu_architecture.as_deref() {
        Some("X86_64") => required.push("ecs.cpu-architecture=x86_64".to_owned()),
        Some("ARM64") => required.push("ecs.cpu-architecture=arm64".to_owned()),
        _ => {}
    }
    required
}

/// Every node of ours runs Linux; which processor it has, placement finds out.
pub(super) fn unsupported(definition: &TaskDefinition) -> Option<Unsupported> {
    let family = definition.runtime_platform.as_ref()?.operating_system_family.as_deref()?;
    (family != "LINUX")
        .then(|| Unsupported { attribute: os_family(family), feature: format!("the operating system {family}") })
}

fn os_family(family: &str) -> String {
    format!("ecs.os-family={family}")
}
