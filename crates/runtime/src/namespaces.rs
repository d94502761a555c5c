//! Which namespaces a container gets: made, joined, or the host's; and those that a Unit's sandbox holds.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::failure::{Stage, StartError};
use crate::protocol::FailureKind;
use crate::spec::{Namespace, Namespaces, SandboxSpec};
use crate::sys::{check, cstr, fs, owned, process};
use crate::{mounts, sysctl};

/// Where `/dev/shm` comes from; it goes with the IPC namespace.
#[derive(Debug)]
pub enum Shm {
    /// A fresh tmpfs of the container's own.
    Own,
    /// The host's.
    Host,
    /// A folder in another mount namespace: the sandbox's, or a sibling container's.
    In { mount_namespace: OwnedFd, path: &'static str },
}

/// The decided namespaces of one container.
#[derive(Debug)]
pub struct Chosen {
    /// `CLONE_NEW…` flags of those to make.
    pub new: libc::c_int,
    /// Those to join once cloned.
    pub join: Vec<(libc::c_int, OwnedFd)>,
    /// The PID namespace to be cloned into.
    pub pid: Option<OwnedFd>,
    pub shm: Shm,
    /// An own cgroup namespace, made after the control group is joined.
    pub cgroup: bool,
}

impl Chosen {
    /// Whether the network is not the host's.
    pub fn has_net(&self) -> bool {
        self.new & libc::CLONE_NEWNET != 0 || self.join.iter().any(|(kind, _)| *kind == libc::CLONE_NEWNET)
    }

    /// Whether IPC is not the host's.
    pub fn has_ipc(&self) -> bool {
        !matches!(self.shm, Shm::Host)
    }
}

/// What a sandbox holds for its containers.
#[derive(Debug, Default)]
pub struct Sandbox {
    /// The first process of the shared PID namespace.
    pub pid: Option<OwnedFd>,
    pub net: Option<OwnedFd>,
    pub ipc: Option<OwnedFd>,
    pub uts: Option<OwnedFd>,
    /// A mount namespace whose root is the shared `/dev/shm`.
    pub shm: Option<OwnedFd>,
}

/// Finds others that a container names.
pub trait Others {
    /// The first process of a running sibling.
    fn container(&self, name: &str) -> Option<i32>;
    /// A descriptor kept under a name.
    fn held(&self, name: &str) -> Option<&OwnedFd>;
}

/// Opens one namespace of a process; the caller knows that the process has not been reaped.
///
/// # Errors
/// The kernel's; `ENOENT` when the process has ended.
pub fn of_process(pid: i32, kind: &str) -> io::Result<OwnedFd> {
    File::open(format!("/proc/{pid}/ns/{kind}")).map(OwnedFd::from)
}

/// Decides and opens a container's namespaces.
///
/// # Errors
/// [`StartError`]: a choice that does not exist, a sibling that does not run, a descriptor that is not held.
pub fn choose(wanted: &Namespaces, sandbox: &Sandbox, others: &impl Others) -> Result<Chosen, StartError> {
    let mut chosen = Chosen {
        new: libc::CLONE_NEWNS,
        join: Vec::new(),
        pid: None,
        shm: match &wanted.ipc {
            Namespace::Host => Shm::Host,
            Namespace::Unit => {
                let holder = sandbox.shm.as_ref().ok_or_else(|| no_unit("ipc"))?;
                let mount_namespace = holder.try_clone().stage("namespaces", || "no descriptor is left".into())?;
                Shm::In { mount_namespace, path: "/" }
            }
            Namespace::Container(name) => {
                Shm::In { mount_namespace: of_sibling(others, name, "mnt")?, path: "/dev/shm" }
            }
            _ => Shm::Own,
        },
        cgroup: match wanted.cgroup {
            Namespace::Own => true,
            Namespace::Host => false,
            _ => return Err(StartError::invalid("namespaces", "the cgroup namespace is `own` or `host`")),
        },
    };
    let kinds = [
        ("net", libc::CLONE_NEWNET, &wanted.net, &sandbox.net),
        ("ipc", libc::CLONE_NEWIPC, &wanted.ipc, &sandbox.ipc),
        ("uts", libc::CLONE_NEWUTS, &wanted.uts, &sandbox.uts),
        ("pid", libc::CLONE_NEWPID, &wanted.pid, &sandbox.pid),
    ];
    for (kind, flag, namespace, unit) in kinds {
        let joined = match namespace {
            Namespace::Own => {
                chosen.new |= flag;
                continue;
            }
            Namespace::Host => continue,
            // The host's network is a Unit's too when the sandbox says so.
            Namespace::Unit if kind == "net" && unit.is_none() => continue,
            Namespace::Unit => duplicate(unit.as_ref().ok_or_else(|| no_unit(kind))?)?,
            Namespace::Container(name) => of_sibling(others, name, kind)?,
            Namespace::Held(name) if kind == "net" => duplicate(others.held(name).ok_or_else(|| not_held(name))?)?,
            Namespace::Held(_) => {
                let what = format!("only a network namespace is taken from a held descriptor, not {kind}");
                return Err(StartError::invalid("namespaces", what));
            }
        };
        if flag == libc::CLONE_NEWPID {
            chosen.pid = Some(joined);
        } else {
            chosen.join.push((flag, joined));
        }
    }
    Ok(chosen)
}

fn duplicate(fd: &OwnedFd) -> Result<OwnedFd, StartError> {
    fd.try_clone().stage("namespaces", || "no descriptor is left".into())
}

fn of_sibling(others: &impl Others, name: &str, kind: &str) -> Result<OwnedFd, StartError> {
    let gone = || StartError {
        kind: FailureKind::Conflict,
        stage: "namespaces",
        what: format!("container `{name}`, whose {kind} namespace is shared, does not run"),
        source: None,
    };
    of_process(others.container(name).ok_or_else(gone)?, kind).map_err(|_| gone())
}

fn no_unit(kind: &str) -> StartError {
    StartError::invalid("namespaces", format!("the sandbox has no {kind} namespace to share"))
}

fn not_held(name: &str) -> StartError {
    StartError::invalid("namespaces", format!("no descriptor is held as `{name}`"))
}

/// Makes the IPC, UTS and network namespaces that a sandbox asks for, by entering and leaving them.
///
/// # Errors
/// [`StartError`].
///
/// # Safety
/// The caller must be single-threaded: other threads would see this one in foreign namespaces.
pub unsafe fn make_for_sandbox(spec: &SandboxSpec, new_net: bool, run_dir: &Path) -> Result<Sandbox, StartError> {
    let what = || "the Unit's namespaces cannot be made".to_owned();
    let mut sandbox = Sandbox::default();
    if spec.uts {
        let host_name = || set_host_name(&spec.hostname);
        sandbox.uts = Some(visit(libc::CLONE_NEWUTS, "uts", host_name).stage("namespaces", what)?);
    }
    if new_net {
        sandbox.net = Some(visit(libc::CLONE_NEWNET, "net", loopback_up).stage("namespaces", what)?);
    }
    if spec.ipc {
        sandbox.ipc = Some(visit(libc::CLONE_NEWIPC, "ipc", || Ok(())).stage("namespaces", what)?);
        let bytes = spec.shm_bytes.unwrap_or(crate::spec::DEFAULT_SHM_BYTES);
        let tmpfs = shm_tmpfs(bytes)?;
        let only_shm = || become_only(&tmpfs, run_dir);
        sandbox.shm = Some(visit(libc::CLONE_NEWNS, "mnt", only_shm).stage("namespaces", what)?);
    }
    Ok(sandbox)
}

/// Writes kernel parameters inside a sandbox's network and IPC namespaces.
///
/// # Errors
/// [`StartError`]: a parameter of the host, an unknown one, or a value that the kernel refuses.
pub fn write_sysctls(sandbox: &Sandbox, sysctls: &[(String, String)]) -> Result<(), StartError> {
    if sysctls.is_empty() {
        return Ok(());
    }
    let what = || "the Unit's namespaces cannot be entered".to_owned();
    let proc = fs::open_path("/proc").stage("sysctl", || "/proc is not mounted on the host".into())?;
    let scope = sysctl::Scope { net: sandbox.net.is_some(), ipc: sandbox.ipc.is_some() };
    let mut homes = Vec::new();
    for (kind, flag, namespace) in
        [("net", libc::CLONE_NEWNET, &sandbox.net), ("ipc", libc::CLONE_NEWIPC, &sandbox.ipc)]
    {
        let Some(namespace) = namespace else { continue };
        homes.push((flag, File::open(format!("/proc/self/ns/{kind}")).map(OwnedFd::from).stage("sysctl", what)?));
        process::setns(namespace, flag).stage("sysctl", what)?;
    }
    let written = sysctl::write(&proc, sysctls, scope);
    for (flag, home) in homes {
        process::setns(&home, flag).stage("sysctl", what)?;
    }
    written
}

/// Enters a fresh namespace, does something there, opens it and returns to the old one.
fn visit(flag: libc::c_int, kind: &str, there: impl FnOnce() -> io::Result<()>) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/ns/{kind}");
    let home = File::open(&path).map(OwnedFd::from)?;
    process::unshare(flag)?;
    let made = File::open(&path).map(OwnedFd::from).and_then(|namespace| there().map(|()| namespace));
    process::setns(&home, flag)?;
    made
}

/// Leaves this mount namespace with one mount only: no host disk stays pinned by it.
fn become_only(mount: &OwnedFd, place: &Path) -> io::Result<()> {
    fs::mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    fs::attach_mount(mount, &fs::open_path(place)?)?;
    fs::fchdir(&fs::open_path(place)?)?;
    fs::pivot_root_here()?;
    fs::umount(c".", libc::MNT_DETACH)
}

/// A detached tmpfs for `/dev/shm`.
///
/// # Errors
/// [`StartError`].
pub fn shm_tmpfs(bytes: u64) -> Result<OwnedFd, StartError> {
    mounts::tmpfs(Some(bytes), 0o1777, &[], "/dev/shm")
}

/// The detached mount to put on a container's `/dev/shm`. Called in its own mount namespace, before its root is.
///
/// # Errors
/// [`StartError`].
pub fn open_shm(shm: &Shm, bytes: u64) -> Result<OwnedFd, StartError> {
    let what = || "the shared /dev/shm cannot be opened".to_owned();
    match shm {
        Shm::Own => shm_tmpfs(bytes),
        Shm::Host => fs::open_path("/dev/shm").and_then(|p| fs::clone_mount(&p, false)).stage("namespaces", what),
        Shm::In { mount_namespace, path } => {
            let home = File::open("/proc/self/ns/mnt").map(OwnedFd::from).stage("namespaces", what)?;
            process::setns(mount_namespace, libc::CLONE_NEWNS).stage("namespaces", what)?;
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            let mount = fs::openat2(&libc::AT_FDCWD, path, flags, fs::NO_SYMLINKS)
                .and_then(|place| fs::clone_mount(&place, false));
            process::setns(&home, libc::CLONE_NEWNS).stage("namespaces", what)?;
            mount.stage("namespaces", what)
        }
    }
}

/// Sets the host name of this UTS namespace; an empty one leaves it.
///
/// # Errors
/// `EINVAL` above 64 bytes.
pub fn set_host_name(name: &str) -> io::Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    let text = cstr(name)?;
    // SAFETY: the pointer and length are those of a live string.
    check(unsafe { libc::sethostname(text.as_ptr(), name.len()) }.into()).map(drop)
}

/// Turns on loopback in this network namespace.
///
/// # Errors
/// The kernel's.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: no memory is passed.
    let socket = owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into())?;
    // SAFETY: an all-zero ifreq is valid; the name fits with its NUL; both calls read and write only `request`.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        std::ptr::copy_nonoverlapping(c"lo".as_ptr(), request.ifr_name.as_mut_ptr(), 3);
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request).into())?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request).into()).map(drop)
    }
}
