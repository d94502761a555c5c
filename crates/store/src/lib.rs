//! Bytes under keys: transactions, revisions, watches and leases over SQLite or memory; knows no record type.
