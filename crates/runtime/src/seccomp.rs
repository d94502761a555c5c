//! The system call filter: NOT BUILT YET, containers run unfiltered until this file is replaced.
pub fn filter(_c: crate::caps::Set) -> Vec<u8> {
    Vec::new()
}
pub fn load(_f: &[u8]) -> std::io::Result<()> {
    Ok(())
}
