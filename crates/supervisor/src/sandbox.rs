//! A Unit's shared half: its parent control group, the namespaces its containers may join, the descriptors it keeps.

use std::os::fd::OwnedFd;
use std::path::Path;

use runtime::cgroup::{Group, limits};
use runtime::failure::StartError;
use runtime::namespaces::{self, Sandbox};
use runtime::protocol::FailureKind;
use runtime::spec::{SandboxSpec, UnitNet};
use runtime::start::Child;
use runtime::sys;

/// A made sandbox.
#[derive(Debug)]
pub(crate) struct LiveSandbox {
    pub(crate) spec: SandboxSpec,
    pub(crate) namespaces: Sandbox,
    /// The first process of the shared PID namespace.
    pub(crate) holder: Option<Child>,
}

impl LiveSandbox {
    /// The shared PID namespace ends with its first process: nothing can be started in it any more.
    pub(crate) fn process_ended(&mut self, pid: i32) {
        if self.holder.as_ref().is_some_and(|holder| holder.pid == pid) {
            self.holder = None;
            self.namespaces.pid = None;
        }
    }
}

/// What making one takes.
#[derive(Debug)]
pub(crate) struct Make<'a> {
    pub(crate) group: &'a Group,
    pub(crate) place: &'a Path,
    pub(crate) program: &'a OwnedFd,
    pub(crate) supervisor: &'a OwnedFd,
    pub(crate) held: Option<&'a OwnedFd>,
}

/// The control group of the process that holds the shared PID namespace.
const HOLDER_GROUP: &str = ".sandbox";

/// Makes the group, the namespaces and, for a shared PID namespace, its first process.
///
/// # Errors
/// [`StartError`].
pub(crate) fn make(spec: SandboxSpec, make: &Make<'_>) -> Result<LiveSandbox, StartError> {
    let system = |what: &str| {
        let what = what.to_owned();
        move |e: runtime::cgroup::CgroupError| StartError {
            kind: FailureKind::System,
            stage: "cgroup",
            what: format!("{what}: {}", with_cause(&e)),
            source: None,
        }
    };
    make.group.create().map_err(system("the Unit's control group cannot be made"))?;
    limits::apply(make.group, &spec.limits).map_err(system("the Unit's limits cannot be set"))?;
    // SAFETY: the supervisor is single-threaded.
    let mut made = unsafe { namespaces::make_for_sandbox(&spec, spec.net == UnitNet::Own, make.place) }?;
    if let UnitNet::Held(name) = &spec.net {
        let held =
            make.held.ok_or_else(|| StartError::invalid("namespaces", format!("no descriptor is held as `{name}`")))?;
        made.net = Some(sys::duplicate(held).map_err(no_descriptor)?);
    }
    namespaces::write_sysctls(&made, &spec.sysctls)?;
    let holder = if spec.pid {
        let group = make.group.child(HOLDER_GROUP).map_err(system("the sandbox's control group has no name"))?;
        group.create().map_err(system("the sandbox's control group cannot be made"))?;
        // SAFETY: the supervisor is single-threaded.
        let child = unsafe { runtime::exec::hold_pid_namespace(&group, make.place, make.program, make.supervisor) }?;
        made.pid = Some(namespaces::of_process(child.pid, "pid").map_err(no_descriptor)?);
        Some(child)
    } else {
        None
    };
    Ok(LiveSandbox { spec, namespaces: made, holder })
}

fn no_descriptor(source: std::io::Error) -> StartError {
    let what = "a namespace's descriptor cannot be kept".to_owned();
    StartError { kind: FailureKind::System, stage: "namespaces", what, source: Some(source) }
}

/// An error and what caused it, in one line.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
