//! Starts a container: the parent half prepares and clones, the child half reads as the list of all it does.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::cgroup::{Group, Join};
use crate::failure::{Stage, StartError};
use crate::identity::{self, Change};
use crate::namespaces::{self, Chosen};
use crate::spec::{ContainerSpec, DEFAULT_SHM_BYTES};
use crate::status::{self, Reporter};
use crate::sys::process::{self, Cloned};
use crate::sys::{self, fs};
use crate::{caps, dev, init, mounts, program, pseudo, rootfs, sysctl, terminal, user};

/// Where a container's streams are.
#[derive(Debug)]
pub enum Streams {
    /// stdin, stdout and stderr.
    Pipes([OwnedFd; 3]),
    /// A terminal, made inside; its master comes back with the status.
    Terminal,
}

/// What a start needs besides the spec.
#[derive(Debug)]
pub struct Start<'a> {
    pub spec: &'a ContainerSpec,
    pub group: &'a Group,
    pub namespaces: &'a Chosen,
    /// An empty folder of the host over which the root is built, in the container's mount namespace alone.
    pub place: &'a Path,
    pub streams: &'a Streams,
    /// Devices found by [`dev::find`].
    pub devices: &'a [dev::Found],
    /// The program of this very process, to run as the container's init.
    pub program: &'a OwnedFd,
    /// This very process.
    pub supervisor: &'a OwnedFd,
}

/// A process on its way to its program.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// Read by [`status::read`]: ends without a word once the program runs.
    pub status: OwnedFd,
}

/// Clones the container's first process.
///
/// # Errors
/// [`StartError`] when there is no process at all; all later failures come through [`Child::status`].
///
/// # Safety
/// The caller must be single-threaded: the child uses the copied memory, the allocator included.
pub unsafe fn start(start: &Start<'_>) -> Result<Child, StartError> {
    let join = start.group.open_join().stage("cgroup", || "the container's control group cannot be opened".into())?;
    let begin = |reporter: &Reporter| become_container(start, &join, reporter);
    // SAFETY: single-threaded, as the caller vouches.
    unsafe { spawn(start.namespaces.new, start.namespaces.pid.as_ref(), join.unified.as_ref(), begin) }
}

/// Clones a process into namespaces and a v2 group; it runs `begin`, which returns only to report a failure.
///
/// # Errors
/// [`StartError`] when the kernel makes no process.
///
/// # Safety
/// The caller must be single-threaded.
pub(crate) unsafe fn spawn(
    new: libc::c_int,
    pid_namespace: Option<&OwnedFd>,
    cgroup: Option<&OwnedFd>,
    begin: impl FnOnce(&Reporter) -> Result<Infallible, StartError>,
) -> Result<Child, StartError> {
    let what = || "the kernel made no process".to_owned();
    let (status, reporter) = status::pair().stage("clone", what)?;
    let home = match pid_namespace {
        Some(namespace) => {
            let home = File::open("/proc/self/ns/pid").map(OwnedFd::from).stage("clone", what)?;
            let gone = || "the PID namespace to share cannot be entered".to_owned();
            process::setns(namespace, libc::CLONE_NEWPID).stage("clone", gone)?;
            Some(home)
        }
        None => None,
    };
    // SAFETY: single-threaded, as the caller vouches.
    let cloned = unsafe { process::clone(new, cgroup) };
    if let Ok(Cloned::Child) = &cloned {
        let Err(error) = begin(&reporter);
        reporter.failed(error);
        process::exit_now(127);
    }
    if let Some(home) = home {
        process::setns(&home, libc::CLONE_NEWPID).stage("clone", || "the own PID namespace is lost".into())?;
    }
    match cloned.stage("clone", what)? {
        Cloned::Parent { pid, pidfd } => Ok(Child { pid, pidfd, status }),
        Cloned::Child => process::exit_now(127),
    }
}

/// The child half. Order matters throughout: host things are opened before the host is left, rights go last.
fn become_container(start: &Start<'_>, join: &Join, reporter: &Reporter) -> Result<Infallible, StartError> {
    let Start { spec, namespaces, .. } = start;
    let privileged = spec.security.privileged;
    settle(start.supervisor, join, spec.oom_score_adj)?;
    drop_foreign_descriptors(start, reporter)?;
    enter_namespaces(namespaces, &spec.hostname)?;

    mounts::detach_from_host()?;
    let sources = mounts::open_sources(&spec.mounts)?;
    let shm = namespaces::open_shm(&namespaces.shm, spec.shm_bytes.unwrap_or(DEFAULT_SHM_BYTES))?;
    let root = rootfs::mount_at(&spec.rootfs, start.place)?;
    let proc = pseudo::mount_proc(&root)?;
    pseudo::mount_sys(&root, privileged)?;
    if namespaces.cgroup {
        pseudo::mount_cgroup(&root, start.group.host(), privileged)?;
    }
    let dev = dev::mount(&root, start.devices, &shm)?;
    mounts::mount_all(&root, &spec.mounts, &sources)?;
    let scope = sysctl::Scope { net: namespaces.has_net(), ipc: namespaces.has_ipc() };
    sysctl::write(&proc, &spec.sysctls, scope)?;
    let cwd = mounts::make_dir(&root, &spec.cwd)?;

    let stdio = open_stdio(start, &dev, reporter)?;
    rootfs::enter(&root)?;
    if !privileged {
        pseudo::make_readonly(&root, &spec.security.readonly_paths)?;
        pseudo::mask(&root, &spec.security.masked_paths, &dev.null)?;
    }
    if spec.rootfs.readonly {
        fs::set_mount(&root, fs::ATTR_RDONLY, 0, false)
            .stage("rootfs", || "the root cannot be made read-only".into())?;
    }

    let identity = user::resolve(&root, &spec.user, &spec.additional_groups)?;
    install_stdio(&stdio, &identity)?;
    enter_folder(&cwd, &spec.cwd)?;
    let available = caps::permitted().stage("capabilities", || "the capabilities cannot be read".into())?;
    let capabilities = caps::wanted(&spec.security, available)?;
    identity::change(&Change {
        identity: &identity,
        capabilities,
        security: &spec.security,
        rlimits: &spec.rlimits,
        supervisor: start.supervisor,
    })?;

    process::cloexec_from(3).stage("exec", || "descriptors cannot be marked".into())?;
    let env = program::environment(&spec.env, &identity.home);
    if spec.init {
        return init::exec(start.program, reporter, &spec.argv, &env);
    }
    program::exec(&spec.argv, &env)
}

/// What every new process of ours does first, while it is still in the host's namespaces.
pub(crate) fn settle(supervisor: &OwnedFd, join: &Join, oom_score_adj: i32) -> Result<(), StartError> {
    identity::die_with(supervisor)?;
    process::become_undumpable().stage("clone", || "the process cannot be hidden".into())?;
    process::reset_signals();
    process::setsid().stage("clone", || "a session cannot be made".into())?;
    // SAFETY: the umask is a plain number.
    unsafe { libc::umask(0o022) };
    for mut tasks in &join.tasks {
        tasks.write_all(b"0").stage("cgroup", || "the container's control group cannot be joined".into())?;
    }
    std::fs::write("/proc/self/oom_score_adj", oom_score_adj.to_string())
        .stage("oom", || format!("oom_score_adj cannot be set to {oom_score_adj}"))
}

/// Closes the supervisor's own descriptors: nobody who looks into this process later finds them.
fn drop_foreign_descriptors(start: &Start<'_>, reporter: &Reporter) -> Result<(), StartError> {
    let mut keep = vec![reporter.number(), start.program.as_raw_fd(), start.supervisor.as_raw_fd()];
    keep.extend(start.namespaces.join.iter().map(|(_, fd)| fd.as_raw_fd()));
    if let namespaces::Shm::In { mount_namespace, .. } = &start.namespaces.shm {
        keep.push(mount_namespace.as_raw_fd());
    }
    if let Streams::Pipes(pipes) = start.streams {
        keep.extend(pipes.iter().map(AsRawFd::as_raw_fd));
    }
    // SAFETY: what owns the closed ones is never dropped in this process: it ends by exec or `_exit`.
    unsafe { process::close_all_but(&keep) }.stage("clone", || "descriptors cannot be closed".into())
}

fn enter_namespaces(chosen: &Chosen, hostname: &str) -> Result<(), StartError> {
    for (kind, namespace) in &chosen.join {
        process::setns(namespace, *kind).stage("namespaces", || "a namespace cannot be joined".into())?;
    }
    if chosen.cgroup {
        // After the group was joined, so that it is the namespace's root.
        process::unshare(libc::CLONE_NEWCGROUP).stage("namespaces", || "a cgroup namespace cannot be made".into())?;
    }
    if chosen.new & libc::CLONE_NEWNET != 0 {
        namespaces::loopback_up().stage("namespaces", || "loopback cannot be turned on".into())?;
    }
    if chosen.new & libc::CLONE_NEWUTS != 0 {
        namespaces::set_host_name(hostname)
            .stage("namespaces", || format!("the host name cannot be set to `{hostname}`"))?;
    }
    Ok(())
}

fn open_stdio(start: &Start<'_>, dev: &dev::Dev, reporter: &Reporter) -> Result<[OwnedFd; 3], StartError> {
    let what = || "the container's streams cannot be opened".to_owned();
    match start.streams {
        Streams::Pipes(pipes) => {
            let copy = |fd: &OwnedFd| sys::duplicate(fd).stage("streams", what);
            Ok([copy(&pipes[0])?, copy(&pipes[1])?, copy(&pipes[2])?])
        }
        Streams::Terminal => {
            let made = terminal::open(&dev.folder, start.spec.tty_size)
                .stage("streams", || "a terminal cannot be made".into())?;
            dev::mount_console(dev, &made.slave)?;
            terminal::control(&made.slave).stage("streams", || "the terminal cannot be taken".into())?;
            reporter.terminal(&made.master).stage("streams", || "the terminal cannot be handed over".into())?;
            let copy = || sys::duplicate(&made.slave).stage("streams", what);
            Ok([copy()?, copy()?, made.slave])
        }
    }
}

/// Puts the streams at 0, 1 and 2, owned by the container's user so that it may open `/dev/stdout` again.
pub(crate) fn install_stdio(stdio: &[OwnedFd; 3], identity: &user::Identity) -> Result<(), StartError> {
    for (at, stream) in stdio.iter().enumerate() {
        let is_null = fs::fstat(stream).is_ok_and(|stat| stat.st_rdev == libc::makedev(1, 3));
        if !is_null {
            // Not every kind of stream has an owner to change; then there is nothing to mend.
            let _ = fs::fchown(stream, identity.uid, None);
        }
        sys::install(stream, at as i32).stage("streams", || "the container's streams cannot be installed".into())?;
    }
    Ok(())
}

/// Enters a folder that was opened inside the root, and makes sure that it is inside.
pub(crate) fn enter_folder(folder: &OwnedFd, shown: &str) -> Result<(), StartError> {
    fs::fchdir(folder).stage("cwd", || format!("the working directory {shown} cannot be entered"))?;
    let outside = || StartError::invalid("cwd", format!("the working directory {shown} is outside the container"));
    let here = fs::current_folder().map_err(|_| outside())?;
    if here.starts_with(b"/") { Ok(()) } else { Err(outside()) }
}

/// Takes over descriptor numbers in a replaced program.
///
/// # Safety
/// Nobody else may own the number.
pub(crate) unsafe fn adopt(number: i32) -> OwnedFd {
    // SAFETY: as the caller vouches.
    unsafe { OwnedFd::from_raw_fd(number) }
}
