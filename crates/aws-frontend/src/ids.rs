//! Fresh identifiers in AWS's forms; the one place here that uses randomness.

/// `bytes` random bytes in lower-case hex: 16 for a task, 32 for a container's runtime id.
pub(crate) fn hex(bytes: usize) -> String {
    let mut random = vec![0u8; bytes];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    hex::encode(random)
}

/// A UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;
    let h = hex::encode(random);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}
