//! Tar archives written byte by byte, so that they can be as wrong as an attacker wants them.

/// An archive under construction.
#[derive(Clone, Default)]
pub(crate) struct RawTar(Vec<u8>);

impl RawTar {
    pub(crate) fn new() -> RawTar {
        RawTar::default()
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> RawTar {
        self.raw(header(b'0', path.as_bytes(), b"", content.len() as u64), content)
    }

    pub(crate) fn dir(self, path: &str) -> RawTar {
        self.entry(b'5', path, "")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> RawTar {
        self.entry(b'2', path, target)
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> RawTar {
        self.entry(b'1', path, target)
    }

    /// An entry of any type without content.
    pub(crate) fn entry(self, kind: u8, path: &str, link: &str) -> RawTar {
        self.raw(header(kind, path.as_bytes(), link.as_bytes(), 0), b"")
    }

    pub(crate) fn device(self, kind: u8, path: &str, major: u32, minor: u32) -> RawTar {
        let mut header = header(kind, path.as_bytes(), b"", 0);
        header[329..336].copy_from_slice(format!("{major:07o}").as_bytes());
        header[337..344].copy_from_slice(format!("{minor:07o}").as_bytes());
        self.raw(header, b"")
    }

    /// A PAX header with these records, their lengths right.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> RawTar {
        let data: Vec<u8> = records.iter().flat_map(|(key, value)| pax_record(key, value)).collect();
        self.extension(b'x', &data)
    }

    /// An extension header with any content.
    pub(crate) fn extension(self, kind: u8, data: &[u8]) -> RawTar {
        self.raw(header(kind, b"././@LongLink", b"", data.len() as u64), data)
    }

    /// A header as given, but for its checksum, and content padded to a block.
    pub(crate) fn raw(mut self, mut header: [u8; 512], content: &[u8]) -> RawTar {
        seal(&mut header);
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> RawTar {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The archive with its end mark.
    pub(crate) fn end(self) -> Vec<u8> {
        self.bytes(&[0; 1024]).0
    }

    /// The archive as it is.
    pub(crate) fn unended(self) -> Vec<u8> {
        self.0
    }
}

pub(crate) fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = body.len() + 1;
    while length != body.len() + length.to_string().len() {
        length = body.len() + length.to_string().len();
    }
    [length.to_string().as_bytes(), &body].concat()
}

/// A ustar header with mode 0644 (0755 for directories), owned by root, from 1970.
pub(crate) fn header(kind: u8, path: &[u8], link: &[u8], size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    header[..path.len().min(100)].copy_from_slice(&path[..path.len().min(100)]);
    let mode: &[u8] = if kind == b'5' { b"0000755" } else { b"0000644" };
    header[100..107].copy_from_slice(mode);
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = kind;
    header[157..157 + link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

fn seal(header: &mut [u8; 512]) {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
