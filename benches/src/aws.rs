//! A signing ECS client over one keep-alive connection, as thin as a client can be, so that what is measured is the server.

use anyhow::{Context as _, Result, bail};
use aws_protocol::sigv4::{Credentials, SecretKey, sign};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Where to send requests and what to sign them with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Endpoint {
    /// HOST:PORT
    #[arg(long)]
    address: String,
    #[arg(long, default_value = "AKIAIOSFODNN7EXAMPLE")]
    access_key: String,
    #[arg(long, default_value = "secret")]
    secret_key: String,
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

/// One connection, one request at a time.
pub(crate) struct Client {
    endpoint: Endpoint,
    credentials: Credentials,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Client> {
        let sender = dial(endpoint).await?;
        let credentials = Credentials {
            access_key_id: endpoint.access_key.clone(),
            secret: SecretKey::new(&endpoint.secret_key),
            session_token: None,
        };
        Ok(Client { endpoint: endpoint.clone(), credentials, sender })
    }

    /// Sends one operation of ECS and reads the answer to its end. Errors on any status but 200.
    pub(crate) async fn raw(&mut self, operation: &str, body: Vec<u8>) -> Result<Bytes> {
        let request = http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}"));
        self.send("ecs", request, body).await
    }

    /// Sends one operation of EC2 in the query protocol.
    pub(crate) async fn ec2(&mut self, form: &str) -> Result<Bytes> {
        let request = http::Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        self.send("ec2", request, form.as_bytes().to_vec()).await
    }

    async fn send(&mut self, service: &str, request: http::request::Builder, body: Vec<u8>) -> Result<Bytes> {
        if self.sender.ready().await.is_err() {
            // Some servers close a connection that was idle for a few seconds.
            self.sender = dial(&self.endpoint).await?;
        }
        let (mut parts, ()) = request.header("host", &self.endpoint.address).body(())?.into_parts();
        sign(&mut parts, &body, &self.credentials, &self.endpoint.region, service, jiff::Timestamp::now());
        let answer = self.sender.send_request(http::Request::from_parts(parts, Full::new(body.into()))).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status != http::StatusCode::OK {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    pub(crate) async fn call(&mut self, operation: &str, input: &Value) -> Result<Value> {
        let answer = self.raw(operation, serde_json::to_vec(input)?).await;
        let answer = answer.with_context(|| format!("{operation} was refused"))?;
        serde_json::from_slice(&answer).with_context(|| format!("{operation} answered something that is no JSON"))
    }
}

async fn dial(endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(&endpoint.address).await;
    let stream = stream.with_context(|| format!("{} cannot be reached", endpoint.address))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with the connection, which ends with its sender.
    tokio::spawn(connection);
    Ok(sender)
}
