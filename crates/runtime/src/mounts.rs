//! What the spec mounts into a container: binds and tmpfs, onto places that are opened inside the root, never named.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::failure::{Stage, StartError};
use crate::spec::Mount;
use crate::sys::fs;

const INSIDE: u64 = fs::IN_ROOT | fs::NO_MAGICLINKS;
const PROC_MAGIC: i64 = 0x9fa0;

/// Opens a folder inside the root, making what is missing.
///
/// # Errors
/// [`StartError`] naming the path.
pub fn make_dir(root: &OwnedFd, path: &str) -> Result<OwnedFd, StartError> {
    let what = |shown: &str| format!("{shown} cannot be made inside the container");
    let mut done = String::from(".");
    let mut open = fs::openat2(root, ".", libc::O_PATH | libc::O_DIRECTORY, INSIDE).stage("mount", || what("/"))?;
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(StartError::invalid("mount", format!("`{path}` climbs with `..`")));
        }
        done = format!("{done}/{part}");
        let look = || fs::openat2(root, &done, libc::O_PATH | libc::O_DIRECTORY, INSIDE);
        open = match look() {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                match fs::mkdirat(&open, part, 0o755) {
                    Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
                    other => other.stage("mount", || what(path))?,
                }
                look().stage("mount", || what(path))?
            }
            other => other.stage("mount", || what(path))?,
        };
    }
    Ok(open)
}

/// Opens a file (or whatever is there) inside the root, making an empty one when missing.
fn make_file(root: &OwnedFd, path: &str) -> Result<OwnedFd, StartError> {
    let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    let what = || format!("{path} cannot be made inside the container");
    let folder = make_dir(root, folder)?;
    let look = || fs::openat2(root, path, libc::O_PATH, INSIDE);
    match look() {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
            let make = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW;
            drop(fs::openat2(&folder, name, make, fs::BENEATH | fs::NO_SYMLINKS).stage("mount", what)?);
            look().stage("mount", what)
        }
        other => other.stage("mount", what),
    }
}

/// Opens every bind's source while the host's tree is still there.
///
/// # Errors
/// [`StartError`] naming the source.
pub fn open_sources(mounts: &[Mount]) -> Result<Vec<Option<OwnedFd>>, StartError> {
    let open = |mount: &Mount| match mount {
        Mount::Bind { source, target, .. } => open_source(source, target).map(Some),
        Mount::Tmpfs { .. } => Ok(None),
    };
    mounts.iter().map(open).collect()
}

fn open_source(source: &Path, target: &str) -> Result<OwnedFd, StartError> {
    let what = || format!("{} cannot be mounted on {target}", source.display());
    if !source.is_absolute() {
        return Err(StartError::invalid("mount", format!("{}: it is not an absolute path", what())));
    }
    let place = fs::openat2(&libc::AT_FDCWD, source, libc::O_PATH, fs::NO_MAGICLINKS).stage("mount", what)?;
    fs::clone_mount(&place, true).stage("mount", what)
}

/// Mounts all, shallow targets first.
///
/// # Errors
/// [`StartError`] naming the mount.
pub fn mount_all(root: &OwnedFd, mounts: &[Mount], sources: &[Option<OwnedFd>]) -> Result<(), StartError> {
    let mut order: Vec<usize> = (0..mounts.len()).collect();
    order.sort_by_key(|at| depth(target_of(&mounts[*at])));
    for at in order {
        match (&mounts[at], &sources[at]) {
            (Mount::Bind { target, readonly, .. }, Some(source)) => bind(root, source, target, *readonly)?,
            (Mount::Tmpfs { target, size_bytes, mode, options }, _) => {
                let place = checked(root, make_dir(root, target)?, target)?;
                let what = || format!("a tmpfs cannot be mounted on {target}");
                let tmpfs = tmpfs(*size_bytes, mode.unwrap_or(0o1777), options, target)?;
                fs::attach_mount(&tmpfs, &place).stage("mount", what)?;
            }
            (Mount::Bind { .. }, None) => {}
        }
    }
    Ok(())
}

fn target_of(mount: &Mount) -> &str {
    match mount {
        Mount::Bind { target, .. } | Mount::Tmpfs { target, .. } => target,
    }
}

fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}

fn bind(root: &OwnedFd, source: &OwnedFd, target: &str, readonly: bool) -> Result<(), StartError> {
    let what = || format!("the mount on {target} cannot be made");
    let folder = fs::is_dir(&fs::fstat(source).stage("mount", what)?);
    let place = if folder { make_dir(root, target)? } else { make_file(root, target)? };
    let place = checked(root, place, target)?;
    let attributes = if readonly { fs::ATTR_RDONLY } else { 0 };
    fs::set_mount(source, attributes, libc::MS_PRIVATE, true).stage("mount", what)?;
    fs::attach_mount(source, &place).stage("mount", what)
}

/// Refuses the root itself and anything inside a procfs, however the path got there.
fn checked(root: &OwnedFd, place: OwnedFd, target: &str) -> Result<OwnedFd, StartError> {
    let what = || format!("{target} cannot be looked at");
    let (root, here) = (fs::fstat(root).stage("mount", what)?, fs::fstat(&place).stage("mount", what)?);
    if (root.st_dev, root.st_ino) == (here.st_dev, here.st_ino) {
        return Err(StartError::invalid("mount", format!("nothing can be mounted on `{target}`: it is the root")));
    }
    if fs::magic(&place).stage("mount", what)? == PROC_MAGIC {
        return Err(StartError::invalid("mount", format!("nothing can be mounted on `{target}`: it is inside /proc")));
    }
    Ok(place)
}

/// A detached tmpfs with Docker's options over Docker's defaults (`nosuid,nodev,noexec`).
///
/// # Errors
/// [`StartError`] naming an option that tmpfs does not know.
pub fn tmpfs(size_bytes: Option<u64>, mode: u32, options: &[String], target: &str) -> Result<OwnedFd, StartError> {
    let refused = |option: &str| format!("tmpfs on {target}: option `{option}` is not known");
    let context = fs::FsContext::open(c"tmpfs").stage("mount", || "the host has no tmpfs".into())?;
    context.set(c"mode", format!("{mode:o}")).stage("mount", || refused("mode"))?;
    if let Some(bytes) = size_bytes {
        context.set(c"size", bytes.to_string()).stage("mount", || refused("size"))?;
    }
    let mut attributes = fs::ATTR_NOSUID | fs::ATTR_NODEV | fs::ATTR_NOEXEC;
    for option in options.iter().map(|o| o.trim()).filter(|o| !o.is_empty()) {
        match option.split_once('=') {
            Some((key, value)) => {
                let c_key = crate::sys::cstr(key).stage("mount", || refused(option))?;
                context.set(&c_key, value).stage("mount", || refused(option))?;
            }
            None => {
                let (set, clear) = flag(option).ok_or_else(|| StartError::invalid("mount", refused(option)))?;
                attributes = attributes & !clear | set;
            }
        }
    }
    context.mount(attributes).stage("mount", || format!("a tmpfs for {target} cannot be made"))
}

/// What a word among tmpfs options sets and clears.
fn flag(option: &str) -> Option<(u64, u64)> {
    Some(match option {
        "ro" => (fs::ATTR_RDONLY, 0),
        "rw" => (0, fs::ATTR_RDONLY),
        "nosuid" => (fs::ATTR_NOSUID, 0),
        "suid" => (0, fs::ATTR_NOSUID),
        "nodev" => (fs::ATTR_NODEV, 0),
        "dev" => (0, fs::ATTR_NODEV),
        "noexec" => (fs::ATTR_NOEXEC, 0),
        "exec" => (0, fs::ATTR_NOEXEC),
        "noatime" => (fs::ATTR_NOATIME, fs::ATTR_STRICTATIME),
        "strictatime" => (fs::ATTR_STRICTATIME, fs::ATTR_NOATIME),
        "nodiratime" => (fs::ATTR_NODIRATIME, 0),
        "diratime" => (0, fs::ATTR_NODIRATIME),
        // True of every tmpfs or of ours anyway.
        "defaults" | "async" | "relatime" | "atime" | "norelatime" | "nostrictatime" | "nomand" | "private"
        | "rprivate" => (0, 0),
        _ => return None,
    })
}

/// The root of this mount namespace cut off from the host's: nothing mounted here shows there, or back.
///
/// # Errors
/// [`StartError`].
pub fn detach_from_host() -> Result<(), StartError> {
    fs::mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
        .stage("mount", || "the container's mounts cannot be cut off from the host's".into())
}

/// The place of an existing path inside the root; `None` when there is none.
///
/// # Errors
/// [`StartError`]: there, but not reachable.
pub fn find(root: &impl AsRawFd, path: &str, stage: &'static str) -> Result<Option<OwnedFd>, StartError> {
    match fs::openat2(root, path, libc::O_PATH, INSIDE) {
        Ok(place) => Ok(Some(place)),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        Err(e) => Err(e).stage(stage, || format!("{path} cannot be opened inside the container")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shallow_targets_come_first() {
        assert!(depth("/a") < depth("/a/b"));
        assert_eq!(depth("//a/b/"), 2);
    }

    #[test]
    fn tmpfs_words_are_docker_s() {
        assert_eq!(flag("exec"), Some((0, fs::ATTR_NOEXEC)));
        assert_eq!(flag("bind"), None);
    }
}
