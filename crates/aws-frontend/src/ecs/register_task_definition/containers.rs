//! Validation of one container by itself: name, image, sizes, environment, checks and timeouts.

use super::validate::{Check, MEMORY_MIN, ensure, invalid, is_name, name};
use crate::ecs::errors;
use aws_api::ecs::{ContainerDefinition, TaskDefinition};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// ECS API, ContainerDefinition: environment files of a container.
const ENVIRONMENT_FILES_MAX: usize = 10;

/// Name and image, which every other message relies on.
pub(super) fn names(container: &ContainerDefinition) -> Check {
    let name = container.name.as_deref().unwrap_or_default();
    ensure(!name.is_empty(), || "Container.name should not be null or empty.".to_owned())?;
    ensure(is_name(name), || "Container.name contains invalid characters.".to_owned())?;
    let image = container.image.as_deref().unwrap_or_default();
    ensure(!image.is_empty(), || "Container.image should not be null or empty.".to_owned())?;
    let fine = image.chars().all(|c| c.is_ascii_alphanumeric() || "-_:./#@+".contains(c));
    ensure(fine && image.len() <= 255, || "Container.image contains invalid characters.".to_owned())
}

/// Everything of a container that does not depend on the others.
pub(super) fn container(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    memory(definition, container)?;
    network(definition, container)?;
    environment(container)?;
    secrets(definition, container)?;
    health_check(container)?;
    restart_policy(container)?;
    timeouts(container)?;
    process(container)?;
    resources(definition, container)
}

fn memory(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    let (hard, soft) = (container.memory, container.memory_reservation);
    ensure(container.cpu.unwrap_or(0) >= 0, || invalid(container, "'cpu' must not be negative."))?;
    ensure(definition.memory.is_some() || hard.is_some() || soft.is_some(), || {
        invalid(container, "At least one of 'memory' or 'memoryReservation' must be specified.")
    })?;
    for (field, value) in [("memory", hard), ("memoryReservation", soft)] {
        ensure(value.is_none_or(|mib| mib >= MEMORY_MIN), || {
            invalid(container, format!("'{field}' must be at least {MEMORY_MIN} MiB."))
        })?;
    }
    ensure(hard.zip(soft).is_none_or(|(hard, soft)| hard >= soft), || {
        invalid(container, "'memory' must be greater than or equal to 'memoryReservation'.")
    })
}

fn network(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    let mode = definition.network_mode.as_deref();
    let awsvpc = mode == Some("awsvpc");
    let has_links = container.links.iter().flatten().next().is_some();
    if has_links && !matches!(mode, None | Some("bridge")) {
        return Err(errors::client(format!("Links are not supported when networkMode={}.", mode.unwrap_or_default())));
    }
    let refused: [(&str, bool); 5] = [
        ("hostname is", container.hostname.is_some()),
        ("DNS servers are", container.dns_servers.iter().flatten().next().is_some()),
        ("DNS search domains are", container.dns_search_domains.iter().flatten().next().is_some()),
        ("Extra hosts are", container.extra_hosts.iter().flatten().next().is_some()),
        ("Disable Networking is", container.disable_networking == Some(true)),
    ];
    for (what, given) in refused {
        ensure(!(awsvpc && given), || format!("{what} not supported on container when networkMode=awsvpc."))?;
    }
    if let Some(hostname) = &container.hostname {
        let fine = (1..=253).contains(&hostname.len())
            && hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        ensure(fine, || "Container.hostname contains invalid characters.".to_owned())?;
    }
    for server in container.dns_servers.iter().flatten() {
        ensure(server.parse::<IpAddr>().is_ok(), || {
            invalid(container, format!("The DNS server '{server}' is not an IP address."))
        })?;
    }
    for host in container.extra_hosts.iter().flatten() {
        let (hostname, address) =
            (host.hostname.as_deref().unwrap_or_default(), host.ip_address.as_deref().unwrap_or_default());
        let fine = !hostname.is_empty() && !hostname.contains(char::is_whitespace) && address.parse::<IpAddr>().is_ok();
        ensure(fine, || {
            invalid(container, format!("The extra host '{hostname}' needs a name and an IP address, not '{address}'."))
        })?;
    }
    Ok(())
}

fn environment(container: &ContainerDefinition) -> Check {
    for variable in container.environment.iter().flatten() {
        let key = variable.name.as_deref().unwrap_or_default();
        ensure(!key.is_empty(), || invalid(container, "An environment variable's name should not be null or empty."))?;
        ensure(!key.contains(['=', '\0']), || {
            invalid(container, format!("The environment variable name '{key}' contains invalid characters."))
        })?;
    }
    let files = container.environment_files.as_deref().unwrap_or_default();
    ensure(files.len() <= ENVIRONMENT_FILES_MAX, || {
        "The maximum number of environment files was exceeded. Specify ten or less and try again.".to_owned()
    })?;
    for file in files {
        let arn = file.value.as_deref().unwrap_or_default();
        let fine = arn.starts_with("arn:") && arn.split(':').nth(2) == Some("s3") && arn.ends_with(".env");
        ensure(fine, || {
            invalid(
                container,
                format!("The environment file '{arn}' must be the ARN of an S3 object that ends in .env."),
            )
        })?;
    }
    Ok(())
}

fn secrets(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    let secrets = container.secrets.as_deref().unwrap_or_default();
    let in_log_options = container.log_configuration.iter().flat_map(|log| log.secret_options.iter().flatten());
    let log_secrets: Vec<_> = in_log_options.collect();
    if (!secrets.is_empty() || !log_secrets.is_empty() || container.repository_credentials.is_some())
        && definition.execution_role_arn.is_none()
    {
        let what =
            if container.repository_credentials.is_some() { "repository credentials" } else { "container secrets" };
        return Err(errors::client(format!(
            "When you are specifying {what}, you must also specify a value for 'executionRoleArn'."
        )));
    }
    let mut names: BTreeSet<&str> = container.environment.iter().flatten().filter_map(|v| v.name.as_deref()).collect();
    for secret in secrets {
        let key = secret.name.as_deref().unwrap_or_default();
        ensure(!key.is_empty() && !key.contains(['=', '\0']), || {
            invalid(container, "A secret's name should not be null or empty.")
        })?;
        ensure(names.insert(key), || {
            format!(
                "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{key}'."
            )
        })?;
    }
    for secret in secrets.iter().chain(log_secrets) {
        ensure(secret.value_from.as_deref().is_some_and(|v| !v.is_empty()), || {
            invalid(container, "A secret's valueFrom should not be null or empty.")
        })?;
    }
    Ok(())
}

fn health_check(container: &ContainerDefinition) -> Check {
    let Some(check) = &container.health_check else { return Ok(()) };
    let label = name(container);
    let command = check.command.as_deref().unwrap_or_default();
    let form = command.first().map(String::as_str);
    let fine = matches!((form, command.len()), (Some("CMD" | "CMD-SHELL"), 2..));
    ensure(fine, || {
        format!("Invalid health check for container '{label}'. The command must be CMD or CMD-SHELL, then what to run.")
    })?;
    for (field, value, min, max) in [
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, 60),
        ("retries", check.retries, 1, 10),
        ("startPeriod", check.start_period, 0, 300),
    ] {
        ensure(value.is_none_or(|v| (min..=max).contains(&v)), || {
            format!("Invalid health check for container '{label}'. '{field}' must be from {min} to {max}.")
        })?;
    }
    Ok(())
}

fn restart_policy(container: &ContainerDefinition) -> Check {
    let Some(policy) = &container.restart_policy else { return Ok(()) };
    let label = name(container);
    let codes = policy.ignored_exit_codes.as_deref().unwrap_or_default();
    ensure(codes.len() <= 50 && codes.iter().all(|code| (0..=255).contains(code)), || {
        format!(
            "Invalid restart policy for container '{label}'. It can have at most 50 ignored exit codes, each from 0 to 255."
        )
    })?;
    ensure(policy.restart_attempt_period.is_none_or(|s| (60..=1800).contains(&s)), || {
        format!("The 'restartAttemptPeriod' setting for container '{label}' must be between 60 and 1800.")
    })
}

fn timeouts(container: &ContainerDefinition) -> Check {
    for (field, value) in [("start", container.start_timeout), ("stop", container.stop_timeout)] {
        ensure(value.is_none_or(|s| s >= 2), || {
            format!("Granular {field} timeout on container '{}' must be at least 2 seconds.", name(container))
        })?;
    }
    Ok(())
}

fn process(container: &ContainerDefinition) -> Check {
    if let Some(directory) = &container.working_directory {
        // A drive letter is a Windows container's.
        let fine = directory.starts_with('/') || directory.as_bytes().get(1) == Some(&b':');
        ensure(fine, || invalid(container, format!("The working directory '{directory}' must be an absolute path.")))?;
    }
    if let Some(user) = &container.user {
        let parts: Vec<&str> = user.split(':').collect();
        let fine = parts.len() <= 2 && parts.iter().all(|p| !p.is_empty() && !p.contains(char::is_whitespace));
        ensure(fine, || {
            invalid(container, format!("The user '{user}' must be a user or user:group, by name or number."))
        })?;
    }
    ensure(container.docker_labels.iter().flatten().all(|(key, _)| !key.is_empty()), || {
        invalid(container, "A Docker label's name should not be empty.")
    })?;
    let specs = container.credential_specs.as_deref().unwrap_or_default();
    let fine = specs.iter().all(|s| s.starts_with("credentialspec:") || s.starts_with("credentialspecdomainless:"));
    ensure(specs.len() <= 1 && fine, || {
        invalid(
            container,
            "credentialSpecs can have one entry, which begins with credentialspec: or credentialspecdomainless:.",
        )
    })
}

fn resources(definition: &TaskDefinition, container: &ContainerDefinition) -> Check {
    let mut kinds = BTreeSet::new();
    for requirement in container.resource_requirements.iter().flatten() {
        let kind = requirement.r#type.as_deref().unwrap_or_default();
        let value = requirement.value.as_deref();
        ensure(kinds.insert(kind), || invalid(container, format!("It requires {kind} twice.")))?;
        let known = |device: &str| {
            definition.inference_accelerators.iter().flatten().any(|a| a.device_name.as_deref() == Some(device))
        };
        let fine = match kind {
            "InferenceAccelerator" => value.is_some_and(known),
            // A share of a GPU is measured by its sharing strategy.
            "GPU" if requirement.sharing_strategy.is_some() && value.is_none() => true,
            _ => value.and_then(|v| v.parse::<u32>().ok()).is_some_and(|count| count > 0),
        };
        ensure(fine, || {
            invalid(container, format!("'{}' is not a value for the resource {kind}.", value.unwrap_or("null")))
        })?;
    }
    Ok(())
}
