//! The supervisor's program as bytes, to embed in the agent; nothing else.

/// The static, non-PIE supervisor binary; hand it to `runtime::launch::SealedImage::new`.
pub static SUPERVISOR: &[u8] = include_bytes!(env!("SUPERVISOR_PROGRAM"));

#[cfg(test)]
mod tests {
    use super::SUPERVISOR;

    #[test]
    fn the_program_is_a_small_elf_of_fixed_address() {
        const ET_EXEC: [u8; 2] = [2, 0];
        assert_eq!(&SUPERVISOR[..4], b"\x7fELF");
        assert_eq!(SUPERVISOR[16..18], ET_EXEC, "a position-independent program costs 380 KB of relocations each");
        assert!(SUPERVISOR.len() < 1_200_000, "{} bytes", SUPERVISOR.len());
    }
}
