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

/// A decimal number of `length` digits, the first of them not 0.
pub(crate) fn digits(length: usize) -> String {
    let text = |place: usize, at: usize| if place == 0 { b'1' + (at % 9) as u8 } else { b'0' + (at % 10) as u8 };
    spell(length, text)
}

/// `length` letters and digits.
pub(crate) fn alphanumeric(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    spell(length, |_, at| ALPHABET[at % ALPHABET.len()])
}

/// One character for each random number, which is so large that no remainder of it is likelier than another.
fn spell(length: usize, character: impl Fn(usize, usize) -> u8) -> String {
    let mut random = vec![0u8; 4 * length];
    getrandom::fill(&mut random).expect("the kernel's random source is always there on Linux");
    let numbers = random.chunks_exact(4).map(|four| four.iter().fold(0usize, |n, byte| n << 8 | usize::from(*byte)));
    numbers.enumerate().map(|(place, at)| char::from(character(place, at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_length_and_their_characters() {
        let number = digits(19);
        assert_eq!(number.len(), 19);
        assert!(number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0'), "{number}");
        let id = alphanumeric(21);
        assert_eq!(id.len(), 21);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        assert_ne!(alphanumeric(21), id);
    }
}
