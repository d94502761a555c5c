//! The Unit's volumes: made before containers start, let go when it has ended.

use super::Actor;
use super::prepare::PrepareError;
use runtime::spec::Mount;

impl Actor {
    pub(super) async fn prepare_volumes(&mut self) -> Result<(), PrepareError> {
        Ok(())
    }

    pub(super) fn volume_mounts(&self, _index: usize) -> Result<Vec<Mount>, String> {
        Ok(Vec::new())
    }

    pub(super) async fn release_volumes(&mut self) {}
}
