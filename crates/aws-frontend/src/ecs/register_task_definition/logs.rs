//! Validation of log configurations and FireLens.

use super::validate::{Check, ensure, name};
use aws_api::ecs::ContainerDefinition;

/// ECS Developer Guide, "Send ECS logs to CloudWatch": the options of awslogs.
const AWSLOGS_OPTIONS: [&str; 9] = [
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-endpoint",
    "awslogs-group",
    "awslogs-multiline-pattern",
    "awslogs-region",
    "awslogs-stream-prefix",
    "max-buffer-size",
    "mode",
];
/// Docker: the options of json-file.
const JSON_FILE_OPTIONS: [&str; 9] =
    ["compress", "env", "env-regex", "labels", "labels-regex", "max-file", "max-size", "max-buffer-size", "mode"];

/// The driver's name itself was checked against the model.
pub(super) fn container(container: &ContainerDefinition) -> Check {
    let Some(log) = &container.log_configuration else { return Ok(()) };
    let driver = log.log_driver.as_deref().unwrap_or_default();
    let option = |key: &str| log.options.as_ref().and_then(|o| o.get(key)).map(String::as_str);
    let known: Option<&[&str]> = match driver {
        "awslogs" => Some(&AWSLOGS_OPTIONS),
        "json-file" => Some(&JSON_FILE_OPTIONS),
        _ => None,
    };
    if let Some(known) = known {
        let strange: Vec<&str> =
            log.options.iter().flatten().map(|(k, _)| k.as_str()).filter(|k| !known.contains(k)).collect();
        ensure(strange.is_empty(), || format!("Log driver {driver} disallows options: {}", strange.join(", ")))?;
    }
    if driver == "awslogs" {
        let missing = |key: &&str| option(key).is_none_or(str::is_empty);
        let missing: Vec<&str> = ["awslogs-region", "awslogs-group"].into_iter().filter(missing).collect();
        ensure(missing.is_empty(), || format!("Log driver awslogs requires options: {}", missing.join(", ")))?;
        let fine = option("awslogs-create-group")
            .is_none_or(|v| v.eq_ignore_ascii_case("true") || v.eq_ignore_ascii_case("false"));
        ensure(fine, || "The log option 'awslogs-create-group' must be true or false.".to_owned())?;
        ensure(option("awslogs-datetime-format").is_none() || option("awslogs-multiline-pattern").is_none(), || {
            "The log options 'awslogs-datetime-format' and 'awslogs-multiline-pattern' cannot be used together."
                .to_owned()
        })?;
        group_name(option("awslogs-group").unwrap_or_default())?;
    }
    let mode = option("mode");
    ensure(matches!(mode, None | Some("blocking" | "non-blocking")), || {
        format!(
            "The log option 'mode' of container '{}' must be blocking or non-blocking, not '{}'.",
            name(container),
            mode.unwrap_or_default()
        )
    })?;
    ensure(option("max-buffer-size").is_none() || mode != Some("blocking"), || {
        "The log option 'max-buffer-size' can only be used with the mode non-blocking.".to_owned()
    })?;
    for key in ["max-buffer-size", "max-size"] {
        let Some(value) = option(key).filter(|_| known.is_some()) else { continue };
        ensure(byte_size(value).is_some_and(|bytes| bytes > 0), || {
            format!("The log option '{key}' must be a size such as 25m, not '{value}'.")
        })?;
    }
    let files = option("max-file").filter(|_| driver == "json-file");
    ensure(files.is_none_or(|v| v.parse::<u32>().is_ok_and(|n| n > 0)), || {
        format!("The log option 'max-file' must be a number of at least 1, not '{}'.", files.unwrap_or_default())
    })
}

/// CloudWatch Logs API, CreateLogGroup.
fn group_name(group: &str) -> Check {
    let fine = group.len() <= 512 && group.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/#".contains(&b));
    ensure(fine, || format!("The log option 'awslogs-group' is not the name of a log group: '{group:.600}'."))
}

/// A size as Docker spells it: bytes, or with the suffix k, m, g, t in powers of 1024, and an optional b.
pub(crate) fn byte_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let shift = match text[number.len()..].trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(super) fn firelens(containers: &[ContainerDefinition]) -> Check {
    let routers = containers.iter().filter(|c| c.firelens_configuration.is_some()).count();
    let driver = |c: &ContainerDefinition| c.log_configuration.as_ref().and_then(|l| l.log_driver.clone());
    let routed = containers.iter().any(|c| driver(c).as_deref() == Some("awsfirelens"));
    ensure(routers <= 1, || {
        "A task definition can have at most one container with a firelensConfiguration.".to_owned()
    })?;
    ensure(routers == 0 || routed, || {
        "When a firelensConfiguration object is specified, at least one container has to be configured with the awsfirelens log driver.".to_owned()
    })?;
    ensure(!routed || routers == 1, || {
        "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified."
            .to_owned()
    })
}
