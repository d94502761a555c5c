//! The command line's way to the running server: HTTP over its Unix socket.

use super::Fault;
use crate::installation::Installation;
use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::os::fd::AsRawFd;

/// Asks the server; an answer that is no success is an error with the server's own words.
pub(crate) fn get(installation: &Installation, path: &str) -> Result<Value> {
    ask(installation, "GET", path, &Value::Null)
}

pub(crate) fn post(installation: &Installation, path: &str, body: &Value) -> Result<Value> {
    ask(installation, "POST", path, body)
}

fn ask(installation: &Installation, method: &str, path: &str, body: &Value) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(exchange(installation, method, path, body))
}

pub(crate) async fn exchange(installation: &Installation, method: &str, path: &str, body: &Value) -> Result<Value> {
    let stream = connect(installation).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "bayplan")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok::<_, anyhow::Error>((status, bytes))
    };
    let (status, bytes) = tokio::select! {
        answer = answer => answer?,
        ended = connection => {
            ended?;
            bail!("the server hung up");
        }
    };
    if status.is_success() {
        return Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null));
    }
    Err(refusal(status, &bytes))
}

/// An answer that comes in lines of JSON, for as long as the server has something to say.
pub(super) struct Lines {
    body: hyper::body::Incoming,
    read: BytesMut,
    /// Carries the answer as long as this is kept.
    _connection: tokio::task::JoinSet<()>,
}

/// Asks for an answer in lines; None if the server hung up before it said anything.
pub(super) async fn lines(installation: &Installation, path: &str, body: &impl Serialize) -> Result<Option<Lines>> {
    let stream = connect(installation).await?;
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await else {
        return Ok(None);
    };
    let mut carrying = tokio::task::JoinSet::new();
    // How it ends shows in the answer.
    carrying.spawn(async move { drop(connection.await) });
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("host", "bayplan")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
    let Ok(response) = sender.send_request(request).await else { return Ok(None) };
    let status = response.status();
    if !status.is_success() {
        let Ok(said) = response.into_body().collect().await else { return Ok(None) };
        return Err(refusal(status, &said.to_bytes()));
    }
    Ok(Some(Lines { body: response.into_body(), read: BytesMut::new(), _connection: carrying }))
}

impl Lines {
    /// The next line; None when no further one comes, whether the server was done or has gone.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1);
                return serde_json::from_slice(&line).map(Some).context("the server spoke another language");
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.read.extend(frame.into_data().ok()),
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

/// An answer that is no success, as an error in the server's own words.
pub(crate) fn refusal(status: http::StatusCode, body: &[u8]) -> anyhow::Error {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let words = value["error"].as_str().unwrap_or("the server could not answer").to_owned();
    match status.as_u16() {
        404 => Fault::NotFound.because(words),
        _ => anyhow::anyhow!(words),
    }
}

/// A path of any length: the address goes through a descriptor of the folder.
pub(crate) async fn connect(installation: &Installation) -> Result<tokio::net::UnixStream> {
    let missing = || {
        let words = format!(
            "Bayplan is not running in {}; start it with: bayplan up --detach",
            installation.data_dir.display()
        );
        Fault::Unreachable.because(words)
    };
    let dir = std::fs::File::open(installation.run_dir()).map_err(|_| missing())?;
    let address = address_in(&dir, &installation.socket())?;
    tokio::net::UnixStream::connect(address).await.map_err(|_| missing())
}

/// An address for a socket in an open folder, short however long the folder's path is.
pub(crate) fn address_in(dir: &std::fs::File, socket: &std::path::Path) -> Result<String> {
    let name = socket.file_name().context("the socket has a name")?;
    Ok(format!("/proc/self/fd/{}/{}", dir.as_raw_fd(), name.to_string_lossy()))
}
