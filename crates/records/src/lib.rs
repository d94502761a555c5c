//! Typed keys, codecs, field groups and the decoded snapshot over `store`; knows no API shape.
