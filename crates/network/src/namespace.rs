//! Network namespaces: make one, run code in one, keep one by a mount; never leaves a caller's thread in another namespace.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::error::{Feature, NetworkError, NetworkResult};

/// A crash between two mounts can stack them; more than this many on one path is not ours.
const STACKED_MOUNTS_AT_MOST: usize = 64;

/// Runs `work` on a thread of its own, so that the caller's thread keeps its namespace whatever happens.
fn on_own_thread<T: Send>(work: impl FnOnce() -> NetworkResult<T> + Send) -> NetworkResult<T> {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work).map_err(|error| {
                let source = Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EAGAIN as i32));
                NetworkError::Kernel { doing: "start a thread", source }
            })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs `work` in a fresh network namespace and returns the namespace with what `work` made in it.
pub(crate) fn create<T: Send>(work: impl FnOnce() -> NetworkResult<T> + Send) -> NetworkResult<(OwnedFd, T)> {
    on_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
            Errno::EINVAL => {
                let feature = Feature::Namespaces;
                NetworkError::KernelFeature { doing: "create a network namespace", feature, source: errno }
            }
            _ => NetworkError::from_errno("create a network namespace", None, errno),
        })?;
        let namespace = current()?;
        Ok((namespace, work()?))
    })
}

/// Runs `work` inside a namespace.
pub(crate) fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> NetworkResult<T> + Send,
) -> NetworkResult<T> {
    on_own_thread(|| {
        setns(namespace, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| NetworkError::from_errno("enter a network namespace", None, errno))?;
        work()
    })
}

/// The calling thread's namespace.
pub(crate) fn current() -> NetworkResult<OwnedFd> {
    let path = Path::new("/proc/thread-self/ns/net");
    File::open(path).map(OwnedFd::from).map_err(|source| NetworkError::File {
        doing: "open the network namespace",
        path: path.to_owned(),
        source,
    })
}

/// Keeps a namespace alive, and findable by other processes, at a path.
pub(crate) fn keep(namespace: BorrowedFd<'_>, path: &Path) -> NetworkResult<()> {
    let failed = |doing| move |source| NetworkError::File { doing, path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
    }
    File::create(path).map_err(failed("create"))?;
    let source = format!("/proc/self/fd/{}", namespace.as_raw_fd());
    mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| NetworkError::from_errno("keep a network namespace by a mount", None, errno))
}

/// Opens a kept namespace; `None` when nothing is kept at the path (a bare file is what a crash or reboot leaves).
pub(crate) fn open_kept(path: &Path) -> NetworkResult<Option<OwnedFd>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(NetworkError::File { doing: "open", path: path.to_owned(), source }),
    };
    let kind = fstatfs(file.as_fd())
        .map_err(|errno| NetworkError::from_errno("look at a kept network namespace", None, errno))?
        .filesystem_type();
    Ok((kind == NSFS_MAGIC).then(|| file.into()))
}

/// Lets a kept namespace go: unmounts it and removes its file. Nothing happens when nothing is there.
pub(crate) fn release(path: &Path) -> NetworkResult<()> {
    for _ in 0..STACKED_MOUNTS_AT_MOST {
        match umount2(path, MntFlags::MNT_DETACH) {
            Ok(()) => (),
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(NetworkError::from_errno("unmount a network namespace", None, errno)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(NetworkError::File { doing: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
