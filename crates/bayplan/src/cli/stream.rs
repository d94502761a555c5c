//! The command line's end of exec and logs: frames to the terminal and back.

use super::admin;
use crate::installation::Installation;
use crate::roles::admin_streams::{PROTOCOL, read_frame, write_frame};
use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use nix::sys::termios::{self, SetArg, Termios};
use serde_json::Value;
use session::wire::{Frame, Resize, frame};
use std::io::Write;
use std::process::ExitCode;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

const CHUNK: usize = 32 << 10;

/// Asks for a stream and carries it to its end; answers the exit code that the node gave.
pub(super) fn run(installation: &Installation, question: &Value, stdin: bool, tty: bool) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(carry(installation, question, stdin, tty));
    // A read of the terminal may still be under way; nobody waits for it.
    runtime.shutdown_background();
    Ok(ExitCode::from(u8::try_from(code?).unwrap_or(255)))
}

async fn carry(installation: &Installation, question: &Value, stdin: bool, tty: bool) -> Result<i32> {
    let stream = admin::connect(installation).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method("POST")
        .uri("/v1/stream")
        .header("host", "bayplan")
        .header("connection", "upgrade")
        .header("upgrade", PROTOCOL)
        .body(Full::new(Bytes::from(serde_json::to_vec(question)?)))?;
    // It carries the request, and ends when it hands the connection over or breaks; both show in the answer.
    let mut carrying = tokio::task::JoinSet::new();
    carrying.spawn(async move { drop(connection.with_upgrades().await) });
    let response = sender.send_request(request).await.context("the server hung up")?;
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        let bytes = response.into_body().collect().await.context("the server hung up")?.to_bytes();
        return Err(admin::refusal(status, &bytes));
    }
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.context("the server hung up")?);
    let (from_server, to_server) = tokio::io::split(upgraded);
    let _raw = if tty { Some(RawTerminal::enter()?) } else { None };
    tokio::select! {
        code = receive(from_server) => code,
        failed = transmit(to_server, stdin, tty) => failed.and_then(|()| bail!("the connection to the server broke")),
    }
}

async fn receive(mut from: impl tokio::io::AsyncRead + Unpin) -> Result<i32> {
    let mut buffer = BytesMut::new();
    while let Some(Frame { kind }) = read_frame(&mut from, &mut buffer).await? {
        match kind {
            Some(frame::Kind::Stdout(bytes)) => pass_on(std::io::stdout(), &bytes)?,
            Some(frame::Kind::Stderr(bytes)) => pass_on(std::io::stderr(), &bytes)?,
            Some(frame::Kind::End(end)) if end.error.is_empty() => return Ok(end.exit_code),
            Some(frame::Kind::End(end)) => bail!(end.error),
            _ => {}
        }
    }
    bail!("the stream broke off; the node's agent may have been restarted")
}

fn pass_on(mut to: impl Write, bytes: &[u8]) -> Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        // Whoever closed it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Sends what is typed and every change of the window; returns only when the connection is broken.
async fn transmit(mut to: impl AsyncWrite + Unpin, stdin: bool, tty: bool) -> Result<()> {
    let (typed, mut frames) = mpsc::channel::<frame::Kind>(8);
    if stdin {
        #[allow(clippy::disallowed_methods, reason = "ends with the process, which is this one command")]
        tokio::spawn(read_stdin(typed.clone()));
    }
    let mut windows = signal(SignalKind::window_change())?;
    if tty {
        write_frame(&mut to, &window().into()).await?;
    }
    loop {
        tokio::select! {
            Some(kind) = frames.recv() => write_frame(&mut to, &kind.into()).await?,
            _ = windows.recv(), if tty => write_frame(&mut to, &window().into()).await?,
        }
    }
}

async fn read_stdin(typed: mpsc::Sender<frame::Kind>) {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(got) => {
                if typed.send(frame::Kind::Stdin(chunk[..got].to_vec())).await.is_err() {
                    return;
                }
            }
        }
    }
    // The other end may have gone first.
    let _ = typed.send(frame::Kind::StdinEnd(true)).await;
}

fn window() -> frame::Kind {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).map(|w| (w.ws_row, w.ws_col)).unwrap_or((24, 80));
    frame::Kind::Resize(Resize { rows: size.0.into(), columns: size.1.into() })
}

/// The terminal without line editing, put back when this goes.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> Result<Self> {
        let before = termios::tcgetattr(std::io::stdin()).context("the terminal cannot be read")?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &raw).context("the terminal cannot be set")?;
        Ok(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing put back.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}
