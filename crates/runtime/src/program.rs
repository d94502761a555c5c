//! The last step: environment, look-up of the program in the container's `PATH`, and the exec that replaces us.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::failure::{Stage, StartError};
use crate::protocol::FailureKind;
use crate::spec::DEFAULT_PATH;
use crate::sys::cstr;

/// The environment with `PATH` and `HOME` in it; of the same key the last wins.
pub fn environment(env: &[String], home: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(env.len() + 2);
    for entry in env {
        let key = entry.split_once('=').map_or(entry.as_str(), |(key, _)| key);
        if let Some(known) = all.iter_mut().find(|known| has_key(known, key)) {
            known.clone_from(entry);
        } else {
            all.push(entry.clone());
        }
    }
    for (key, default) in [("PATH", DEFAULT_PATH), ("HOME", home)] {
        if !all.iter().any(|entry| has_key(entry, key)) {
            all.push(format!("{key}={default}"));
        }
    }
    all
}

fn has_key(entry: &str, key: &str) -> bool {
    entry.strip_prefix(key).is_some_and(|rest| rest.starts_with('='))
}

/// The places where a program may be: itself with a `/`, else one per folder of `PATH`.
fn candidates(program: &str, env: &[String]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let join = |folder: &str| if folder.is_empty() { format!("./{program}") } else { format!("{folder}/{program}") };
    path.split(':').map(join).collect()
}

/// Replaces this process; returns only when that is impossible.
///
/// # Errors
/// [`StartError`] of kind [`FailureKind::CommandNotFound`] or [`FailureKind::CommandNotExecutable`].
pub fn exec(argv: &[String], env: &[String]) -> Result<Infallible, StartError> {
    let what = || "an argument or variable holds a NUL byte".to_owned();
    let to_c = |texts: &[String]| texts.iter().map(cstr).collect::<io::Result<Vec<CString>>>();
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return Err(StartError::invalid("exec", "there is no command: neither the image nor the spec names one"));
    };
    let (c_argv, c_env) = (to_c(argv).stage("exec", what)?, to_c(env).stage("exec", what)?);
    let mut refused = None;
    for candidate in candidates(program, env) {
        let path = cstr(&candidate).stage("exec", what)?;
        let error = exec_file(&path, &c_argv, &c_env);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) if !exists(&path) => {}
            Some(libc::ENOENT) => return Err(no_interpreter(&candidate, error)),
            // Another folder of PATH may hold one that we may run.
            Some(libc::EACCES) => refused = Some((candidate, error)),
            _ => return Err(not_executable(&candidate, error)),
        }
    }
    Err(match refused {
        Some((candidate, error)) => not_executable(&candidate, error),
        None => not_found(program),
    })
}

fn not_found(program: &str) -> StartError {
    let what = if program.contains('/') {
        format!("`{program}` is not in the container")
    } else {
        format!("`{program}` is not in any folder of the container's PATH")
    };
    let source = Some(io::Error::from_raw_os_error(libc::ENOENT));
    StartError { kind: FailureKind::CommandNotFound, stage: "exec", what, source }
}

fn no_interpreter(path: &str, error: io::Error) -> StartError {
    let what = format!("`{path}` is there, but not the interpreter or loader that it names");
    StartError { kind: FailureKind::CommandNotFound, stage: "exec", what, source: Some(error) }
}

fn not_executable(path: &str, error: io::Error) -> StartError {
    let what = format!("`{path}` cannot be executed");
    StartError { kind: FailureKind::CommandNotExecutable, stage: "exec", what, source: Some(error) }
}

fn exists(path: &CString) -> bool {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

fn exec_file(path: &CString, argv: &[CString], env: &[CString]) -> io::Error {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: all strings are NUL-terminated, both arrays end in null, and everything outlives the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Replaces this process by an open program.
///
/// # Errors
/// Always, when it returns.
pub fn exec_open(program: &OwnedFd, argv: &[String], env: &[String]) -> io::Result<Infallible> {
    let to_c = |texts: &[String]| texts.iter().map(cstr).collect::<io::Result<Vec<CString>>>();
    let (argv, env) = (to_c(argv)?, to_c(env)?);
    let (argv, env) = (pointers(&argv), pointers(&env));
    // SAFETY: all strings are NUL-terminated, both arrays end in null, and everything outlives the call.
    unsafe {
        let at = libc::AT_EMPTY_PATH;
        libc::syscall(libc::SYS_execveat, program.as_raw_fd(), c"".as_ptr(), argv.as_ptr(), env.as_ptr(), at);
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn path_and_home_are_added_only_when_missing() {
        let env = environment(&own(&["A=1", "HOME=/x", "A=2"]), "/root");
        assert_eq!(env, own(&["A=2", "HOME=/x", &format!("PATH={DEFAULT_PATH}")]));
    }

    #[test]
    fn a_program_with_a_slash_is_not_searched() {
        assert_eq!(candidates("./run", &own(&["PATH=/a"])), own(&["./run"]));
        assert_eq!(candidates("run", &own(&["PATH=/a::/b"])), own(&["/a/run", "./run", "/b/run"]));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = exec(&own(&["no-such-program-anywhere"]), &own(&["PATH=/nowhere"])).unwrap_err();
        assert_eq!(error.kind, FailureKind::CommandNotFound);
        assert!(error.to_string().contains("PATH"));
        let error = exec(&own(&["/etc/passwd"]), &[]).unwrap_err();
        assert_eq!(error.kind, FailureKind::CommandNotExecutable);
    }
}
