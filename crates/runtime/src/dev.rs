//! A container's `/dev`: a small tmpfs with the standard nodes, its own terminals, shared memory and queues.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::cgroup::devices::{Class, Rule, defaults};
use crate::failure::{Stage, StartError};
use crate::mounts;
use crate::spec::{ContainerSpec, Device};
use crate::sys::fs::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID};

/// Name, minor of major 1 or major and minor.
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// A device of the host as found: what to make and what to allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    target: String,
    mode: u32,
    device: u64,
    uid: u32,
    gid: u32,
    rule: Rule,
}

/// Looks up the spec's devices on the host; all of the host's when privileged.
///
/// # Errors
/// [`StartError`]: no such device, or letters other than `r`, `w`, `m`.
pub fn find(spec: &ContainerSpec) -> Result<Vec<Found>, StartError> {
    let mut found = Vec::new();
    if spec.security.privileged {
        collect(Path::new("/dev"), &mut found);
    }
    for device in &spec.devices {
        found.push(look_up(device)?);
    }
    Ok(found)
}

fn look_up(device: &Device) -> Result<Found, StartError> {
    let shown = device.host_path.display();
    if device.permissions.is_empty() || !device.permissions.chars().all(|c| "rwm".contains(c)) {
        let what = format!("device {shown}: permissions are letters of `rwm`, not `{}`", device.permissions);
        return Err(StartError::invalid("device", what));
    }
    let place = fs::openat2(&libc::AT_FDCWD, &device.host_path, libc::O_PATH, fs::NO_MAGICLINKS)
        .stage("device", || format!("device {shown} is not on this host"))?;
    let stat = fs::fstat(&place).stage("device", || format!("device {shown} cannot be looked at"))?;
    let target = if device.container_path.is_empty() { shown.to_string() } else { device.container_path.clone() };
    from_stat(&stat, target, &device.permissions)
        .ok_or_else(|| StartError::invalid("device", format!("{shown} is not a device")))
}

fn from_stat(stat: &libc::stat, target: String, permissions: &str) -> Option<Found> {
    let class = match stat.st_mode & libc::S_IFMT {
        libc::S_IFCHR => Class::Char,
        libc::S_IFBLK => Class::Block,
        _ => return None,
    };
    let may = |letter| permissions.contains(letter);
    let (major, minor) = (Some(libc::major(stat.st_rdev)), Some(libc::minor(stat.st_rdev)));
    let rule = Rule { class, major, minor, read: may('r'), write: may('w'), mknod: may('m') };
    Some(Found { target, mode: stat.st_mode, device: stat.st_rdev, uid: stat.st_uid, gid: stat.st_gid, rule })
}

/// Every device below a folder of the host, but for terminals and what has its own mount.
fn collect(folder: &Path, found: &mut Vec<Found>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        let skip = ["pts", "shm", "mqueue", "console", "ptmx", "null", "zero", "full", "random", "urandom", "tty"];
        if folder == Path::new("/dev") && skip.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            collect(&path, found);
        } else if !kind.is_symlink()
            && let Ok(stat) = fs::open_path(&path).and_then(|place| fs::fstat(&place))
            && let Some(device) = from_stat(&stat, path.display().to_string(), "rwm")
        {
            found.push(device);
        }
    }
}

/// The whole allow-list: the defaults and the found devices, or everything when privileged.
pub fn rules(spec: &ContainerSpec, found: &[Found]) -> Vec<Rule> {
    if spec.security.privileged {
        let all = |class| Rule { class, major: None, minor: None, read: true, write: true, mknod: true };
        return vec![all(Class::Char), all(Class::Block)];
    }
    let mut rules = defaults();
    rules.extend(found.iter().map(|device| device.rule.clone()));
    rules
}

/// What the rest of the start needs of a mounted `/dev`.
#[derive(Debug)]
pub struct Dev {
    /// `/dev` itself.
    pub folder: OwnedFd,
    /// Its null device, opened before anything could be mounted over it.
    pub null: OwnedFd,
}

/// Mounts `/dev` with everything in it; `shm` is attached as `/dev/shm`.
///
/// # Errors
/// [`StartError`] naming the node or mount.
pub fn mount(root: &OwnedFd, found: &[Found], shm: &OwnedFd) -> Result<Dev, StartError> {
    let what = || "/dev cannot be mounted".to_owned();
    let place = mounts::make_dir(root, "dev")?;
    let options = ["dev".to_owned(), "exec".to_owned(), "strictatime".to_owned()];
    let folder = mounts::tmpfs(Some(64 << 20), 0o755, &options, "/dev")?;
    fs::attach_mount(&folder, &place).stage("device", what)?;
    for (name, major, minor) in NODES {
        let node = || format!("/dev/{name} cannot be made");
        let device = libc::makedev(major, minor);
        fs::mknodat(&folder, name, libc::S_IFCHR | 0o666, device).stage("device", node)?;
        fs::chmodat(&folder, name, 0o666).stage("device", node)?;
    }
    for (target, name) in LINKS {
        fs::symlinkat(target, &folder, name).stage("device", || format!("/dev/{name} cannot be made"))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        fs::mkdirat(&folder, name, 0o755).stage("device", || format!("/dev/{name} cannot be made"))?;
    }
    let inside = |name: &str| {
        fs::openat2(&folder, name, libc::O_PATH, fs::BENEATH | fs::NO_SYMLINKS)
            .stage("device", || format!("/dev/{name} cannot be opened"))
    };
    let pts = devpts().stage("device", || "/dev/pts cannot be mounted".into())?;
    fs::attach_mount(&pts, &inside("pts")?).stage("device", || "/dev/pts cannot be mounted".into())?;
    fs::attach_mount(shm, &inside("shm")?).stage("device", || "/dev/shm cannot be mounted".into())?;
    // A kernel without POSIX queues has nothing to show there.
    if let Ok(queues) = fs::FsContext::open(c"mqueue").and_then(|c| c.mount(ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC)) {
        fs::attach_mount(&queues, &inside("mqueue")?).stage("device", || "/dev/mqueue cannot be mounted".into())?;
    }
    let null = inside("null")?;
    for device in found {
        make(root, device)?;
    }
    Ok(Dev { folder, null })
}

fn devpts() -> std::io::Result<OwnedFd> {
    let context = fs::FsContext::open(c"devpts")?;
    context.flag(c"newinstance")?;
    context.set(c"ptmxmode", "0666")?;
    context.set(c"mode", "0620")?;
    context.set(c"gid", "5")?;
    context.mount(ATTR_NOSUID | ATTR_NOEXEC)
}

fn make(root: &OwnedFd, device: &Found) -> Result<(), StartError> {
    let what = || format!("device {} cannot be made", device.target);
    let (folder, name) = device.target.rsplit_once('/').unwrap_or(("", &device.target));
    let folder = mounts::make_dir(root, folder)?;
    match fs::mknodat(&folder, name, device.mode, device.device) {
        Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {
            let there =
                fs::openat2(&folder, name, libc::O_PATH | libc::O_NOFOLLOW, fs::BENEATH).stage("device", what)?;
            let there = fs::fstat(&there).stage("device", what)?;
            if there.st_rdev != device.device {
                return Err(StartError::invalid("device", format!("{}: another file is there", what())));
            }
        }
        other => other.stage("device", what)?,
    }
    fs::chmodat(&folder, name, device.mode & 0o7777).stage("device", what)?;
    fs::chownat(&folder, name, device.uid, device.gid).stage("device", what)
}

/// Shows the container's terminal as `/dev/console` too.
///
/// # Errors
/// [`StartError`].
pub fn mount_console(dev: &Dev, terminal: &impl AsRawFd) -> Result<(), StartError> {
    let what = || "/dev/console cannot be made".to_owned();
    let make = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    drop(fs::openat2(&dev.folder, "console", make, fs::BENEATH | fs::NO_SYMLINKS).stage("device", what)?);
    let place =
        fs::openat2(&dev.folder, "console", libc::O_PATH, fs::BENEATH | fs::NO_SYMLINKS).stage("device", what)?;
    let mount = fs::clone_mount(terminal, false).stage("device", what)?;
    fs::attach_mount(&mount, &place).stage("device", what)
}
