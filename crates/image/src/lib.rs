//! Content-addressed images: import, digests, unpacking; knows no store and no API shape.
