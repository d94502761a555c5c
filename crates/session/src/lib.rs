//! Server and agent ends of the node session; knows no store and no API shape.
