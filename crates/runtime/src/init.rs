//! The container's init: pid 1 of ours that starts the program, forwards signals to it and reaps every orphan.
//!
//! It runs from the supervisor's own sealed program, replaced by exec, so that no memory of the supervisor is left.

use std::convert::Infallible;
use std::os::fd::OwnedFd;

use crate::failure::{Stage, StartError};
use crate::program;
use crate::start::adopt;
use crate::status::Reporter;
use crate::sys::check;
use crate::sys::process::{self, Ended};

/// The program name under which [`run`] is reached.
pub const NAME: &str = "bayplan-init";

/// Replaces this process by init, which will run `argv`; empty: it only reaps (a sandbox's first process).
pub(crate) fn exec(
    program: &OwnedFd,
    reporter: &Reporter,
    argv: &[String],
    env: &[String],
) -> Result<Infallible, StartError> {
    let what = || "the container's init cannot be run".to_owned();
    let mut args = vec![NAME.to_owned()];
    if !argv.is_empty() {
        // Survives this exec only: init closes it when the program runs.
        let number = reporter.number();
        // SAFETY: no memory is passed.
        check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }.into()).stage("init", what)?;
        args.push(number.to_string());
        args.extend_from_slice(argv);
    }
    program::exec_open(program, &args, env).stage("init", what)
}

/// Init's whole life; never returns. `args` are those after the program name.
pub fn run(args: &[String], env: &[String]) -> ! {
    process::set_name(c"bayplan-init");
    // Where it is not pid 1, in a shared PID namespace, orphans come to it only so.
    let _ = process::become_subreaper();
    let signals = block_all_signals();
    let main = match args.split_first() {
        Some((status, argv)) => match start_program(status, argv, env) {
            Some(pid) => pid,
            None => process::exit_now(127),
        },
        None => 0,
    };
    loop {
        let mut signal = 0;
        // SAFETY: the set was initialised; `signal` is the number that the call writes.
        unsafe { libc::sigwait(&raw const signals, &raw mut signal) };
        if signal != libc::SIGCHLD {
            if main > 0 {
                let _ = process::kill(main, signal);
            }
            continue;
        }
        while let Ok(Some((pid, ended))) = process::reap(-1) {
            if pid == main {
                process::exit_now(match ended {
                    Ended::Code(code) => code,
                    Ended::Signal(signal) => 128 + signal,
                });
            }
        }
    }
}

fn block_all_signals() -> libc::sigset_t {
    // SAFETY: the set is filled before use and lives across the call.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        all
    }
}

/// Starts the program as init's child; reports its failure and returns `None` when it cannot run.
fn start_program(status: &str, argv: &[String], env: &[String]) -> Option<i32> {
    // SAFETY: the number is the one that `exec` above left open for us alone.
    let reporter = Reporter::from_descriptor(unsafe { adopt(status.parse().ok()?) });
    let _ = process::cloexec_from(3);
    // Plain fork: the filter that is in force already refuses clone3.
    // SAFETY: init is single-threaded, so the child may use all of the copied memory.
    match check(unsafe { libc::fork() }.into()) {
        Ok(0) => {
            // In a shared PID namespace init's death does not end the others.
            let _ = process::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0, 0);
            foreground();
            process::reset_signals();
            let Err(error) = program::exec(argv, env);
            reporter.failed(error);
            process::exit_now(127)
        }
        Ok(pid) => Some(pid as i32),
        Err(e) => {
            let Err(error) = Err::<Infallible, _>(e).stage("init", || "the program's process cannot be made".into());
            reporter.failed(error);
            None
        }
    }
}

/// Makes the program lead the terminal's foreground group, if there is a terminal; signals are still blocked here.
fn foreground() {
    // SAFETY: all three pass plain numbers; they fail harmlessly without a terminal.
    unsafe {
        if libc::isatty(0) == 1 && libc::setpgid(0, 0) == 0 {
            libc::tcsetpgrp(0, libc::getpid());
        }
    }
}

/// What is asked of a program by its arguments: `Some` when it is to be init.
pub fn wanted(args: &[String]) -> Option<&[String]> {
    args.split_first().filter(|(name, _)| *name == NAME).map(|(_, rest)| rest)
}
