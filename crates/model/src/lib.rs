//! The engine's nouns: typed ids, units, nodes, quantities, allocators and invariants; no I/O, no clock, no async, no wire types.
