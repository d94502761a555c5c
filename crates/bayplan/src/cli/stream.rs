//! The command line's end of exec and logs: frames to the terminal and back.

use super::admin;
use crate::installation::Installation;
use crate::roles::admin_streams::{PROTOCOL, read_frame, write_frame};
use anyhow::{Context, Result, anyhow, bail};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use nix::sys::termios::{self, SetArg, Termios};
use serde_json::{Value, json};
use session::wire::{Frame, Resize, frame};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

const CHUNK: usize = 32 << 10;

/// How long a log that broke off is asked for again, and the wait between two tries.
const RESUME: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(100);

/// Asks for a program to be run and carries its streams to its end; answers its exit code.
pub(super) fn exec(installation: &Installation, question: &Value, tty: bool) -> Result<ExitCode> {
    block_on(async {
        let stream = open(installation, question).await?;
        let (from_server, to_server) = tokio::io::split(stream);
        let _raw = if tty { Some(RawTerminal::enter()?) } else { None };
        let mut places = None;
        tokio::select! {
            ended = receive(from_server, &mut places) => ended?.context(
                "the stream broke off, and the program was ended with it: Bayplan's server was restarted, or has ended; the task was not touched"
            ),
            failed = transmit(to_server, tty) => failed.and_then(|()| bail!("the connection to the server broke")),
        }
    })
}

/// Asks for a task's logs and shows them to their end. When the server or the node's agent is restarted meanwhile, it goes on
/// behind the last line that came.
pub(super) fn logs(installation: &Installation, mut question: Value) -> Result<ExitCode> {
    block_on(async {
        let mut places = None;
        let mut stream = open(installation, &question).await?;
        loop {
            // The way up stays open while it is read: to close it is to have seen enough.
            if let Some(code) = receive(&mut stream, &mut places).await? {
                return Ok(code);
            }
            question["from"] = json!(places);
            stream = reopen(installation, &question).await?;
        }
    })
}

fn block_on(carried: impl Future<Output = Result<i32>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(carried);
    // A read of the terminal may still be under way; nobody waits for it.
    runtime.shutdown_background();
    Ok(ExitCode::from(u8::try_from(code?).unwrap_or(255)))
}

/// Tries until the stream is there again; the last try's error when it takes too long.
async fn reopen(installation: &Installation, question: &Value) -> Result<Opened> {
    let mut last = None;
    let opened = tokio::time::timeout(RESUME, async {
        loop {
            match open(installation, question).await {
                Ok(stream) => return stream,
                Err(error) => last = Some(error),
            }
            // Nothing tells that a server is back but its answer.
            tokio::time::sleep(RETRY).await;
        }
    });
    match opened.await {
        Ok(stream) => Ok(stream),
        Err(_) => Err(last.unwrap_or_else(|| anyhow!("nobody answers")).context("the logs broke off")),
    }
}

type Opened = TokioIo<hyper::upgrade::Upgraded>;

async fn open(installation: &Installation, question: &Value) -> Result<Opened> {
    let stream = admin::connect(installation).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method("POST")
        .uri("/v1/stream")
        .header("host", "bayplan")
        .header("connection", "upgrade")
        .header("upgrade", PROTOCOL)
        .body(Full::new(Bytes::from(serde_json::to_vec(question)?)))?;
    // It takes the sender along: with it goes the connection, unless it was handed over.
    let answer = async move {
        let response = sender.send_request(request).await.context("the server hung up")?;
        if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status();
            let bytes = response.into_body().collect().await.context("the server hung up")?.to_bytes();
            return Err(admin::refusal(status, &bytes));
        }
        hyper::upgrade::on(response).await.context("the server hung up")
    };
    // The connection carries the request, and ends when it is handed over or breaks; both show in the answer.
    let (upgraded, _) = tokio::join!(answer, connection.with_upgrades());
    Ok(TokioIo::new(upgraded?))
}

/// Shows what comes and keeps how far each container's log has come. None when it broke off before its end.
async fn receive(
    mut from: impl AsyncRead + Unpin,
    places: &mut Option<BTreeMap<String, String>>,
) -> Result<Option<i32>> {
    let mut buffer = BytesMut::new();
    // A broken connection and a closed one are the same to a reader.
    while let Ok(Some(Frame { kind })) = read_frame(&mut from, &mut buffer).await {
        match kind {
            Some(frame::Kind::Stdout(bytes)) => pass_on(std::io::stdout(), &bytes)?,
            Some(frame::Kind::Stderr(bytes)) => pass_on(std::io::stderr(), &bytes)?,
            Some(frame::Kind::LogPlaces(begin)) => *places = Some(begin.places),
            Some(frame::Kind::Log(line)) => {
                if line.stderr {
                    pass_on(std::io::stderr(), &line.bytes)?;
                } else {
                    pass_on(std::io::stdout(), &line.bytes)?;
                }
                places.get_or_insert_default().insert(line.container, line.place);
            }
            Some(frame::Kind::End(end)) if end.error.is_empty() => return Ok(Some(end.exit_code)),
            Some(frame::Kind::End(end)) => bail!(end.error),
            _ => {}
        }
    }
    Ok(None)
}

fn pass_on(mut to: impl Write, bytes: &[u8]) -> Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        // Whoever closed it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Sends what is typed and every change of the window; returns only when the connection is broken.
async fn transmit(mut to: impl AsyncWrite + Unpin, tty: bool) -> Result<()> {
    let (typed, mut frames) = mpsc::channel::<frame::Kind>(8);
    #[allow(clippy::disallowed_methods, reason = "ends with the process, which is this one command")]
    tokio::spawn(read_stdin(typed.clone()));
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
