//! How much an archive may ask for before it is taken for an attack; the numbers only.

/// Bounds of one import. The defaults are far above what real images need.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries per layer.
    pub entries: u64,
    /// Bytes of an entry's path, and of a link's target.
    pub path_bytes: usize,
    /// Components of an entry's path.
    pub depth: usize,
    /// Unpacked bytes per layer.
    pub layer_bytes: u64,
    /// Unpacked bytes per packed byte, once `ratio_floor_bytes` have been unpacked.
    pub ratio: u64,
    pub ratio_floor_bytes: u64,
    /// Layers per image; overlayfs stacks at most 500 lower directories.
    pub layers: usize,
    /// Files in the archive that holds the image.
    pub archive_entries: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries: 1_000_000,
            path_bytes: 4096,
            depth: 256,
            layer_bytes: 64 << 30,
            ratio: 200,
            ratio_floor_bytes: 64 << 20,
            layers: 400,
            archive_entries: 100_000,
        }
    }
}
