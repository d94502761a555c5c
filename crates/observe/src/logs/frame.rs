//! Records with length and checksum, so that a torn or damaged one is told from a whole one.

/// Length (u32, little endian) and CRC-32 of the payload.
pub(crate) const HEADER: usize = 8;
/// Above the largest batch: a length beyond it is damage, not a record.
pub(crate) const MAX_PAYLOAD: usize = 4 << 20;

/// Appends `payload` as one record.
pub(crate) fn push(out: &mut Vec<u8>, payload: &[u8]) {
    debug_assert!(!payload.is_empty() && payload.len() <= MAX_PAYLOAD);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The whole records at the start of `bytes`; ends before the first that is not whole.
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the next record would start.
    pub(crate) at: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Frames { bytes, at: 0 }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let checksum = u32::from_le_bytes(rest.get(4..HEADER)?.try_into().ok()?);
        // Zeros are what a file system leaves where it lost data: a record is never empty.
        if length == 0 || length > MAX_PAYLOAD {
            return None;
        }
        let payload = rest.get(HEADER..HEADER + length)?;
        if crc32fast::hash(payload) != checksum {
            return None;
        }
        self.at += HEADER + length;
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_and_every_changed_byte_ends_before_the_damaged_record() {
        let mut bytes = Vec::new();
        push(&mut bytes, b"first");
        let second = bytes.len();
        push(&mut bytes, b"second");
        assert_eq!(Frames::new(&bytes).collect::<Vec<_>>(), [&b"first"[..], b"second"]);
        for cut in second..bytes.len() {
            let mut frames = Frames::new(&bytes[..cut]);
            assert_eq!(frames.by_ref().count(), 1);
            assert_eq!(frames.at, second);
        }
        for at in second..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert_eq!(Frames::new(&damaged).count(), 1, "byte {at}");
        }
        assert_eq!(Frames::new(&[0; 64]).count(), 0);
    }
}
