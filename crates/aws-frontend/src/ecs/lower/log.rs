//! Where a container's output goes: awslogs and json-file; any other driver is a feature that no node has.

use super::{DefaultLogMode, Launch};
use crate::ecs::register_task_definition::byte_size;
use aws_api::ecs::{ContainerDefinition, LogConfiguration};
use model::unit::spec::{LogMode, LogSink};

/// ECS Developer Guide: the buffer of a non-blocking awslogs driver that says none.
const BUFFER_BYTES: u64 = 10 << 20;

pub(super) fn sink(container: &ContainerDefinition, launch: Launch) -> LogSink {
    let node_only = LogSink::Node { max_file_bytes: None, max_files: None };
    let Some(log) = &container.log_configuration else { return node_only };
    match log.log_driver.as_deref() {
        Some("awslogs") => awslogs(container, log, launch),
        Some("json-file") => LogSink::Node {
            max_file_bytes: option(log, "max-size").and_then(byte_size),
            max_files: option(log, "max-file").and_then(|n| n.parse().ok()),
        },
        _ => node_only,
    }
}

fn option<'a>(log: &'a LogConfiguration, key: &str) -> Option<&'a str> {
    log.options.as_ref()?.get(key).map(String::as_str)
}

/// The stream is `prefix/container/task`; without a prefix ECS uses the id of the container, which here is made of the
/// task's and its name.
fn awslogs(container: &ContainerDefinition, log: &LogConfiguration, launch: Launch) -> LogSink {
    let name = container.name.as_deref().unwrap_or_default();
    let stream = match option(log, "awslogs-stream-prefix").filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}/{name}/{{uid}}"),
        None => format!("{{uid}}-{name}"),
    };
    LogSink::Stream {
        group: option(log, "awslogs-group").unwrap_or_default().to_owned(),
        stream,
        create_group: option(log, "awslogs-create-group").is_some_and(|v| v.eq_ignore_ascii_case("true")),
        mode: mode(log, launch.default_log_mode),
    }
}

fn mode(log: &LogConfiguration, default: DefaultLogMode) -> LogMode {
    let max_buffer_bytes = option(log, "max-buffer-size").and_then(byte_size).unwrap_or(BUFFER_BYTES);
    match (option(log, "mode"), default) {
        (Some("blocking"), _) | (None, DefaultLogMode::Blocking) => LogMode::Blocking,
        _ => LogMode::NonBlocking { max_buffer_bytes },
    }
}
