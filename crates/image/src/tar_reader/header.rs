//! The 512-byte header block of a tar entry: fields and their numbers; extension headers live in `pax`.

use super::EntryKind;

pub(super) const BLOCK: usize = 512;

/// A block whose checksum is right.
pub(super) struct Header([u8; BLOCK]);

impl Header {
    pub(super) fn parse(block: [u8; BLOCK]) -> Result<Header, &'static str> {
        let stored = unsigned(&block[148..156])?;
        // The checksum is over the block with its own field blank. Some old writers summed signed bytes.
        let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        let plain: u64 = bytes().map(u64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
        if stored != plain && i64::try_from(stored) != Ok(signed) {
            return Err("a header whose checksum is wrong: this is no tar archive, or it is damaged");
        }
        Ok(Header(block))
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// What the entry is; `path` is its final one, since old archives mark a directory by a closing slash.
    pub(super) fn kind(&self, path: &[u8]) -> Result<EntryKind, String> {
        Ok(match self.type_flag() {
            b'0' | 0 | b'7' if path.ends_with(b"/") => EntryKind::Directory,
            b'0' | 0 | b'7' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'3' => EntryKind::CharDevice,
            b'4' => EntryKind::BlockDevice,
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            b'S' => return Err("a GNU sparse file, which is not supported: pack it without --sparse".to_owned()),
            other => return Err(format!("an entry of unknown type {:?}", char::from(other))),
        })
    }

    /// The name with the prefix that ustar (255 bytes) and star (131 bytes) keep apart.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[0..100]);
        let prefix = match (&self.0[257..263], &self.0[508..512]) {
            (b"ustar\0", b"tar\0") => text(&self.0[345..476]),
            (b"ustar\0", _) => text(&self.0[345..500]),
            _ => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn mode(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[100..108])
    }

    pub(super) fn uid(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[116..124])
    }

    pub(super) fn size(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[124..136])
    }

    pub(super) fn mtime(&self) -> Result<i64, &'static str> {
        signed(&self.0[136..148])
    }

    /// Major and minor number; archives older than ustar have other bytes there.
    pub(super) fn device(&self) -> Result<(u32, u32), &'static str> {
        if &self.0[257..262] != b"ustar" || !matches!(self.type_flag(), b'3' | b'4') {
            return Ok((0, 0));
        }
        let number = |field| unsigned(field).and_then(|n| u32::try_from(n).map_err(|_| "a device number out of range"));
        Ok((number(&self.0[329..337])?, number(&self.0[337..345])?))
    }
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|b| *b == 0).unwrap_or(field.len())]
}

fn unsigned(field: &[u8]) -> Result<u64, &'static str> {
    signed(field).and_then(|n| u64::try_from(n).map_err(|_| "a negative number"))
}

/// Octal digits between blanks, or base 256 where the first bit is set (GNU).
fn signed(field: &[u8]) -> Result<i64, &'static str> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (at, byte) in field.iter().enumerate() {
            let byte = if at == 0 && !negative { byte & 0x7f } else { *byte };
            value = (value << 8) | i128::from(byte);
            if i64::try_from(value).is_err() {
                return Err("a number out of range");
            }
        }
        return i64::try_from(value).map_err(|_| "a number out of range");
    }
    let digits = field.trim_ascii_start();
    let digits = text(digits).trim_ascii();
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => Ok(value * 8 + i64::from(digit - b'0')),
        _ => Err("a number that is not octal"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(signed(b"0000644\0"), Ok(0o644));
        assert_eq!(signed(b"   644 \0"), Ok(0o644));
        assert_eq!(signed(b"\0\0\0\0\0\0\0\0"), Ok(0));
        assert_eq!(signed(b"\x80\0\0\0\0\0\0\0\x02\0\0\0"), Ok(0x0200_0000));
        assert_eq!(signed(&[0xff; 12]), Ok(-1));
        assert!(signed(b"12x\0\0\0\0\0").is_err());
        assert!(signed(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(unsigned(&[0xff; 12]).is_err());
    }
}
