//! Volumes and their mounts. A kind that no node has is left out with its mounts: such a task is never started.

use aws_api::ecs::{ContainerDefinition, TaskDefinition, Volume};
use model::unit::spec::{MountSpec, VolumeScope, VolumeSource, VolumeSpec};

pub(super) fn volumes(definition: &TaskDefinition) -> Vec<VolumeSpec> {
    let specs = definition.volumes.iter().flatten();
    specs.filter_map(|v| Some(VolumeSpec { name: v.name.clone()?, source: source(v)? })).collect()
}

fn source(volume: &Volume) -> Option<VolumeSource> {
    if let Some(host) = &volume.host {
        return Some(match host.source_path.clone() {
            Some(path) => VolumeSource::Host { path },
            None => VolumeSource::Ephemeral,
        });
    }
    // ECS API, DockerVolumeConfiguration: the scope is the task unless said otherwise.
    let docker = volume.docker_volume_configuration.as_ref()?;
    let shared = docker.scope.as_deref() == Some("shared");
    Some(VolumeSource::Named {
        name: volume.name.clone()?,
        scope: if shared { VolumeScope::Node } else { VolumeScope::Unit },
        autoprovision: docker.autoprovision.unwrap_or(false),
        labels: docker.labels.clone().unwrap_or_default(),
    })
}

pub(super) fn mounts(container: &ContainerDefinition, volumes: &[VolumeSpec]) -> Vec<MountSpec> {
    let mounts = container.mount_points.iter().flatten().filter_map(|m| {
        let (volume, path) = (m.source_volume.clone()?, m.container_path.clone()?);
        Some(MountSpec { volume, path, read_only: m.read_only.unwrap_or(false) })
    });
    mounts.filter(|mount| volumes.iter().any(|v| v.name == mount.volume)).collect()
}
