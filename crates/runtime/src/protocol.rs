//! The words agent and supervisor exchange, and how they become bytes; no sockets here.
//!
//! A frame is a little-endian `u32` length and that many bytes of JSON. Descriptors ride with the first byte of the
//! frame that announces their number in `fds` (`SCM_RIGHTS`); a receiver queues what arrives and takes that many.
//! The language only grows: variants and fields are added, never changed. Any request may be sent again after a
//! reconnect: each is idempotent, by container and attempt where it has one.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::spec::{ContainerSpec, Limits, SandboxSpec, TtySize};

/// The newest language this code speaks.
pub const VERSION: u32 = 1;

/// Longest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// Most descriptors one frame may carry.
pub const MAX_FDS: usize = 8;

/// Agent to supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToSupervisor {
    /// Chosen by the agent; the reply carries it back.
    pub id: u64,
    pub request: Request,
    /// Descriptors that came with this frame.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fds: u8,
}

/// Supervisor to agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToAgent {
    pub body: Body,
    /// Descriptors that came with this frame.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fds: u8,
}

/// Either the answer to one request or news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Reply { id: u64, result: Result<Reply, Failure> },
    Event(Event),
}

/// What the agent may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// First on every connection; makes it the active one. Answer: [`Reply::State`].
    Hello { version: u32 },
    /// Makes the Unit's control group and shared namespaces. Again with the same spec: nothing happens.
    CreateSandbox { spec: SandboxSpec },
    /// Keeps the one attached descriptor (a network namespace, a bound socket) for the Unit's life or until `Release`.
    Hold { name: String },
    /// Lets a held descriptor go.
    Release { name: String },
    /// Records an attempt and makes its control groups and log file.
    Create { attempt: u32, spec: Box<ContainerSpec> },
    /// Starts a created attempt. Answered once the program runs or could not be started. Answer: [`Reply::Started`].
    Start { container: String, attempt: u32 },
    /// Sends any signal, real-time ones too, to the container's first process.
    Signal { container: String, attempt: u32, signal: i32 },
    /// SIGKILL to every process of the container's control group.
    Kill { container: String, attempt: u32 },
    /// Runs a further program in a running container. Answer: [`Reply::ExecStarted`]; its end is [`Event::ExecExited`].
    Exec(Box<ExecSpec>),
    /// SIGKILL to an exec's process.
    KillExec { exec: u64 },
    /// Answer: [`Reply::Attached`] with one descriptor that feeds stdin (or the terminal). One attached descriptor, if
    /// given, receives a copy of all output from now on; it must be non-blocking, what it cannot take is lost.
    Attach { container: String, attempt: u32 },
    /// Sets the terminal size of a container, or of an exec when one is named.
    Resize {
        container: String,
        attempt: u32,
        #[serde(default)]
        exec: Option<u64>,
        size: TtySize,
    },
    /// Writes new limits. `container` absent: those of the whole Unit.
    Update { container: Option<String>, limits: Limits },
    /// Answer: [`Reply::Stats`].
    Stats { container: String },
    /// Forgets exits up to and including this sequence number.
    AckExits { seq: u64 },
    /// Everything before this offset of the attempt's log is shipped; makes room in its spool.
    LogAck { container: String, attempt: u32, offset: u64 },
    /// Forgets an attempt that has ended and removes its control groups; its log file stays. Answered once nothing of it
    /// is left, so that its layers may be deleted. An attempt that runs is a conflict: kill it first.
    Remove { container: String, attempt: u32 },
    /// Ends the supervisor; refused while an attempt runs. Removes control groups and the socket.
    Shutdown,
    /// Replaces the supervisor's program by the attached sealed descriptor (`SealedImage::descriptor`); children and
    /// descriptors stay. Answered only when it fails: otherwise the connection ends and the new program takes the next.
    /// A conflict while a start, an exec or a removal is under way.
    Upgrade,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done,
    State(Box<State>),
    Started { pid: i32, started_at_unix_ms: u64 },
    ExecStarted { exec: u64, pid: i32 },
    Attached,
    Stats(Stats),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// Plain words: what failed and why.
    pub message: String,
    /// The step of a start that failed, such as `user`, `rootfs`, `exec`.
    #[serde(default)]
    pub stage: Option<String>,
    #[serde(default)]
    pub errno: Option<i32>,
}

/// Classes of failure that a caller treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request or spec makes no sense: the caller's fault, do not repeat.
    Invalid,
    /// No such container, attempt, exec or held descriptor.
    NotFound,
    /// Not in the state that the request needs.
    Conflict,
    /// The program is not in the container (a shell would say 127).
    CommandNotFound,
    /// The program cannot be executed (a shell would say 126).
    CommandNotExecutable,
    /// The host refused: a missing right, feature or resource.
    System,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    Started {
        container: String,
        attempt: u32,
        pid: i32,
        started_at_unix_ms: u64,
    },
    /// Repeated in [`State::exits`] until acknowledged.
    Exited(Exit),
    ExecExited(ExecExit),
    /// Running totals of what a non-blocking spool has dropped.
    LogDropped {
        container: String,
        attempt: u32,
        lines: u64,
        bytes: u64,
    },
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Counts the Unit's exits from 1.
    pub seq: u64,
    pub container: String,
    pub attempt: u32,
    /// Exit code, when it ended by itself.
    pub code: Option<i32>,
    /// Signal, when one ended it (a shell would say 128 + signal).
    pub signal: Option<i32>,
    /// A process of this container was killed for want of memory.
    pub oom_killed: bool,
    pub finished_at_unix_ms: u64,
}

/// What to run besides a container's own program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// Chosen by the agent, unique while it runs.
    pub exec: u64,
    pub container: String,
    pub argv: Vec<String>,
    /// Added to the container's own environment; same keys win.
    pub env: Vec<String>,
    /// The container's when empty.
    pub cwd: String,
    /// The container's when empty.
    pub user: String,
    pub tty: bool,
    pub tty_size: TtySize,
    /// Killed after this long; 0 never.
    pub timeout_ms: u64,
    pub io: ExecIo,
    /// With all capabilities, without seccomp.
    pub privileged: bool,
}

/// Where an exec's streams go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecIo {
    /// Kept, stdout and stderr together, up to this many bytes, and handed over with [`Event::ExecExited`].
    Capture { max_bytes: u32 },
    /// Three attached descriptors become stdin, stdout and stderr; not for a terminal.
    Passed,
    /// The reply brings them: stdin, stdout, stderr; or the one terminal.
    Returned,
}

impl Default for ExecIo {
    fn default() -> Self {
        Self::Capture { max_bytes: 0 }
    }
}

/// The end of an exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecExit {
    pub exec: u64,
    pub container: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub timed_out: bool,
    /// What was captured, as text; invalid UTF-8 is replaced.
    pub output: String,
    /// There was more than `max_bytes`.
    pub truncated: bool,
}

/// All that a supervisor knows: the answer to `Hello`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The newest language the supervisor speaks.
    pub version: u32,
    pub pid: i32,
    /// The kernel's boot id: a saved state with another one is of an earlier boot.
    pub boot_id: String,
    pub started_at_unix_ms: u64,
    pub sandbox: Option<SandboxSpec>,
    pub containers: Vec<ContainerState>,
    /// Not yet acknowledged, oldest first.
    pub exits: Vec<Exit>,
    pub execs: Vec<u64>,
    /// Names of held descriptors.
    pub held: Vec<String>,
}

/// One container's latest attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    pub container: String,
    pub attempt: u32,
    pub status: Status,
    pub spec: ContainerSpec,
    pub log: LogState,
}

/// How far an attempt has come; only advances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Created,
    /// The program is being started.
    Starting,
    Running {
        pid: i32,
        started_at_unix_ms: u64,
    },
    /// Could not be started; there was no process, so there is no exit.
    StartFailed(Failure),
    Exited(Exit),
}

/// Where an attempt's log stands. Offsets count the bytes of its log file since the attempt began, across rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogState {
    /// Length of the file when the attempt began: offset 0 lies there.
    pub file_start: u64,
    /// Written so far.
    pub written: u64,
    /// Covered by `LogAck`.
    pub acked: u64,
    pub dropped_lines: u64,
    pub dropped_bytes: u64,
    /// How often the file was rotated.
    pub rotations: u64,
}

/// One reading of a container's control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    pub cpu_ns: u64,
    pub memory_bytes: u64,
    /// Page cache that the kernel may take back at once, in `memory_bytes`.
    pub memory_inactive_file_bytes: u64,
    pub memory_max_seen_bytes: u64,
    /// Absent: unlimited.
    pub memory_limit_bytes: Option<u64>,
    pub pids: u64,
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLong(usize),
    #[error("a frame is not a message of this protocol")]
    Malformed(#[source] serde_json::Error),
}

/// Turns a message into one frame.
///
/// # Errors
/// [`FrameError::TooLong`] when it would not be accepted.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Malformed)?;
    let len = frame.len() - 4;
    if len > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(len));
    }
    frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(frame)
}

/// Takes the first whole frame out of `buffer`; `None` when more bytes are needed.
///
/// # Errors
/// [`FrameError`] when the stream is beyond repair; the connection must be closed.
pub fn decode<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<T>, FrameError> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*head) as usize;
    if len > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(len));
    }
    let Some(body) = buffer.get(4..4 + len) else { return Ok(None) };
    let message = serde_json::from_slice(body).map_err(FrameError::Malformed)?;
    buffer.drain(..4 + len);
    Ok(Some(message))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u8) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_and_in_order_however_they_arrive() {
        let first = ToSupervisor { id: 1, request: Request::Hello { version: VERSION }, fds: 0 };
        let second = ToSupervisor { id: 2, request: Request::Hold { name: "net".into() }, fds: 1 };
        let mut wire = encode(&first).unwrap();
        wire.extend(encode(&second).unwrap());
        let (mut buffer, mut seen) = (Vec::new(), Vec::new());
        for byte in wire {
            buffer.push(byte);
            while let Some(message) = decode::<ToSupervisor>(&mut buffer).unwrap() {
                seen.push(message);
            }
        }
        assert_eq!(seen, [first, second]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_its_bytes_arrive() {
        let mut buffer = (MAX_FRAME_BYTES as u32 + 1).to_le_bytes().to_vec();
        assert!(matches!(decode::<ToSupervisor>(&mut buffer), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_failure_keeps_its_words_and_class() {
        let failure = Failure {
            kind: FailureKind::CommandNotFound,
            message: "no /bin/nope in the container".into(),
            stage: Some("exec".into()),
            errno: Some(libc::ENOENT),
        };
        let sent = ToAgent { body: Body::Reply { id: 9, result: Err(failure) }, fds: 0 };
        let mut wire = encode(&sent).unwrap();
        assert_eq!(decode::<ToAgent>(&mut wire).unwrap(), Some(sent));
    }

    #[test]
    fn an_unknown_field_of_a_newer_peer_is_passed_over() {
        let text = r#"{"id":3,"request":{"hello":{"version":2,"mood":"good"}},"later":true}"#;
        let message: ToSupervisor = serde_json::from_str(text).unwrap();
        assert_eq!(message.request, Request::Hello { version: 2 });
    }
}
