//! Interactive streams: exec and logs of a Unit, relayed between its supervisor or files and the server.

use crate::context::NodeContext;
use crate::directory::Entry;
use crate::tail::{Changes, Line, Tail};
use runtime::protocol::{ExecIo, ExecSpec, Reply, Request};
use runtime::spec::TtySize;
use session::client::SessionSender;
use session::wire::{End, Frame, frame};
use session::{ExecRequest, LogsRequest, StreamRequest};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

const CHUNK: usize = 32 << 10;
/// Lines read from a log file at once.
const LINES: usize = 500;

type Out = mpsc::Sender<Frame>;

/// Dials the stream that the server asked for and serves it to its end.
pub(crate) async fn answer(node: Arc<NodeContext>, sender: SessionSender, id: u64, request: StreamRequest) {
    let Ok((out, mut incoming)) = sender.open_stream(id).await else { return };
    let done = match request {
        StreamRequest::Exec(request) => exec(&node, request, &out, &mut incoming).await,
        StreamRequest::Logs(request) => logs(&node, request, &out).await.map(|()| 0),
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

async fn exec(
    node: &NodeContext,
    request: ExecRequest,
    out: &Out,
    incoming: &mut tonic::Streaming<Frame>,
) -> Result<i32, String> {
    let unit = node.directory.follow(&request.unit).ok_or("the task is not running; `bayplan why` says why")?;
    let entry = unit.borrow().clone();
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

/// Sends the logs of one or all containers, oldest line first, and with `follow` whatever comes until the Unit ends.
async fn logs(node: &NodeContext, request: LogsRequest, out: &Out) -> Result<(), String> {
    let dir = node.config.logs_dir().join(request.unit.as_str());
    let words = |e: io::Error| format!("the task's logs cannot be read: {e}");
    let changes = Changes::of(&dir).map_err(|_| "the task has no logs on this node".to_owned())?;
    let mut unit = node.directory.follow(&request.unit);
    let mut sources = Vec::new();
    open_new(&dir, &request, &mut sources).map_err(words)?;
    if sources.is_empty() && request.container.is_some() {
        return Err("the task has no logs of that container".to_owned());
    }
    first(&mut sources, &request, out).await.map_err(words)?;
    if request.follow {
        follow(&dir, &request, &mut sources, &changes, &mut unit, out).await.map_err(words)?;
    }
    for source in &mut sources {
        let rest = source.tail.rest();
        send(out, source, &request, rest).await;
    }
    Ok(())
}

/// Sends what comes until the Unit has ended, or its reader has gone.
async fn follow(
    dir: &Path,
    request: &LogsRequest,
    sources: &mut Vec<Source>,
    changes: &Changes,
    unit: &mut Option<watch::Receiver<Entry>>,
    out: &Out,
) -> io::Result<()> {
    let mut last_round = false;
    loop {
        if drain(sources, request, out).await? {
            continue;
        }
        if last_round || out.is_closed() {
            return Ok(());
        }
        tokio::select! {
            changed = changes.next() => {
                changed?;
                open_new(dir, request, sources)?;
            }
            () = ended(unit) => last_round = true,
            () = out.closed() => return Ok(()),
        }
    }
}

/// Until the Unit has ended; at once if it had ended before.
async fn ended(unit: &mut Option<watch::Receiver<Entry>>) {
    if let Some(unit) = unit {
        while unit.changed().await.is_ok() {}
    }
}

struct Source {
    name: String,
    /// Several containers speak: each line says whose it is.
    labelled: bool,
    path: PathBuf,
    tail: Tail,
}

/// Opens the logs that are there and not open yet.
fn open_new(dir: &Path, request: &LogsRequest, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "log"));
    paths.sort();
    for path in paths {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let wanted = request.container.as_ref().is_none_or(|c| *c == name);
        if wanted && !sources.iter().any(|s| s.path == path) {
            sources.push(Source { name, labelled: true, tail: Tail::from_start(&path)?, path });
        }
    }
    if let [only] = sources.as_mut_slice() {
        only.labelled = false;
    }
    Ok(())
}

/// What was written so far, all containers' lines in the order of time, cut to the tail that was asked for.
async fn first(sources: &mut [Source], request: &LogsRequest, out: &Out) -> io::Result<()> {
    let mut all: Vec<(usize, Line)> = Vec::new();
    for (index, source) in sources.iter_mut().enumerate() {
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let next = source.tail.read(LINES)?;
            if next.is_empty() {
                break;
            }
            lines.extend(next);
            if let Some(tail) = request.tail {
                let excess = lines.len().saturating_sub(tail as usize);
                lines.drain(..excess);
            }
        }
        all.extend(lines.into_iter().map(|line| (index, line)));
    }
    all.sort_by_key(|(_, line)| line.timestamp_ms);
    for (index, line) in all {
        // A user who has gone is noticed by whoever waits next.
        let _ = out.send(format_line(&sources[index], request, &line)).await;
    }
    Ok(())
}

async fn drain(sources: &mut [Source], request: &LogsRequest, out: &Out) -> io::Result<bool> {
    let mut wrote = false;
    for source in sources.iter_mut() {
        let lines = source.tail.read(LINES)?;
        wrote |= !lines.is_empty();
        send(out, source, request, lines).await;
    }
    Ok(wrote)
}

async fn send(out: &Out, source: &Source, request: &LogsRequest, lines: Vec<Line>) {
    for line in lines {
        // A user who has gone is noticed by whoever waits next.
        let _ = out.send(format_line(source, request, &line)).await;
    }
}

fn format_line(source: &Source, request: &LogsRequest, line: &Line) -> Frame {
    if request.json {
        let stream = if line.stderr { "stderr" } else { "stdout" };
        let object = serde_json::json!({
            "container": source.name,
            "stream": stream,
            "timestampMs": line.timestamp_ms,
            "message": line.text,
        });
        return frame::Kind::Stdout(format!("{object}\n").into_bytes()).into();
    }
    let time = jiff::Timestamp::from_millisecond(line.timestamp_ms as i64).unwrap_or_default();
    let time = if request.timestamps { format!("{time:.3} ") } else { String::new() };
    let name = if source.labelled { format!("{}  ", source.name) } else { String::new() };
    let bytes = format!("{time}{name}{}\n", line.text).into_bytes();
    if line.stderr { frame::Kind::Stderr(bytes).into() } else { frame::Kind::Stdout(bytes).into() }
}
