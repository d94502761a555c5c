//! Filled by its operations; see `table`.
