//! The kernel's own file systems inside a container: proc, sys, the control groups; and paths hidden in them.

use std::os::fd::OwnedFd;

use crate::cgroup::{Host, Kind, Layout};
use crate::failure::{Stage, StartError};
use crate::mounts;
use crate::sys::fs::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY};

const PLAIN: u64 = ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC;

/// Mounts proc and returns a handle of it that nothing inside the container can redirect.
///
/// # Errors
/// [`StartError`].
pub fn mount_proc(root: &OwnedFd) -> Result<OwnedFd, StartError> {
    let what = || "/proc cannot be mounted".to_owned();
    let place = mounts::make_dir(root, "proc")?;
    let mount = fs::FsContext::open(c"proc").and_then(|c| c.mount(PLAIN)).stage("mount", what)?;
    fs::attach_mount(&mount, &place).stage("mount", what)?;
    Ok(mount)
}

/// Mounts sysfs, read-only unless privileged.
///
/// # Errors
/// [`StartError`].
pub fn mount_sys(root: &OwnedFd, writable: bool) -> Result<(), StartError> {
    let what = || "/sys cannot be mounted".to_owned();
    let place = mounts::make_dir(root, "sys")?;
    let attributes = if writable { PLAIN } else { PLAIN | ATTR_RDONLY };
    let mount = fs::FsContext::open(c"sysfs").and_then(|c| c.mount(attributes)).stage("mount", what)?;
    fs::attach_mount(&mount, &place).stage("mount", what)
}

/// Shows a container its own control groups, so that programs find their limits. Needs an own cgroup namespace.
///
/// # Errors
/// [`StartError`].
pub fn mount_cgroup(root: &OwnedFd, host: &Host, writable: bool) -> Result<(), StartError> {
    let what = || "/sys/fs/cgroup cannot be mounted".to_owned();
    let Some(place) = mounts::find(root, "sys/fs/cgroup", "mount")? else { return Ok(()) };
    let attributes = if writable { PLAIN } else { PLAIN | ATTR_RDONLY };
    if host.layout() == Layout::V2 {
        let mount = fs::FsContext::open(c"cgroup2").and_then(|c| c.mount(attributes)).stage("mount", what)?;
        return fs::attach_mount(&mount, &place).stage("mount", what);
    }
    let frame = mounts::tmpfs(Some(64 << 10), 0o755, &[], "/sys/fs/cgroup")?;
    // Before anything is mounted in it: kernels before 6.15 mount nothing on what is not yet attached itself.
    fs::attach_mount(&frame, &place).stage("mount", what)?;
    for hierarchy in &host.hierarchies {
        let Kind::V1(_) = &hierarchy.kind else { continue };
        let Some(name) = hierarchy.mount.file_name() else { continue };
        let name = name.to_string_lossy();
        fs::mkdirat(&frame, &*name, 0o755).stage("mount", what)?;
        let context = fs::FsContext::open(c"cgroup").stage("mount", what)?;
        // A hierarchy's mount folder is named after all its controllers, those we do not use included.
        for controller in name.split(',') {
            let c_controller = crate::sys::cstr(controller).stage("mount", what)?;
            context.flag(&c_controller).stage("mount", what)?;
        }
        let mount = context.mount(attributes).stage("mount", what)?;
        let inside = fs::openat2(&frame, &*name, libc::O_PATH | libc::O_DIRECTORY, fs::BENEATH | fs::NO_SYMLINKS);
        fs::attach_mount(&mount, &inside.stage("mount", what)?).stage("mount", what)?;
    }
    if writable {
        return Ok(());
    }
    fs::set_mount(&frame, ATTR_RDONLY, 0, false).stage("mount", what)
}

/// Hides paths: a folder behind an empty one, a file behind `null`, which is a true null device by its number.
///
/// # Errors
/// [`StartError`] naming the path.
pub fn mask(root: &OwnedFd, paths: &[String], null: &OwnedFd) -> Result<(), StartError> {
    let checked = fs::fstat(null).stage("mask", || "/dev/null cannot be looked at".into())?;
    let is_null = checked.st_mode & libc::S_IFMT == libc::S_IFCHR && checked.st_rdev == libc::makedev(1, 3);
    if !is_null {
        return Err(StartError::invalid("mask", "what should be /dev/null is another file"));
    }
    for path in paths {
        let Some(place) = mounts::find(root, path, "mask")? else { continue };
        let what = || format!("{path} cannot be masked");
        let cover = if fs::is_dir(&fs::fstat(&place).stage("mask", what)?) {
            mounts::tmpfs(Some(0), 0o755, &["ro".to_owned()], path)?
        } else {
            fs::clone_mount(null, false).stage("mask", what)?
        };
        fs::attach_mount(&cover, &place).stage("mask", what)?;
    }
    Ok(())
}

/// Makes paths read-only, each by a mount of the very place that was opened.
///
/// # Errors
/// [`StartError`] naming the path.
pub fn make_readonly(root: &OwnedFd, paths: &[String]) -> Result<(), StartError> {
    for path in paths {
        let Some(place) = mounts::find(root, path, "mask")? else { continue };
        let what = || format!("{path} cannot be made read-only");
        let cover = fs::clone_mount(&place, true).stage("mask", what)?;
        fs::set_mount(&cover, ATTR_RDONLY, libc::MS_PRIVATE, true).stage("mask", what)?;
        fs::attach_mount(&cover, &place).stage("mask", what)?;
    }
    Ok(())
}
