//! Access keys and temporary credentials of an installation; knows no protocol.
