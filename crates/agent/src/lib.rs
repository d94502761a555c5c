//! Drives the Units of one node; knows no store and no API shape.
