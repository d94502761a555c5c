//! Content-addressed images of a node: names, import, unpacking, lookup. Synchronous, for blocking threads; opens no connection, knows no units' state and no API shape.
//!
//! [`Store::import`] and [`build::single_binary`] bring images in, [`Store::resolve_and_hold`] finds one for a unit and keeps it, [`Store::release`] lets go.

pub mod build;
mod config;
mod digest;
mod import;
mod layer;
mod limits;
mod manifest;
mod missing;
mod platform;
mod reference;
mod source;
mod store;
mod tar_reader;
mod unpack;

pub use config::{Healthcheck, ImageConfig};
pub use digest::{Digest, DigestError};
pub use import::{ImportError, ImportOptions};
pub use layer::LayerError;
pub use limits::Limits;
pub use missing::MissingImage;
pub use platform::Platform;
pub use reference::{Reference, ReferenceError};
pub use source::SourceError;
pub use store::{ImageSummary, Store, StoreError, StoredImage};
pub use tar_reader::TarError;
pub use unpack::{PathError, UnpackError};
