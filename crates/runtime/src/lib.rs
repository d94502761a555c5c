//! Containers on Linux: namespaces, mounts, cgroups, capabilities, seccomp; with `supervisor` the only unsafe code.
//!
//! The agent uses four modules and nothing else:
//!
//! - [`spec`]: what it asks for. [`spec::SandboxSpec`] is a Unit's shared half, [`spec::ContainerSpec`] one container
//!   with host paths and nothing left to look up.
//! - [`protocol`]: the words on the supervisor's Unix socket; `encode` and `decode` are pure, [`sys::socket`] sends and
//!   receives with descriptors on a non-blocking socket of any event loop, [`client`] is a blocking client.
//! - [`launch`]: starts a Unit's supervisor from sealed memory: `SealedImage::new(supervisor_image::SUPERVISOR)` once,
//!   then `launch(&image, &Launch { instance, unit, run_dir })`.
//! - [`cgroup`]: probes the host's control groups and kills a Unit's, with no supervisor left alive.
//!
//! A Unit's life on the wire: `Hello` -> `Hold` its network namespace -> `CreateSandbox` -> `Create` and `Start` per
//! container and attempt -> `Exited` events, kept until `AckExits` -> `Remove` -> `Shutdown`. Requests may be sent
//! without waiting for answers; they are carried out in order, but `Start`, `Exec` and `Remove` answer when the thing has
//! happened, later than what follows them. `Upgrade` ends the connection: reconnect.
//!
//! The rest is the supervisor's: it alone starts containers, being single-threaded and small.

pub mod caps;
pub mod cgroup;
pub mod client;
pub mod dev;
pub mod exec;
pub mod failure;
pub mod identity;
pub mod init;
pub mod launch;
pub mod mounts;
pub mod namespaces;
pub mod program;
pub mod protocol;
pub mod pseudo;
pub mod rlimit;
pub mod rootfs;
pub mod seccomp;
pub mod spec;
pub mod start;
pub mod status;
pub mod sys;
pub mod sysctl;
pub mod terminal;
pub mod user;
