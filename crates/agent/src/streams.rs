//! Interactive streams: exec of a Unit, relayed between its supervisor and the server; logs have a file of their own.

mod logs;

use crate::context::NodeContext;
use crate::directory::Entry;
use model::UnitUid;
use runtime::protocol::{ExecIo, ExecSpec, Reply, Request};
use runtime::spec::TtySize;
use session::client::SessionSender;
use session::wire::{End, Frame, frame};
use session::{ExecRequest, StreamRequest};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

const CHUNK: usize = 32 << 10;
/// How long a user waits for a Unit that an agent has just begun, or begun to go on with.
const REACH: Duration = Duration::from_secs(10);

type Out = mpsc::Sender<Frame>;

/// Dials the stream that the server asked for and serves it to its end.
pub(crate) async fn answer(node: Arc<NodeContext>, sender: SessionSender, id: u64, request: StreamRequest) {
    let Ok((out, mut incoming)) = sender.open_stream(id).await else { return };
    let done = match request {
        StreamRequest::Exec(request) => exec(&node, request, &out, &mut incoming).await,
        StreamRequest::Logs(request) => logs::send(&node, request, &out).await.map(|()| 0),
    };
    let end = match done {
        Ok(exit_code) => End { exit_code, error: String::new() },
        Err(words) => End { exit_code: 1, error: words },
    };
    // Nobody listens any more: then nobody misses it.
    let _ = out.send(frame::Kind::End(end).into()).await;
    drop(out);
    // To let go of the stream now would take back what is still on its way: the server lets go first.
    while let Ok(Some(_)) = incoming.message().await {}
}

/// The container that is meant: the named one, or the only one.
fn choose(entry: &Entry, named: Option<&str>) -> Result<(String, u32), String> {
    let names = || entry.containers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    match (named, entry.containers.as_slice()) {
        (Some(name), all) => {
            let found = all.iter().find(|(known, _)| known == name).cloned();
            found.ok_or_else(|| format!("the task has no container {name}; it has: {}", names()))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(format!("the task has several containers; name one of: {}", names())),
    }
}

/// The Unit's entry. An agent that has just come back has Units that it knows and cannot reach yet.
async fn reach(node: &NodeContext, uid: &UnitUid) -> Result<Entry, String> {
    let not_running = || "the task is not running; `bayplan why` says why".to_owned();
    let mut unit = node.directory.follow(uid).ok_or_else(not_running)?;
    match tokio::time::timeout(REACH, unit.wait_for(Option::is_some)).await {
        Ok(entered) => entered.ok().and_then(|entry| entry.clone()).ok_or_else(not_running),
        Err(_) => Err("the task's containers are not started yet; `bayplan why` says what it waits for".to_owned()),
    }
}

async fn exec(
    node: &NodeContext,
    request: ExecRequest,
    out: &Out,
    incoming: &mut tonic::Streaming<Frame>,
) -> Result<i32, String> {
    let entry = reach(node, &request.unit).await?;
    let (container, attempt) = choose(&entry, request.container.as_deref())?;
    let (exec, ended) = node.directory.begin_exec(&request.unit);
    let (stdin, outputs) = start_exec(&entry, exec, &container, &request).await?;
    let output = async {
        let mut pumps = tokio::task::JoinSet::new();
        for (fd, stderr) in outputs {
            pumps.spawn(pump(fd, stderr, out.clone()));
        }
        while pumps.join_next().await.is_some() {}
    };
    let exit = async {
        let ((), ended) = tokio::join!(output, ended);
        ended.map_err(|_| "the task ended while the program ran".to_owned())
    };
    let resize = |size| Request::Resize { container: container.clone(), attempt, exec: Some(exec), size };
    let input = feed(&entry, stdin, request.tty, resize, incoming);
    tokio::pin!(exit, input);
    let mut input_over = false;
    loop {
        tokio::select! {
            exit = &mut exit => {
                let exit = exit?;
                return Ok(exit.code.or(exit.signal.map(|s| 128 + s)).unwrap_or(255));
            }
            () = &mut input, if !input_over => {
                input_over = true;
                if out.is_closed() {
                    // The user has gone, and what was started for them goes too. It may have ended by itself.
                    let _ = entry.link.tell(Request::KillExec { exec }).await;
                }
            }
        }
    }
}

type Watched = AsyncFd<OwnedFd>;

/// Starts the program; answers its input, if it has any, and its outputs with whether each is its stderr.
async fn start_exec(
    entry: &Entry,
    exec: u64,
    container: &str,
    request: &ExecRequest,
) -> Result<(Option<Watched>, Vec<(Watched, bool)>), String> {
    let spec = ExecSpec {
        exec,
        container: container.to_owned(),
        argv: request.command.clone(),
        env: request.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        cwd: request.working_dir.clone().unwrap_or_default(),
        user: request.user.clone().unwrap_or_default(),
        tty: request.tty,
        io: ExecIo::Returned,
        ..ExecSpec::default()
    };
    let started = entry.link.call(Request::Exec(Box::new(spec)), Vec::new()).await.map_err(|e| e.to_string())?;
    let (Reply::ExecStarted { .. }, mut fds) = started else {
        return Err("the supervisor answered something else".to_owned());
    };
    let open = |fd| open(fd).map_err(|e| format!("the program's streams cannot be used: {e}"));
    if request.tty {
        let terminal = fds.pop().ok_or("the supervisor gave no terminal")?;
        let copy = terminal.try_clone().map_err(|e| format!("the program's terminal cannot be used: {e}"))?;
        return Ok((Some(open(copy)?), vec![(open(terminal)?, false)]));
    }
    let [input, output, errors] = <[OwnedFd; 3]>::try_from(fds).map_err(|_| "the supervisor gave no streams")?;
    let input = if request.stdin { Some(open(input)?) } else { None };
    Ok((input, vec![(open(output)?, false), (open(errors)?, true)]))
}

/// Carries what the user types, and window changes, until the user has gone.
async fn feed(
    entry: &Entry,
    mut stdin: Option<Watched>,
    tty: bool,
    resize: impl Fn(TtySize) -> Request,
    incoming: &mut tonic::Streaming<Frame>,
) {
    while let Ok(Some(Frame { kind })) = incoming.message().await {
        match kind {
            Some(frame::Kind::Stdin(bytes)) => {
                if let Some(fd) = &stdin
                    && write_all(fd, &bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            Some(frame::Kind::StdinEnd(_)) if !tty => stdin = None,
            Some(frame::Kind::Resize(size)) => {
                let size = TtySize { rows: size.rows as u16, cols: size.columns as u16 };
                // A program that has just ended has no window.
                let _ = entry.link.tell(resize(size)).await;
            }
            _ => {}
        }
    }
}

fn open(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    crate::ready::watch(fd)
}

async fn pump(fd: AsyncFd<OwnedFd>, stderr: bool, out: Out) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(mut ready) = fd.readable().await else { return };
        let got = match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut chunk)?)) {
            Ok(Ok(0)) | Ok(Err(_)) => return,
            Ok(Ok(got)) => got,
            Err(_would_block) => continue,
        };
        let bytes = chunk[..got].to_vec();
        let kind = if stderr { frame::Kind::Stderr(bytes) } else { frame::Kind::Stdout(bytes) };
        if out.send(kind.into()).await.is_err() {
            return;
        }
    }
}

async fn write_all(fd: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut ready = fd.writable().await?;
        match ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
            Ok(wrote) => bytes = &bytes[wrote?..],
            Err(_would_block) => {}
        }
    }
    Ok(())
}
