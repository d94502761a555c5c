//! A thin etcd-shaped server over our SQLite engine: Put and nothing else, one commit per call.

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use hyper_util::rt::{TokioExecutor, TokioIo};
use store::{SqliteOptions, SqliteStore, Store, Write};
use tokio::net::TcpListener;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::etcd::{PUT, PutRequest, PutResponse, ResponseHeader};

#[derive(Args)]
pub(crate) struct Arguments {
    /// HOST:PORT to answer at
    #[arg(long)]
    address: String,
    /// Where the database lies
    #[arg(long)]
    folder: PathBuf,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let store = SqliteStore::open(SqliteOptions::new(arguments.folder.join("store.db"))).await?;
    let puts = Puts { store: Arc::new(store) };
    let listener = TcpListener::bind(&arguments.address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let puts = puts.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(puts.clone(), request));
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A client that leaves is no news here.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[derive(Clone)]
struct Puts {
    store: Arc<dyn Store>,
}

async fn answer(
    puts: Puts,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    if request.uri().path() != PUT {
        return Ok(Status::unimplemented("only Put is measured").into_http());
    }
    let codec: ProstCodec<PutResponse, PutRequest> = ProstCodec::default();
    Ok(Grpc::new(codec).unary(puts, request).await)
}

impl UnaryService<PutRequest> for Puts {
    type Response = PutResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<PutResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<PutRequest>) -> Self::Future {
        let store = self.store.clone();
        Box::pin(async move {
            let PutRequest { key, value } = request.into_inner();
            let outcome = store.commit(vec![], vec![Write::put(key, value)]).await;
            let outcome = outcome.map_err(|error| Status::unavailable(error.to_string()))?;
            let revision = outcome.committed().map_or(0, |revision| revision.0 as i64);
            let header = ResponseHeader { revision, ..ResponseHeader::default() };
            Ok(Response::new(PutResponse { header: Some(header) }))
        })
    }
}
