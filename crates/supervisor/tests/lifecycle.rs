//! A container from start to end: exit codes, signals, failures to start, attempts, reconnects, what is left behind.

mod support;

use runtime::client::Client;
use runtime::protocol::{FailureKind, Reply, Request, Status};
use support::{PATIENCE, Unit, lines, refusal, until};

#[test]
fn a_program_s_output_and_exit_code_come_back() {
    let mut unit = Unit::new();
    let spec = unit.spec("web", &["echo", "hello", "world"]);
    let (exit, lines) = unit.run(&spec);
    assert_eq!(lines, ["hello world"]);
    assert_eq!((exit.code, exit.signal, exit.oom_killed, exit.seq), (Some(0), None, false, 1));
    let spec = unit.spec("other", &["exit", "37"]);
    let (exit, _) = unit.run(&spec);
    assert_eq!((exit.code, exit.seq), (Some(37), 2));
}
