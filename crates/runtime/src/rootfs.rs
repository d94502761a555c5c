//! A container's root: its layers joined by overlayfs as a detached mount that nobody else sees, and the move into it.

use std::ffi::CString;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::failure::{Stage, StartError};
use crate::spec::RootFs;
use crate::sys::{cstr, fs};

/// Mounts the layers at `place` (in this mount namespace alone) and opens the new root.
///
/// # Errors
/// [`StartError`]: no layer, a missing folder, or what overlayfs refuses.
pub fn mount_at(rootfs: &RootFs, place: &Path) -> Result<OwnedFd, StartError> {
    let at = cstr(place).stage("rootfs", || "the mount point has no plain name".into())?;
    let what = || "the container's root cannot be mounted from its layers".to_owned();
    match (rootfs.lower.as_slice(), &rootfs.upper) {
        ([], _) => return Err(StartError::invalid("rootfs", "the container has no layer")),
        ([single], None) => {
            let layer = open_layer(single)?;
            let mount = fs::clone_mount(&layer, false).stage("rootfs", what)?;
            fs::set_mount(&mount, fs::ATTR_RDONLY, libc::MS_PRIVATE, false).stage("rootfs", what)?;
            attach(&mount, place).stage("rootfs", what)?;
        }
        _ => match overlay(rootfs) {
            Ok(mount) => attach(&mount, place).stage("rootfs", what)?,
            // Kernels before 6.8 do not append layers one by one.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {
                classic_overlay(rootfs, &at)?;
            }
            Err(e) => return Err(e).stage("rootfs", what),
        },
    }
    fs::open_path(place).stage("rootfs", || "the container's root cannot be opened".into())
}

fn attach(mount: &OwnedFd, place: &Path) -> io::Result<()> {
    fs::attach_mount(mount, &fs::open_path(place)?)
}

fn open_layer(path: &Path) -> Result<OwnedFd, StartError> {
    let what = || format!("layer {} cannot be opened", path.display());
    fs::openat2(&libc::AT_FDCWD, path, libc::O_PATH | libc::O_DIRECTORY, fs::NO_MAGICLINKS).stage("rootfs", what)
}

/// Layers handed over one by one: no limit but overlayfs's own 500.
fn overlay(rootfs: &RootFs) -> io::Result<OwnedFd> {
    let context = fs::FsContext::open(c"overlay")?;
    for layer in &rootfs.lower {
        context.set(c"lowerdir+", layer)?;
    }
    if let (Some(upper), Some(work)) = (&rootfs.upper, &rootfs.work) {
        allow_again(work);
        context.set(c"upperdir", upper)?;
        context.set(c"workdir", work)?;
        match context.flag(c"volatile") {
            // Kernels before 5.10 do not know it.
            Err(e) if e.raw_os_error() != Some(libc::EINVAL) => return Err(e),
            _ => {}
        }
    }
    context.mount(0)
}

/// A writable layer is worth nothing after its boot, so it is mounted `volatile`: nothing in it is forced to the disk, and its
/// end does not wait for whatever else is on the way to that disk. The kernel marks such a layer, lest it be mounted again after
/// a power cut; what an earlier attempt of the same boot has left is whole.
fn allow_again(work: &Path) {
    // There is none on a first mount. No container sees this folder.
    let _ = std::fs::remove_dir_all(work.join("work/incompat"));
}

/// mount(2) takes one page of options: layers go by descriptor number, relative to `/proc/self/fd`, four letters each.
fn classic_overlay(rootfs: &RootFs, at: &CString) -> Result<(), StartError> {
    let mut held = Vec::new();
    let mut number = |path: &Path| -> Result<String, StartError> {
        held.push(open_layer(path)?);
        Ok(held.last().map(|fd| fd.as_raw_fd().to_string()).unwrap_or_default())
    };
    let mut options = String::from("lowerdir=");
    for (i, layer) in rootfs.lower.iter().enumerate() {
        let separator = if i == 0 { "" } else { ":" };
        let _ = write!(options, "{separator}{}", number(layer)?);
    }
    if let (Some(upper), Some(work)) = (&rootfs.upper, &rootfs.work) {
        allow_again(work);
        let _ = write!(options, ",upperdir={},workdir={}", number(upper)?, number(work)?);
    }
    let what = || "the container's root cannot be mounted from its layers".to_owned();
    let options = cstr(options).stage("rootfs", what)?;
    let numbers = fs::open_path("/proc/self/fd").stage("rootfs", || "/proc is not mounted on the host".into())?;
    fs::fchdir(&numbers).stage("rootfs", what)?;
    let mounted = fs::mount(Some(c"overlay"), at, Some(c"overlay"), 0, Some(&options)).stage("rootfs", what);
    fs::fchdir(&fs::open_path("/").stage("rootfs", what)?).stage("rootfs", what)?;
    mounted
}

/// Makes an open mount the root of everything and lets go of the host's tree.
///
/// # Errors
/// [`StartError`].
pub fn enter(root: &OwnedFd) -> Result<(), StartError> {
    let what = || "the container's root cannot become the root".to_owned();
    fs::fchdir(root).stage("rootfs", what)?;
    fs::pivot_root_here().stage("rootfs", what)?;
    // The old root lies on top of the new one now; detached, it is gone from this namespace.
    fs::umount(c".", libc::MNT_DETACH).stage("rootfs", what)?;
    fs::fchdir(&fs::open_path("/").stage("rootfs", what)?).stage("rootfs", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does something in a mount namespace of its own, on a thread that ends with it.
    fn apart<T: Send>(there: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                crate::sys::process::unshare(libc::CLONE_FS | libc::CLONE_NEWNS).unwrap();
                crate::mounts::detach_from_host().unwrap();
                there()
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn a_kernel_that_appends_no_layers_mounts_more_than_a_page_names_all_the_same() {
        let dir = std::env::temp_dir().join(format!("bayplan-rootfs-{}", std::process::id()));
        let long = dir.join("x".repeat(100));
        let lower: Vec<_> = (0..150).map(|n| long.join(n.to_string())).collect();
        for (n, layer) in lower.iter().enumerate() {
            std::fs::create_dir_all(layer).unwrap();
            std::fs::write(layer.join(format!("only-{n}")), "").unwrap();
        }
        let (upper, work, place) = (dir.join("upper"), dir.join("work"), dir.join("place"));
        for made in [&upper, &work, &place] {
            std::fs::create_dir(made).unwrap();
        }
        let rootfs = RootFs { lower, upper: Some(upper.clone()), work: Some(work), readonly: false };
        let files = apart(|| {
            classic_overlay(&rootfs, &cstr(&place).unwrap()).unwrap();
            std::fs::write(place.join("written"), "").unwrap();
            std::fs::read_dir(&place).unwrap().count()
        });
        assert_eq!(files, 151);
        assert!(upper.join("written").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_writable_layer_forces_nothing_to_the_disk_and_is_mounted_again_by_the_next_attempt() {
        let dir = std::env::temp_dir().join(format!("bayplan-volatile-{}", std::process::id()));
        let [lower, upper, work, place] = ["lower", "upper", "work", "place"].map(|name| dir.join(name));
        for made in [&lower, &upper, &work, &place] {
            std::fs::create_dir_all(made).unwrap();
        }
        let rootfs = RootFs { lower: vec![lower], upper: Some(upper), work: Some(work), readonly: false };
        for attempt in 1..=2 {
            let (options, written) = apart(|| {
                mount_at(&rootfs, &place).unwrap();
                std::fs::write(place.join(attempt.to_string()), "").unwrap();
                let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
                let options = mounts.lines().last().unwrap().to_owned();
                (options, std::fs::read_dir(&place).unwrap().count())
            });
            assert!(options.contains("volatile"), "{options}");
            assert_eq!(written, attempt);
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn no_layer_is_refused_in_words() {
        let error = mount_at(&RootFs::default(), Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "the container has no layer");
    }
}
