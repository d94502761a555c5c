//! The logs of a Unit's containers, from the node's own files to whoever reads them: what was written, and what comes.

use super::Out;
use crate::context::NodeContext;
use crate::directory::Entry;
use crate::tail::{Bookmark, Changes, Line, Tail};
use session::LogsRequest;
use session::wire::{Frame, LogLine, LogPlaces, frame};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Lines read from a log file at once.
const LINES: usize = 500;

/// Sends the logs of one or all containers, oldest line first, and with `follow` whatever comes until the Unit ends.
pub(super) async fn send(node: &NodeContext, request: LogsRequest, out: &Out) -> Result<(), String> {
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
        send_lines(out, source, &request, rest).await;
    }
    Ok(())
}

/// Sends what comes until the Unit has ended, or its reader has gone.
async fn follow(
    dir: &Path,
    request: &LogsRequest,
    sources: &mut Vec<Source>,
    changes: &Changes,
    unit: &mut Option<watch::Receiver<Option<Entry>>>,
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
async fn ended(unit: &mut Option<watch::Receiver<Option<Entry>>>) {
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
            let tail = match request.from.as_ref().and_then(|places| places.get(&name)) {
                Some(place) => Tail::resume(&path, place.parse().map_err(io::Error::other)?)?,
                None => Tail::from_start(&path)?,
            };
            sources.push(Source { name, labelled: true, tail, path });
        }
    }
    if let [only] = sources.as_mut_slice() {
        only.labelled = false;
    }
    Ok(())
}

/// What was written so far, all containers' lines in the order of time, cut to the tail that was asked for; before it, from
/// where each container's goes on.
async fn first(sources: &mut [Source], request: &LogsRequest, out: &Out) -> io::Result<()> {
    let tail = request.tail.filter(|_| request.from.is_none()).map(|tail| tail as usize);
    let mut places = BTreeMap::new();
    let mut all: Vec<(u64, usize, Line)> = Vec::new();
    for (index, source) in sources.iter_mut().enumerate() {
        let (begin, lines) = read_all(&mut source.tail, tail)?;
        places.insert(source.name.clone(), begin.to_string());
        // Behind a line lies everything before it of its container: their order stays, whatever their times say.
        let mut latest = 0;
        all.extend(lines.into_iter().map(|line| {
            latest = line.timestamp_ms.max(latest);
            (latest, index, line)
        }));
    }
    all.sort_by_key(|(time, ..)| *time);
    // A user who has gone is noticed by whoever waits next.
    let _ = out.send(frame::Kind::LogPlaces(LogPlaces { places }).into()).await;
    for (_, index, line) in all {
        let _ = out.send(frame_of(&sources[index], request, &line)).await;
    }
    Ok(())
}

/// The lines that are there, at most the last `keep`, and from where they are read.
fn read_all(tail: &mut Tail, keep: Option<usize>) -> io::Result<(Bookmark, Vec<Line>)> {
    let (mut begin, mut lines) = (tail.bookmark(), Vec::new());
    loop {
        let next = tail.read(LINES)?;
        if next.is_empty() {
            return Ok((begin, lines));
        }
        lines.extend(next);
        let excess = keep.map_or(0, |keep| lines.len().saturating_sub(keep));
        if let Some(last) = lines.drain(..excess).next_back() {
            begin = last.bookmark;
        }
    }
}

async fn drain(sources: &mut [Source], request: &LogsRequest, out: &Out) -> io::Result<bool> {
    let mut wrote = false;
    for source in sources.iter_mut() {
        let lines = source.tail.read(LINES)?;
        wrote |= !lines.is_empty();
        send_lines(out, source, request, lines).await;
    }
    Ok(wrote)
}

async fn send_lines(out: &Out, source: &Source, request: &LogsRequest, lines: Vec<Line>) {
    for line in lines {
        // A user who has gone is noticed by whoever waits next.
        let _ = out.send(frame_of(source, request, &line)).await;
    }
}

fn frame_of(source: &Source, request: &LogsRequest, line: &Line) -> Frame {
    let (bytes, stderr) = if request.json {
        // All of it is data, and goes where data goes.
        (json(source, line), false)
    } else {
        (text(source, request, line), line.stderr)
    };
    frame::Kind::Log(LogLine { bytes, stderr, container: source.name.clone(), place: line.bookmark.to_string() }).into()
}

fn json(source: &Source, line: &Line) -> Vec<u8> {
    let stream = if line.stderr { "stderr" } else { "stdout" };
    let object = serde_json::json!({
        "container": source.name,
        "stream": stream,
        "timestampMs": line.timestamp_ms,
        "message": line.text,
    });
    format!("{object}\n").into_bytes()
}

fn text(source: &Source, request: &LogsRequest, line: &Line) -> Vec<u8> {
    let time = jiff::Timestamp::from_millisecond(line.timestamp_ms as i64).unwrap_or_default();
    let time = if request.timestamps { format!("{time:.3} ") } else { String::new() };
    let name = if source.labelled { format!("{}  ", source.name) } else { String::new() };
    format!("{time}{name}{}\n", line.text).into_bytes()
}
