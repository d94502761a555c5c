//! PAX extended header records, read by their lengths; keys that change nothing here are passed over.

/// What a PAX header says about the entry after it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    /// Seconds and nanoseconds.
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Pax {
    pub(super) fn is_empty(&self) -> bool {
        *self == Pax::default()
    }

    pub(super) fn parse(mut data: &[u8]) -> Result<Pax, &'static str> {
        let mut pax = Pax::default();
        while !data.is_empty() {
            let (key, value) = take_record(&mut data)?;
            pax.apply(key, value)?;
        }
        Ok(pax)
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            if self.xattrs.iter().any(|(known, _)| known == name) {
                return Err("an extended attribute given twice");
            }
            self.xattrs.push((name.to_vec(), value.to_vec()));
            return Ok(());
        }
        if key.starts_with(b"GNU.sparse.") {
            return Err("a GNU sparse file, which is not supported: pack it without --sparse");
        }
        // An empty value withdraws the record (POSIX): the old field counts.
        if value.is_empty() {
            return Ok(());
        }
        match key {
            b"path" => once(&mut self.path, name(value)?),
            b"linkpath" => once(&mut self.link, name(value)?),
            b"size" => once(&mut self.size, number(value)?),
            b"uid" => once(&mut self.uid, number(value)?),
            b"gid" => once(&mut self.gid, number(value)?),
            b"mtime" => once(&mut self.mtime, time(value)?),
            _ => Ok(()),
        }
    }
}

/// Takes key and value of `<length> <key>=<value>\n` off the front; the length counts the whole record.
fn take_record<'a>(data: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), &'static str> {
    const BAD: &str = "a PAX record that is not LENGTH KEY=VALUE";
    let space = data.iter().take(12).position(|b| *b == b' ').ok_or(BAD)?;
    let length = usize::try_from(number(&data[..space])?).map_err(|_| BAD)?;
    if length <= space + 1 || length > data.len() {
        return Err(BAD);
    }
    let (record, rest) = data.split_at(length);
    let body = record[space + 1..].strip_suffix(b"\n").ok_or(BAD)?;
    let equals = body.iter().position(|b| *b == b'=').filter(|at| *at > 0).ok_or(BAD)?;
    *data = rest;
    Ok((&body[..equals], &body[equals + 1..]))
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err("the same PAX key twice"),
    }
}

fn name(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    if value.contains(&0) { Err("a name with a NUL byte") } else { Ok(value.to_vec()) }
}

fn number(value: &[u8]) -> Result<u64, &'static str> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err("a PAX number that is not decimal");
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or("a PAX number out of range")
}

/// Decimal seconds with an optional fraction; finer than nanoseconds is cut off.
fn time(value: &[u8]) -> Result<(i64, u32), &'static str> {
    const BAD: &str = "a PAX time that is not decimal seconds";
    let text = std::str::from_utf8(value).map_err(|_| BAD)?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BAD);
    }
    let seconds = i64::try_from(number(whole.as_bytes())?).map_err(|_| BAD)?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanos: u32 = digits.parse().map_err(|_| BAD)?;
    Ok(match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_nul_where_they_are_attributes() {
        let pax = Pax::parse(b"34 SCHILY.xattr.user.x=\x01\n\x00\n567890\n9 uid=10\n").unwrap();
        assert_eq!(pax.xattrs, [(b"user.x".to_vec(), b"\x01\n\x00\n567890".to_vec())]);
        assert_eq!(pax.uid, Some(10));
    }

    #[test]
    fn times_have_fractions_and_signs() {
        assert_eq!(time(b"1.5"), Ok((1, 500_000_000)));
        assert_eq!(time(b"-1.25"), Ok((-2, 750_000_000)));
        assert_eq!(time(b"7"), Ok((7, 0)));
        assert!(time(b"1e9").is_err() && time(b"").is_err() && time(b"1.x").is_err());
    }

    #[test]
    fn ambiguous_records_are_refused() {
        for data in [
            b"10 path=a\n10 path=b\n".as_slice(),
            b"8 path=a\n",
            b"99 path=a\n",
            b"11 path=a\x00\n",
            b"7 =ab\n\n",
            b"10 size=-1\n",
            b"path=a\n",
            b"0 \n",
        ] {
            assert!(Pax::parse(data).is_err(), "{}", data.escape_ascii());
        }
    }
}
