//! The Unit's volumes: made and filled before containers start, let go when it has ended.

use super::Actor;
use super::prepare::{PrepareError, blocking, chain};
use image::StoredImage;
use model::unit::UnitSpec;
use model::unit::spec::{ContainerSpec, VolumeScope, VolumeSource};
use runtime::spec::Mount;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use volume::{CopyUp, Volume, VolumeSpec, Volumes};

/// One mount of one container, before it is the runtime's.
#[derive(Clone)]
struct Placed {
    source: PathBuf,
    target: String,
    readonly: bool,
}

impl Actor {
    /// Makes every volume that a container mounts, and fills the new ones from its image. Answers the mounts of each container.
    pub(super) async fn prepare_volumes(
        &mut self,
        images: &[Arc<StoredImage>],
    ) -> Result<Vec<Vec<Mount>>, PrepareError> {
        let (node, spec) = (self.node.clone(), self.journal.assignment.spec.clone());
        let uid = self.journal.assignment.unit.uid.clone();
        let images = images.to_vec();
        let placed = blocking(move || {
            spec.containers
                .iter()
                .zip(&images)
                .map(|(container, image)| own_mounts(&node.volumes, &spec, container, image, uid.as_str()))
                .collect::<Result<Vec<_>, PrepareError>>()
        });
        let own = placed.await?;
        let containers = &self.journal.assignment.spec.containers;
        Ok((0..containers.len()).map(|index| with_borrowed(containers, &own, index, 0)).map(to_runtime).collect())
    }

    pub(super) fn volume_mounts(&self, index: usize) -> Vec<Mount> {
        self.prepared.as_ref().map(|p| p.mounts[index].clone()).unwrap_or_default()
    }

    pub(super) async fn release_volumes(&mut self) {
        let (node, uid) = (self.node.clone(), self.journal.assignment.unit.uid.clone());
        blocking(move || {
            if let Err(error) = node.volumes.remove_unit(uid.as_str()) {
                tracing::warn!(unit = %uid, error = %chain(&error), "a unit's volumes stay behind");
            }
        })
        .await;
    }
}

fn failed(container: &str, error: &dyn std::error::Error) -> PrepareError {
    PrepareError::new("CannotCreateVolumeError", chain(error)).of(container)
}

/// The container's own mounts, and an anonymous volume for each VOLUME of its image that nothing is mounted on.
fn own_mounts(
    volumes: &Volumes,
    unit: &UnitSpec,
    container: &ContainerSpec,
    image: &StoredImage,
    uid: &str,
) -> Result<Vec<Placed>, PrepareError> {
    let mut placed = Vec::new();
    for mount in &container.mounts {
        let volume = unit.volumes.iter().find(|v| v.name == mount.volume);
        let volume = volume.ok_or_else(|| {
            PrepareError::new("CannotCreateVolumeError", format!("the task has no volume {}", mount.volume))
                .of(&container.name)
        })?;
        let spec = match &volume.source {
            VolumeSource::Ephemeral => VolumeSpec::Unit { name: volume.name.clone() },
            VolumeSource::Host { path } => VolumeSpec::Host { path: path.into() },
            VolumeSource::Named { scope: VolumeScope::Unit, .. } => VolumeSpec::Unit { name: volume.name.clone() },
            VolumeSource::Named { name, scope: VolumeScope::Node, autoprovision, .. } => {
                VolumeSpec::Shared { name: name.clone(), autoprovision: *autoprovision }
            }
        };
        let made = prepare(volumes, &spec, image, container, &mount.path, uid)?;
        placed.push(Placed { source: made.path().to_owned(), target: mount.path.clone(), readonly: mount.read_only });
    }
    for path in &image.config.volumes {
        let is_covered = placed.iter().any(|p| Path::new(&p.target) == Path::new(path))
            || container.linux.tmpfs.iter().any(|t| Path::new(&t.path) == Path::new(path));
        if !is_covered {
            let spec = VolumeSpec::Anonymous { container: container.name.clone(), path: path.into() };
            let made = prepare(volumes, &spec, image, container, path, uid)?;
            placed.push(Placed { source: made.path().to_owned(), target: path.clone(), readonly: false });
        }
    }
    Ok(placed)
}

fn prepare(
    volumes: &Volumes,
    spec: &VolumeSpec,
    image: &StoredImage,
    container: &ContainerSpec,
    path: &str,
    uid: &str,
) -> Result<Volume, PrepareError> {
    let volume = volumes.prepare(spec, uid).map_err(|e| failed(&container.name, &e))?;
    let from = CopyUp { layer_dirs: &image.layer_dirs, container_path: Path::new(path), nocopy: false };
    volumes.copy_up(&volume, &from).map_err(|e| failed(&container.name, &e))?;
    Ok(volume)
}

/// Own mounts and those of the containers named in volumesFrom, theirs included; an own mount hides a borrowed one.
fn with_borrowed(containers: &[ContainerSpec], own: &[Vec<Placed>], index: usize, depth: usize) -> Vec<Placed> {
    let mut all = own[index].clone();
    // Cycles are refused at registration; the bound holds whatever a spec says.
    if depth > containers.len() {
        return all;
    }
    for (name, readonly) in &containers[index].volumes_from {
        let Some(from) = containers.iter().position(|c| c.name == *name) else { continue };
        for borrowed in with_borrowed(containers, own, from, depth + 1) {
            if !all.iter().any(|p| p.target == borrowed.target) {
                all.push(Placed { readonly: borrowed.readonly || *readonly, ..borrowed });
            }
        }
    }
    all
}

fn to_runtime(placed: Vec<Placed>) -> Vec<Mount> {
    let bind = |p: Placed| Mount::Bind { source: p.source, target: p.target, readonly: p.readonly };
    placed.into_iter().map(bind).collect()
}
