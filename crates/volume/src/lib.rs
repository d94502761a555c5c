//! Node-local volumes: named, anonymous and host folders, their first content and their end. Mounts nothing, knows no images but their trees, and no API shape.
//!
//! [`Volumes::prepare`] gives the folder to bind, [`Volumes::copy_up`] fills it once from the image as Docker does, [`Volumes::remove_unit`] and
//! [`Volumes::gc`] end what belongs to a unit. Shared volumes stay until [`Volumes::remove_shared`].

mod copy;
mod copy_up;
mod merged;
mod spec;
mod volumes;

pub use copy::CopyError;
pub use copy_up::{CopyUp, CopyUpError, Outcome};
pub use spec::{NameError, VolumeSpec};
pub use volumes::{Volume, VolumeError, Volumes};
