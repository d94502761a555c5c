//! One layer from its packed bytes to a tree on disk, with both digests checked on the way; knows no store.

use std::io::{self, Read};
use std::os::fd::OwnedFd;

use flate2::read::MultiGzDecoder;

use crate::digest::{Digest, Hashing};
use crate::limits::Limits;
use crate::tar_reader::{Input, TarError};
use crate::unpack::{UnpackError, Unpacked, unpack};

/// Why a layer is not what its image says.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error(
        "layer {0} is compressed with zstd, which is not supported yet: pack the image with gzip or uncompressed layers"
    )]
    Zstd(Digest),
    #[error("layer {layer} cannot be read to its end")]
    Read { layer: Digest, source: io::Error },
    #[error("layer {layer} is damaged: its packed bytes have the digest {found}, not {wanted}")]
    Packed { layer: Digest, wanted: Digest, found: Digest },
    #[error("layer {layer} is damaged: its unpacked bytes have the digest {found}")]
    Unpacked { layer: Digest, found: Digest },
    #[error("layer {layer} unpacks to more than {ratio} times its size, which is taken for an attack")]
    Ratio { layer: Digest, ratio: u64 },
    #[error("layer {layer} cannot be unpacked")]
    Unpack { layer: Digest, source: UnpackError },
}

/// What a layer must turn out to be.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Digest of the bytes as packed, where the image states it.
    pub(crate) packed: Option<Digest>,
    pub(crate) diff_id: Digest,
}

/// Unpacks `packed` into the empty directory `root` on top of `lower` (top first). What is in `root` counts only if this succeeds.
pub(crate) fn unpack_layer(
    packed: impl Read,
    expected: &Expected,
    root: OwnedFd,
    lower: Vec<OwnedFd>,
    limits: &Limits,
) -> Result<Unpacked, LayerError> {
    let layer = expected.diff_id;
    let read_error = |source| LayerError::Read { layer, source };
    let decoder = Decoder::detect(Hashing::new(packed)).map_err(read_error)?.ok_or(LayerError::Zstd(layer))?;
    let stream = LayerStream { unpacked: Hashing::new(decoder), limits };
    let failed_read = |source: io::Error| match source.get_ref() {
        Some(inner) if inner.is::<OverRatio>() => LayerError::Ratio { layer, ratio: limits.ratio },
        _ => read_error(source),
    };
    let (done, mut stream) = unpack(stream, root, lower, limits).map_err(|source| match source {
        UnpackError::Tar(TarError::Read(source)) => failed_read(source),
        source => LayerError::Unpack { layer, source },
    })?;
    // Padding after the end mark belongs to the digests too.
    io::copy(&mut stream, &mut io::sink()).map_err(failed_read)?;
    let found = stream.unpacked.digest();
    let packed = stream.unpacked.get_ref().source();
    if let Some(wanted) = expected.packed.filter(|wanted| *wanted != packed.digest()) {
        return Err(LayerError::Packed { layer, wanted, found: packed.digest() });
    }
    if found != layer {
        return Err(LayerError::Unpacked { layer, found });
    }
    Ok(done)
}

/// A stream that starts with `head`, which was read to see what it is.
type Sniffed<R> = io::Chain<io::Cursor<Vec<u8>>, Hashing<R>>;

enum Decoder<R> {
    Plain(Sniffed<R>),
    Gzip(Box<MultiGzDecoder<Sniffed<R>>>),
}

impl<R: Read> Decoder<R> {
    /// By the first bytes, since media types and file names are often wrong; `None` for zstd.
    fn detect(mut packed: Hashing<R>) -> io::Result<Option<Decoder<R>>> {
        let mut head = Vec::new();
        packed.by_ref().take(4).read_to_end(&mut head)?;
        let compression = Compression::of(&head);
        let sniffed = io::Cursor::new(head).chain(packed);
        Ok(match compression {
            Compression::None => Some(Decoder::Plain(sniffed)),
            Compression::Gzip => Some(Decoder::Gzip(Box::new(MultiGzDecoder::new(sniffed)))),
            Compression::Zstd => None,
        })
    }

    fn source(&self) -> &Hashing<R> {
        match self {
            Decoder::Plain(sniffed) => sniffed.get_ref().1,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref().1,
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(sniffed) => sniffed.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// How some bytes are packed, told from the first four of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(crate) fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

/// The unpacked bytes, digested and held to the ratio.
struct LayerStream<'a, R> {
    unpacked: Hashing<Decoder<R>>,
    limits: &'a Limits,
}

#[derive(Debug, thiserror::Error)]
#[error("it unpacks to too many times its size")]
struct OverRatio;

impl<R: Read> Read for LayerStream<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.unpacked.read(buffer)?;
        let packed = self.unpacked.get_ref().source().count();
        let unpacked = self.unpacked.count();
        if unpacked > self.limits.ratio_floor_bytes && unpacked / self.limits.ratio > packed {
            return Err(io::Error::other(OverRatio));
        }
        Ok(read)
    }
}

impl<R: Read> Input for LayerStream<'_, R> {}
