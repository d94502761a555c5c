//! The words that the generated tables and shapes are written in; no knowledge of any one service or wire format.

mod describe;
mod node;
mod operation;
mod scalar;
mod value;
mod writer;

pub use describe::{Bounds, Kind, Member, Schema};
pub use node::{Node, NodeWriter};
pub use operation::{Api, Call, ErrorShape, Fault, Operation, Paginator, Protocol};
pub use scalar::{Blob, Document, Timestamp};
pub(crate) use value::structure;
pub use value::{ReadError, Structure, Value, deserialize, serialize, to_node};
pub use writer::Writer;
