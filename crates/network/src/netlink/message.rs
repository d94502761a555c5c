//! Netlink wire format: headers, attributes, batches, and their readers; no meaning of any message type.

use nix::errno::Errno;
use nix::libc;

use super::Refusal;
use crate::error::Feature;

const HEADER_BYTES: usize = 16;
/// `NLA_F_NESTED`, set on every attribute that holds attributes.
const NESTED: u16 = 1 << 15;
/// Masks `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` out of an attribute's type.
const TYPE_MASK: u16 = 0x3fff;

/// What one message of a batch is for; an error is told in these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) doing: &'static str,
    pub(crate) needs: Option<Feature>,
}

/// Several messages for one `send`. Sequence numbers count from 1, one per message.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    steps: Vec<Step>,
    acknowledgements: usize,
}

impl Batch {
    /// Appends a message: fixed `header` after the netlink one, then the attributes that `build` writes.
    pub(crate) fn push(
        &mut self,
        step: Step,
        kind: u16,
        flags: i32,
        header: &[u8],
        build: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.steps.push(step);
        let sequence = self.steps.len() as u32;
        if flags & libc::NLM_F_ACK != 0 {
            self.acknowledgements += 1;
        }
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        pad(&mut self.bytes);
        build(&mut Attributes { bytes: &mut self.bytes });
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many answers the kernel owes for this batch when it accepts all of it.
    pub(super) fn acknowledgements(&self) -> usize {
        self.acknowledgements
    }

    pub(super) fn refusal(&self, sequence: u32, errno: Errno) -> Refusal {
        let step = (sequence as usize).checked_sub(1).and_then(|index| self.steps.get(index));
        let Step { doing, needs } = step.copied().unwrap_or(Step { doing: "talk to the kernel", needs: None });
        Refusal { doing, needs, errno }
    }
}

/// Writes attributes, each padded to four bytes.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = (value.len() + 4) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        pad(self.bytes);
        self
    }

    /// A string with its closing zero byte.
    pub(crate) fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    pub(crate) fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// In the machine's byte order, as rtnetlink wants it.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// In network byte order, as nf_tables wants it.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(crate) fn nested(&mut self, kind: u16, build: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        self.nested_after(kind, &[], build)
    }

    /// A nested attribute whose attributes follow a fixed header (the peer of a veth pair).
    pub(crate) fn nested_after(
        &mut self,
        kind: u16,
        header: &[u8],
        build: impl FnOnce(&mut Attributes<'_>),
    ) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        self.bytes.extend_from_slice(header);
        pad(self.bytes);
        build(&mut Attributes { bytes: self.bytes });
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// One received message.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

impl Message<'_> {
    /// The error of an error message; `UnknownErrno` (0) is a plain acknowledgement.
    pub(crate) fn error(&self) -> Option<Errno> {
        let carries = i32::from(self.kind) == libc::NLMSG_ERROR || self.is_done();
        let code = i32::from_ne_bytes(self.payload.get(..4)?.try_into().ok()?);
        carries.then(|| Errno::from_raw(-code))
    }

    pub(crate) fn is_done(&self) -> bool {
        i32::from(self.kind) == libc::NLMSG_DONE
    }
}

/// Walks the messages of one received datagram; stops at the first that is cut short.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = u32::from_ne_bytes(self.rest.get(..4)?.try_into().ok()?) as usize;
        if length < HEADER_BYTES || length > self.rest.len() {
            return None;
        }
        let message = Message {
            kind: u16::from_ne_bytes([self.rest[4], self.rest[5]]),
            flags: u16::from_ne_bytes([self.rest[6], self.rest[7]]),
            sequence: u32::from_ne_bytes(self.rest[8..12].try_into().ok()?),
            payload: &self.rest[HEADER_BYTES..length],
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// Walks attributes as (type, value); stops at the first that is cut short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeReader<'a> {
    rest: &'a [u8],
}

impl<'a> AttributeReader<'a> {
    /// Reads the attributes that follow a fixed header of `header` bytes.
    pub(crate) fn after(payload: &'a [u8], header: usize) -> Self {
        Self { rest: payload.get(header..).unwrap_or_default() }
    }

    /// The value of the first attribute of this type.
    pub(crate) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == kind).then_some(value))
    }

    /// The attributes inside the first attribute of this type.
    pub(crate) fn nested(self, kind: u16) -> Option<AttributeReader<'a>> {
        self.find(kind).map(|value| AttributeReader { rest: value })
    }

    /// A four-byte number in the machine's byte order.
    pub(crate) fn u32(self, kind: u16) -> Option<u32> {
        Some(u32::from_ne_bytes(self.find(kind)?.get(..4)?.try_into().ok()?))
    }

    /// A four-byte value as it is on the wire (an address).
    pub(crate) fn four(self, kind: u16) -> Option<[u8; 4]> {
        self.find(kind)?.get(..4)?.try_into().ok()
    }

    /// A string without its closing zero byte.
    pub(crate) fn string(self, kind: u16) -> Option<&'a str> {
        let value = self.find(kind)?;
        std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()
    }
}

impl<'a> Iterator for AttributeReader<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16::from_ne_bytes([*self.rest.first()?, *self.rest.get(1)?]));
        let kind = u16::from_ne_bytes([*self.rest.get(2)?, *self.rest.get(3)?]) & TYPE_MASK;
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step { doing: "test", needs: None };

    #[test]
    fn what_a_batch_writes_is_read_back() {
        let mut batch = Batch::default();
        batch.push(STEP, 16, libc::NLM_F_ACK, &[7; 3], |attributes| {
            attributes.string(3, "eth0").nested(18, |inner| {
                inner.u32(1, 77).be32(2, 1);
            });
        });
        batch.push(STEP, 17, 0, &[], |_| ());

        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        assert_eq!(
            messages.iter().map(|message| (message.kind, message.sequence)).collect::<Vec<_>>(),
            [(16, 1), (17, 2)]
        );
        assert_eq!(batch.acknowledgements(), 1);
        let attributes = AttributeReader::after(messages[0].payload, 4);
        assert_eq!(attributes.string(3), Some("eth0"));
        let inner = attributes.nested(18).expect("nested attribute");
        assert_eq!((inner.u32(1), inner.four(2)), (Some(77), Some([0, 0, 0, 1])));
    }

    #[test]
    fn a_datagram_that_is_cut_short_yields_no_message_and_no_panic() {
        let mut batch = Batch::default();
        batch.push(STEP, 16, 0, &[1, 2, 3, 4], |attributes| {
            attributes.u32(1, 1);
        });
        for length in 0..batch.bytes().len() {
            assert_eq!(Messages::new(&batch.bytes()[..length]).count(), 0);
        }
        for length in 0..8 {
            assert_eq!(AttributeReader::after(&batch.bytes()[20..20 + length], 0).count(), 0);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        assert_eq!(Messages::new(&[0; 64]).count(), 0);
        assert_eq!(Messages::new(&[0xff; 64]).count(), 0);
        assert_eq!(AttributeReader::after(&[0; 64], 0).count(), 0, "a length of zero must not loop");
        assert_eq!(AttributeReader::after(&[0xff; 64], 0).count(), 0);
    }
}
