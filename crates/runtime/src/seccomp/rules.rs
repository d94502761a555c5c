//! What the filter does with a call, given a container's capabilities; pure.

use super::syscalls::SYSCALLS;
use crate::caps::Set;

/// Our rule for one system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Always,
    Never,
    /// With any of these capabilities.
    With(Set),
    /// Without `CAP_SYS_ADMIN`: when it makes no namespace.
    CloneFlags,
    /// With `CAP_SYS_ADMIN`; else "no such call", upon which libc falls back to `clone`, whose flags can be seen.
    Clone3,
    /// The execution domains that change nothing of importance.
    Personality,
    /// Any family but those that reach past the container.
    SocketFamily,
}

/// Bits of the capabilities that rules name.
pub(super) mod capability {
    use crate::caps::Set;

    pub(in crate::seccomp) const DAC_READ_SEARCH: Set = 1 << 2;
    pub(in crate::seccomp) const SYS_MODULE: Set = 1 << 16;
    pub(in crate::seccomp) const SYS_RAWIO: Set = 1 << 17;
    pub(in crate::seccomp) const SYS_CHROOT: Set = 1 << 18;
    pub(in crate::seccomp) const SYS_PTRACE: Set = 1 << 19;
    pub(in crate::seccomp) const SYS_PACCT: Set = 1 << 20;
    pub(in crate::seccomp) const SYS_ADMIN: Set = 1 << 21;
    pub(in crate::seccomp) const SYS_BOOT: Set = 1 << 22;
    pub(in crate::seccomp) const SYS_NICE: Set = 1 << 23;
    pub(in crate::seccomp) const SYS_TIME: Set = 1 << 25;
    pub(in crate::seccomp) const SYS_TTY_CONFIG: Set = 1 << 26;
    pub(in crate::seccomp) const SYSLOG: Set = 1 << 34;
    pub(in crate::seccomp) const PERFMON: Set = 1 << 38;
    pub(in crate::seccomp) const BPF: Set = 1 << 39;
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Errno(i32),
    /// Decided by an argument.
    Check(Check),
}

/// A look at one argument's low 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// None of these bits, else `EPERM`.
    NoBits { argument: u32, mask: u32 },
    /// One of these values, else `EPERM`.
    OneOf { argument: u32, values: &'static [u32] },
    /// None of these values, else `EPERM`.
    NoneOf { argument: u32, values: &'static [u32] },
}

/// `CLONE_NEW…`: mnt, cgroup, uts, ipc, user, pid, net (`linux/sched.h`).
const NEW_NAMESPACES: u32 = 0x7e02_0000;

/// Linux, 32-bit, `UNAME26` with each, and the question what it is (`linux/personality.h`).
const PERSONALITIES: &[u32] = &[0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// `AF_ALG`: the kernel's ciphers, a large attack surface; `AF_VSOCK`: the hypervisor, not namespaced.
const FOREIGN_FAMILIES: &[u32] = &[38, 40];

/// Numbers from here on belong to the x32 ABI on x86_64.
const X32: u32 = 0x4000_0000;

fn action(name: &str, rule: Rule, capabilities: Set) -> Action {
    use capability::{BPF, PERFMON, SYS_ADMIN};
    let has = |wanted: Set| capabilities & wanted != 0;
    let either = |allowed: bool, otherwise: Action| if allowed { Action::Allow } else { otherwise };
    let refused = Action::Errno(libc::EPERM);
    match rule {
        Rule::Always => Action::Allow,
        Rule::Never => refused,
        // These two have a younger capability of their own besides the one of the table.
        Rule::With(wanted) if name == "bpf" => either(has(wanted | BPF), refused),
        Rule::With(wanted) if name == "perf_event_open" => either(has(wanted | PERFMON), refused),
        Rule::With(wanted) => either(has(wanted), refused),
        Rule::CloneFlags => either(has(SYS_ADMIN), Action::Check(Check::NoBits { argument: 0, mask: NEW_NAMESPACES })),
        Rule::Clone3 => either(has(SYS_ADMIN), Action::Errno(libc::ENOSYS)),
        Rule::Personality => Action::Check(Check::OneOf { argument: 0, values: PERSONALITIES }),
        Rule::SocketFamily => Action::Check(Check::NoneOf { argument: 0, values: FOREIGN_FAMILIES }),
    }
}

/// Which architecture's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arch {
    X86_64,
    Aarch64,
}

impl Arch {
    /// The one this program is built for.
    pub(super) const NATIVE: Self = if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 };

    /// `AUDIT_ARCH_…` (`linux/audit.h`).
    pub(super) fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }
}

/// What happens to one call by its number; unknown ones are "no such call", so that programs fall back.
pub(super) fn decide(arch: Arch, number: u32, capabilities: Set) -> Action {
    if arch == Arch::X86_64 && number >= X32 {
        return Action::Errno(libc::EPERM);
    }
    let known = SYSCALLS.iter().find(|(_, x86_64, aarch64, _)| {
        let own = if arch == Arch::X86_64 { *x86_64 } else { *aarch64 };
        u32::try_from(own) == Ok(number)
    });
    known.map_or(Action::Errno(libc::ENOSYS), |(name, _, _, rule)| action(name, *rule, capabilities))
}

/// All numbers as ranges of one action each: where a range begins, and its action.
pub(super) fn ranges(arch: Arch, capabilities: Set) -> Vec<(u32, Action)> {
    // No list reaches this far yet, and whatever comes next is unknown.
    const FIRST_FREE: u32 = 512;
    let mut ranges: Vec<(u32, Action)> = Vec::new();
    for number in (0..=FIRST_FREE).chain([X32]) {
        let action = decide(arch, number, capabilities);
        if ranges.last().is_none_or(|(_, last)| *last != action) {
            ranges.push((number, action));
        }
    }
    ranges
}
