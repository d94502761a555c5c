//! Validation of volumes and of the mount points that name them.

use super::validate::{Check, ensure, is_name, name};
use aws_api::ecs::{ContainerDefinition, DockerVolumeConfiguration, EfsVolumeConfiguration, TaskDefinition, Volume};
use std::collections::BTreeSet;

pub(super) fn all(definition: &TaskDefinition, containers: &[ContainerDefinition]) -> Check {
    let volumes = definition.volumes.as_deref().unwrap_or_default();
    let mut names = BTreeSet::new();
    for volume in volumes {
        let volume_name = volume.name.as_deref().unwrap_or_default();
        ensure(!volume_name.is_empty(), || "Volume.name should not be null or empty.".to_owned())?;
        ensure(is_name(volume_name), || "Volume.name contains invalid characters.".to_owned())?;
        ensure(names.insert(volume_name), || format!("Volume names must be unique: '{volume_name}' is used twice."))?;
        one(volume, volume_name)?;
    }
    ensure(volumes.iter().filter(|v| v.configured_at_launch == Some(true)).count() <= 1, || {
        "A task definition can have at most one volume that is configured at launch.".to_owned()
    })?;
    for container in containers {
        mount_points(container, &names)?;
    }
    let mounts = || containers.iter().flat_map(|c| c.mount_points.iter().flatten());
    for volume in volumes.iter().filter(|v| v.configured_at_launch == Some(true)) {
        ensure(mounts().any(|m| m.source_volume == volume.name), || {
            let volume_name = volume.name.as_deref().unwrap_or_default();
            format!("Volumes [{volume_name}] are not referenced by any of the containers.")
        })?;
    }
    Ok(())
}

fn mount_points(container: &ContainerDefinition, volumes: &BTreeSet<&str>) -> Check {
    let mut paths = BTreeSet::new();
    for mount in container.mount_points.iter().flatten() {
        let volume = mount.source_volume.as_deref().unwrap_or_default();
        ensure(volumes.contains(volume), || format!("Unknown volume '{volume}'."))?;
        let path = mount.container_path.as_deref().unwrap_or_default();
        ensure(is_absolute(path), || {
            format!(
                "Invalid mount point of container '{}'. The container path '{path}' must be absolute.",
                name(container)
            )
        })?;
        ensure(paths.insert(path), || {
            format!("Invalid mount point of container '{}'. '{path}' is mounted twice.", name(container))
        })?;
    }
    Ok(())
}

/// A drive letter is a Windows container's.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.as_bytes().get(1) == Some(&b':')
}

fn one(volume: &Volume, volume_name: &str) -> Check {
    let kinds = [
        volume.host.is_some(),
        volume.docker_volume_configuration.is_some(),
        volume.efs_volume_configuration.is_some(),
        volume.s3files_volume_configuration.is_some(),
        volume.fsx_windows_file_server_volume_configuration.is_some(),
        volume.configured_at_launch == Some(true),
    ];
    ensure(kinds.iter().filter(|given| **given).count() <= 1, || {
        format!("Only one volume type may be configured per volume; '{volume_name}' has more.")
    })?;
    if let Some(path) = volume.host.as_ref().and_then(|h| h.source_path.as_deref()) {
        ensure(is_absolute(path), || {
            format!("Invalid volume '{volume_name}'. The source path '{path}' must be absolute.")
        })?;
        ensure(!path.split('/').any(|part| part == ".."), || {
            format!("Invalid volume '{volume_name}'. The source path '{path}' must not have the part '..'.")
        })?;
    }
    if let Some(docker) = &volume.docker_volume_configuration {
        docker_volume(docker, volume_name)?;
    }
    if let Some(efs) = &volume.efs_volume_configuration {
        efs_volume(efs, volume_name)?;
    }
    Ok(())
}

fn docker_volume(docker: &DockerVolumeConfiguration, volume_name: &str) -> Check {
    ensure(docker.autoprovision.is_none() || docker.scope.as_deref() == Some("shared"), || {
        format!("Invalid volume '{volume_name}'. 'autoprovision' can only be used with the scope 'shared'.")
    })?;
    ensure(docker.driver.as_deref() != Some(""), || {
        format!("Invalid volume '{volume_name}'. 'driver' should not be empty.")
    })
}

/// ECS API, EFSVolumeConfiguration.
fn efs_volume(efs: &EfsVolumeConfiguration, volume_name: &str) -> Check {
    let id = efs.file_system_id.as_deref().unwrap_or_default();
    ensure(id.starts_with("fs-") || id.starts_with("arn:"), || {
        format!("Invalid volume '{volume_name}'. '{id}' is not the id of an EFS file system.")
    })?;
    let encrypted = efs.transit_encryption.as_deref() == Some("ENABLED");
    let authorization = efs.authorization_config.as_ref();
    let access_point = authorization.and_then(|a| a.access_point_id.as_deref());
    let iam = authorization.and_then(|a| a.iam.as_deref()) == Some("ENABLED");
    ensure(encrypted || !iam, || "EFS IAM authorization requires TransitEncryption to be enabled.".to_owned())?;
    ensure(encrypted || access_point.is_none(), || {
        "EFS access points require TransitEncryption to be enabled.".to_owned()
    })?;
    ensure(encrypted || efs.transit_encryption_port.is_none(), || {
        "TransitEncryptionPort requires that TransitEncryption is enabled.".to_owned()
    })?;
    ensure(efs.transit_encryption_port.is_none_or(|port| (1..=65535).contains(&port)), || {
        format!("Invalid volume '{volume_name}'. 'transitEncryptionPort' must be from 1 to 65535.")
    })?;
    ensure(access_point.is_none() || matches!(efs.root_directory.as_deref(), None | Some("/")), || {
        "When using an EFS access point, the root directory must either be set to \"/\" or be omitted.".to_owned()
    })
}
