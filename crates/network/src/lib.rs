//! Addresses, namespaces, bridges and packet rules of a node; knows no store and no API shape.
