//! Runs a further program inside a running container, by its rules; and the quiet first process of a shared PID namespace.

use std::convert::Infallible;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::cgroup::{Group, Join};
use crate::failure::{Stage, StartError};
use crate::identity::{self, Change};
use crate::namespaces;
use crate::protocol::ExecSpec;
use crate::spec::{ContainerSpec, Security};
use crate::start::{Child, Streams, enter_folder, install_stdio, settle, spawn};
use crate::status::Reporter;
use crate::sys::{self, fs, process};
use crate::user::Identity;
use crate::{caps, init, mounts, program, rootfs, terminal, user};

/// What an exec needs besides its spec.
#[derive(Debug)]
pub struct Exec<'a> {
    pub spec: &'a ExecSpec,
    pub container: &'a ContainerSpec,
    pub group: &'a Group,
    /// The container's first process, not yet reaped.
    pub pid: i32,
    pub pidfd: &'a OwnedFd,
    pub streams: &'a Streams,
    /// This very process.
    pub supervisor: &'a OwnedFd,
}

/// Clones a process into a running container.
///
/// # Errors
/// [`StartError`] when there is no process at all; all later failures come through [`Child::status`].
///
/// # Safety
/// The caller must be single-threaded.
pub unsafe fn exec(exec: &Exec<'_>) -> Result<Child, StartError> {
    let join = exec.group.open_join().stage("cgroup", || "the container's control group cannot be opened".into())?;
    let namespace = namespaces::of_process(exec.pid, "pid")
        .map_err(|_| StartError::conflict("namespaces", format!("container `{}` does not run", exec.container.name)))?;
    let begin = |reporter: &Reporter| enter_container(exec, &join, reporter);
    // SAFETY: single-threaded, as the caller vouches.
    unsafe { spawn(0, Some(&namespace), join.unified.as_ref(), begin) }
}

fn enter_container(exec: &Exec<'_>, join: &Join, reporter: &Reporter) -> Result<Infallible, StartError> {
    let Exec { spec, container, .. } = exec;
    settle(exec.supervisor, join, container.oom_score_adj)?;
    let mut keep = vec![reporter.number(), exec.supervisor.as_raw_fd(), exec.pidfd.as_raw_fd()];
    if let Streams::Pipes(pipes) = exec.streams {
        keep.extend(pipes.iter().map(AsRawFd::as_raw_fd));
    }
    // SAFETY: what owns the closed ones is never dropped in this process: it ends by exec or `_exit`.
    unsafe { process::close_all_but(&keep) }.stage("clone", || "descriptors cannot be closed".into())?;

    // By the descriptor of the process: all or none, and of nobody else.
    let kinds =
        libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
    process::setns(exec.pidfd, kinds).stage("namespaces", || "the container's namespaces cannot be entered".into())?;
    let root = fs::open_path("/").stage("rootfs", || "the container's root cannot be opened".into())?;
    let stdio = open_stdio(exec, &root, reporter)?;

    let own = |text: &String, default: &String| if text.is_empty() { default.clone() } else { text.clone() };
    let identity = user::resolve(&root, &own(&spec.user, &container.user), &container.additional_groups)?;
    install_stdio(&stdio, &identity)?;
    let shown = own(&spec.cwd, &container.cwd);
    let missing = || StartError::invalid("cwd", format!("the working directory {shown} is not in the container"));
    let cwd = mounts::find(&root, &shown, "cwd")?.ok_or_else(missing)?;
    enter_folder(&cwd, &shown)?;

    let mut security = container.security.clone();
    security.privileged |= spec.privileged;
    let available = caps::permitted().stage("capabilities", || "the capabilities cannot be read".into())?;
    identity::change(&Change {
        identity: &identity,
        capabilities: caps::wanted(&security, available)?,
        security: &security,
        rlimits: &container.rlimits,
        supervisor: exec.supervisor,
    })?;
    process::cloexec_from(3).stage("exec", || "descriptors cannot be marked".into())?;
    let both: Vec<String> = container.env.iter().chain(&spec.env).cloned().collect();
    program::exec(&spec.argv, &program::environment(&both, &identity.home))
}

fn open_stdio(exec: &Exec<'_>, root: &OwnedFd, reporter: &Reporter) -> Result<[OwnedFd; 3], StartError> {
    let what = || "the program's streams cannot be opened".to_owned();
    let copy = |fd: &OwnedFd| sys::duplicate(fd).stage("streams", what);
    match exec.streams {
        Streams::Pipes(pipes) => Ok([copy(&pipes[0])?, copy(&pipes[1])?, copy(&pipes[2])?]),
        Streams::Terminal => {
            let no_terminal = || "a terminal cannot be made in the container".to_owned();
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            let dev = fs::openat2(root, "dev", flags, fs::IN_ROOT | fs::NO_SYMLINKS).stage("streams", no_terminal)?;
            let made = terminal::open(&dev, exec.spec.tty_size).stage("streams", no_terminal)?;
            terminal::control(&made.slave).stage("streams", || "the terminal cannot be taken".into())?;
            reporter.terminal(&made.master).stage("streams", || "the terminal cannot be handed over".into())?;
            Ok([copy(&made.slave)?, copy(&made.slave)?, made.slave])
        }
    }
}

/// Clones the first process of a Unit's shared PID namespace: our init with nothing to run, no rights and no files.
///
/// # Errors
/// As [`exec`].
///
/// # Safety
/// The caller must be single-threaded.
pub unsafe fn hold_pid_namespace(
    group: &Group,
    place: &Path,
    program: &OwnedFd,
    supervisor: &OwnedFd,
) -> Result<Child, StartError> {
    let join = group.open_join().stage("cgroup", || "the sandbox's control group cannot be opened".into())?;
    let begin = |reporter: &Reporter| become_reaper(&join, place, program, supervisor, reporter);
    // SAFETY: single-threaded, as the caller vouches.
    unsafe { spawn(libc::CLONE_NEWNS | libc::CLONE_NEWPID, None, join.unified.as_ref(), begin) }
}

fn become_reaper(
    join: &Join,
    place: &Path,
    program: &OwnedFd,
    supervisor: &OwnedFd,
    reporter: &Reporter,
) -> Result<Infallible, StartError> {
    const NOBODY: u32 = 65_534;
    settle(supervisor, join, 0)?;
    // SAFETY: what owns the closed ones is never dropped in this process: it ends by exec or `_exit`.
    unsafe { process::close_all_but(&[reporter.number(), program.as_raw_fd(), supervisor.as_raw_fd()]) }
        .stage("clone", || "descriptors cannot be closed".into())?;
    let null = sys::dev_null().stage("streams", || "the host has no /dev/null".into())?;
    for at in 0..3 {
        sys::install(&null, at).stage("streams", || "streams cannot be installed".into())?;
    }
    mounts::detach_from_host()?;
    let what = || "the sandbox's empty root cannot be made".to_owned();
    let empty = mounts::tmpfs(Some(4096), 0o555, &["ro".to_owned()], "the sandbox's root")?;
    fs::open_path(place).and_then(|at| fs::attach_mount(&empty, &at)).stage("rootfs", what)?;
    rootfs::enter(&empty)?;
    identity::change(&Change {
        identity: &Identity { uid: NOBODY, gid: NOBODY, groups: Vec::new(), home: "/".to_owned() },
        capabilities: 0,
        security: &Security { no_new_privs: true, ..Security::default() },
        rlimits: &[],
        supervisor,
    })?;
    process::cloexec_from(3).stage("exec", || "descriptors cannot be marked".into())?;
    init::exec(program, reporter, &[], &[])
}
