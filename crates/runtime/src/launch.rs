//! Starts a Unit's supervisor from a sealed memory file and leaves it to live on its own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The file name of a supervisor's socket in its run folder.
pub const SOCKET_NAME: &str = "supervisor.sock";

/// The supervisor's program in memory that nobody can write again, a container through `/proc/<pid>/exe` included.
///
/// Make one per process and launch every supervisor from it: they share its pages.
#[derive(Debug)]
pub struct SealedImage(OwnedFd);

/// Why a supervisor did not come up.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("the supervisor's program cannot be put into sealed memory")]
    Seal(#[source] io::Error),
    #[error("the supervisor cannot be started")]
    Spawn(#[source] io::Error),
    #[error("the supervisor gave up while starting: {0}")]
    NotReady(String),
}

impl SealedImage {
    /// Copies the program (`supervisor_image::SUPERVISOR`) into sealed memory.
    ///
    /// # Errors
    /// [`LaunchError::Seal`]: no memory, or the kernel forbids executable memory files (`vm.memfd_noexec=2`).
    pub fn new(program: &[u8]) -> Result<Self, LaunchError> {
        seal(program).map(Self).map_err(LaunchError::Seal)
    }

    /// The descriptor, to pass with `Request::Upgrade`.
    pub fn descriptor(&self) -> &OwnedFd {
        &self.0
    }
}

fn seal(program: &[u8]) -> io::Result<OwnedFd> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let make = |flags: libc::c_uint| {
        // SAFETY: the name is a NUL-terminated constant.
        crate::sys::owned(unsafe { libc::memfd_create(c"bayplan-supervisor".as_ptr(), flags) }.into())
    };
    // Kernels before 6.3 do not know MFD_EXEC and need none.
    let fd = make(flags | MFD_EXEC).or_else(|_| make(flags))?;
    let mut file = File::from(fd);
    file.write_all(program)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no memory is passed.
    crate::sys::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }.into())?;
    Ok(file.into())
}

/// Which supervisor to start and where it lives.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Short id of this Bayplan installation.
    pub instance: String,
    /// Id of the Unit.
    pub unit: String,
    /// An existing folder, 0700, for this Unit alone; the socket is made in it. May be long.
    pub run_dir: PathBuf,
}

/// A supervisor that listens. It outlives this value; the caller, its parent, reaps it by waiting on `child`.
#[derive(Debug)]
pub struct Launched {
    pub child: Child,
    pub socket: PathBuf,
}

/// Starts a supervisor and returns once its socket accepts connections (1 to 2 ms). Blocks for that long.
///
/// The child is made by `posix_spawn` (no copy of the caller's memory), then detaches itself: own session, folder `/`,
/// default signals, no descriptors but its own. It writes what it cannot do to the pipe that this call reads.
///
/// # Errors
/// [`LaunchError`].
pub fn launch(image: &SealedImage, launch: &Launch) -> Result<Launched, LaunchError> {
    let mut command = Command::new(format!("/proc/self/fd/{}", image.0.as_raw_fd()));
    command
        .arg0("bayplan")
        .arg("supervisor")
        .arg(format!("{}/{}", launch.instance, launch.unit))
        .arg(&launch.run_dir)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(LaunchError::Spawn)?;
    let mut said = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut said).map_err(LaunchError::Spawn)?;
    }
    if said.trim() != READY {
        let ended = child.wait().map_err(LaunchError::Spawn)?;
        let said = said.trim();
        return Err(LaunchError::NotReady(if said.is_empty() { ended.to_string() } else { said.to_owned() }));
    }
    Ok(Launched { child, socket: socket_path(&launch.run_dir) })
}

/// What a supervisor writes to its stdout, before closing it, once it listens.
pub const READY: &str = "ready";

/// Where the supervisor of a run folder listens.
pub fn socket_path(run_dir: &Path) -> PathBuf {
    run_dir.join(SOCKET_NAME)
}

/// A descriptor of the program that this very process runs, to start it again as a container's init.
///
/// # Errors
/// `/proc` is not mounted.
pub fn own_program() -> io::Result<OwnedFd> {
    File::open("/proc/self/exe").map(OwnedFd::from)
}
