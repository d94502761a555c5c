//! The part of etcd v3's wire format that a Put needs, by field number (etcd API reference, message PutRequest).

/// The full name of the method.
pub(crate) const PUT: &str = "/etcdserverpb.KV/Put";

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub key: bytes::Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ResponseHeader {
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    #[prost(int64, tag = "3")]
    pub revision: i64,
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}

/// A message as gRPC sends it: not compressed, its length, its bytes.
pub(crate) fn framed(message: &[u8]) -> bytes::Bytes {
    let length = u32::try_from(message.len()).expect("a Put is far below 4 GiB");
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}
