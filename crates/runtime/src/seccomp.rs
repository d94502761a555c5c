//! The system call filter: our own allow-list, by capability, compiled to a small binary tree.

mod compile;
mod rules;
mod syscalls;

use std::io;

pub use compile::Insn;

use crate::caps::Set;
use crate::sys::check;

/// The filter for a container with these capabilities, on this machine's architecture.
pub fn filter(capabilities: Set) -> Vec<Insn> {
    let arch = rules::Arch::NATIVE;
    compile::program(arch.audit(), &rules::ranges(arch, capabilities))
}

/// What the kernel reads: `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    code: *const Insn,
}

/// Puts a filter on this thread and all it starts, for good.
///
/// # Errors
/// `EACCES` without both `no_new_privs` and `CAP_SYS_ADMIN`.
pub fn load(filter: &[Insn]) -> io::Result<()> {
    const SECCOMP_SET_MODE_FILTER: libc::c_uint = 1;
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = Program { len, code: filter.as_ptr() };
    // SAFETY: `program` and the instructions it points at live across the call, with their true length.
    check(unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::compile::{ALLOW, ERRNO, Insn, JUMP, JUMP_EQ, JUMP_GE, JUMP_SET, KILL_PROCESS, LOAD, RETURN, program};
    use super::rules::{Action, Arch, Check, decide, ranges};
    use super::syscalls::SYSCALLS;
    use crate::caps::{Set, bit};

    const DEFAULTS: Set = 0xa804_25fb;

    /// Runs a program as the kernel does; returns its answer and how many instructions it took.
    fn run(code: &[Insn], arch: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
        let load = |offset: u32| match offset {
            0 => number,
            4 => arch,
            at => (arguments[(at as usize - 16) / 8] >> (8 * (at % 8))) as u32,
        };
        let (mut at, mut a, mut steps) = (0, 0, 0);
        loop {
            let Insn { code: op, jump_true, jump_false, value } = code[at];
            let (taken, not) = (usize::from(jump_true), usize::from(jump_false));
            (at, steps) = (at + 1, steps + 1);
            match op {
                LOAD => a = load(value),
                JUMP => at += value as usize,
                JUMP_EQ => at += if a == value { taken } else { not },
                JUMP_GE => at += if a >= value { taken } else { not },
                JUMP_SET => at += if a & value != 0 { taken } else { not },
                RETURN => return (value, steps),
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    fn answer(action: Action, arguments: [u64; 6]) -> u32 {
        let refuse = ERRNO | libc::EPERM as u32;
        let low = |argument: u32| arguments[argument as usize] as u32;
        let when = |allowed: bool| if allowed { ALLOW } else { refuse };
        match action {
            Action::Allow => ALLOW,
            Action::Errno(errno) => ERRNO | errno as u32,
            Action::Check(Check::NoBits { argument, mask }) => when(low(argument) & mask == 0),
            Action::Check(Check::OneOf { argument, values }) => when(values.contains(&low(argument))),
            Action::Check(Check::NoneOf { argument, values }) => when(!values.contains(&low(argument))),
        }
    }

    #[test]
    fn the_program_says_what_the_table_says_for_every_number() {
        let every = [DEFAULTS, 0, u64::MAX, DEFAULTS | bit("SYS_ADMIN").unwrap(), bit("SYS_PTRACE").unwrap()];
        let firsts = [0, 2, 8, 17, 38, 40, 0x1000_0000, 0x0002_0000, 0xffff_ffff, 0x1_0000_0002];
        for arch in [Arch::X86_64, Arch::Aarch64] {
            for capabilities in every {
                let code = program(arch.audit(), &ranges(arch, capabilities));
                for number in (0..=512).chain([0x3fff_ffff, 0x4000_0000, 0x4000_0001, u32::MAX]) {
                    for first in firsts {
                        let arguments = [first, 0, 0, 0, 0, 0];
                        let expected = answer(decide(arch, number, capabilities), arguments);
                        let (said, _) = run(&code, arch.audit(), number, arguments);
                        assert_eq!(said, expected, "{arch:?} call {number} first argument {first:#x}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_tree_is_shallow_and_small() {
        let code = super::filter(DEFAULTS);
        let longest = (0..512).map(|n| run(&code, Arch::NATIVE.audit(), n, [0; 6]).1).max().unwrap();
        assert!(code.len() < 250, "{} instructions", code.len());
        assert!(longest <= 20, "{longest} steps");
    }

    #[test]
    fn another_architecture_ends_the_process_and_x32_is_refused() {
        let code = program(Arch::X86_64.audit(), &ranges(Arch::X86_64, DEFAULTS));
        assert_eq!(run(&code, 0x4000_0003, 11, [0; 6]).0, KILL_PROCESS, "i386");
        assert_eq!(run(&code, Arch::X86_64.audit(), 0x4000_0000, [0; 6]).0, ERRNO | libc::EPERM as u32);
    }

    fn on_x86_64(name: &str, capabilities: Set) -> Action {
        let (_, number, _, _) = SYSCALLS.iter().find(|(known, ..)| *known == name).unwrap();
        decide(Arch::X86_64, *number as u32, capabilities)
    }

    #[test]
    fn calls_that_reach_out_go_with_their_capability() {
        let cases = [
            ("mount", "SYS_ADMIN"),
            ("unshare", "SYS_ADMIN"),
            ("setns", "SYS_ADMIN"),
            ("bpf", "BPF"),
            ("perf_event_open", "PERFMON"),
            ("open_by_handle_at", "DAC_READ_SEARCH"),
            ("init_module", "SYS_MODULE"),
            ("clock_settime", "SYS_TIME"),
            ("reboot", "SYS_BOOT"),
            ("syslog", "SYSLOG"),
        ];
        for (name, capability) in cases {
            assert_eq!(on_x86_64(name, DEFAULTS), Action::Errno(libc::EPERM), "{name}");
            assert_eq!(on_x86_64(name, DEFAULTS | bit(capability).unwrap()), Action::Allow, "{name}");
        }
        for never in ["kexec_load", "keyctl", "userfaultfd", "io_uring_setup", "pivot_root"] {
            assert_eq!(on_x86_64(never, u64::MAX), Action::Errno(libc::EPERM), "{never}");
        }
    }

    #[test]
    fn libc_may_fall_back_from_clone3_and_from_calls_of_the_future() {
        assert_eq!(on_x86_64("clone3", DEFAULTS), Action::Errno(libc::ENOSYS));
        assert_eq!(decide(Arch::X86_64, 511, DEFAULTS), Action::Errno(libc::ENOSYS));
    }

    #[test]
    fn our_own_last_steps_pass() {
        for needed in ["capset", "execve", "execveat", "close_range", "sendmsg", "exit_group", "access", "fcntl"] {
            assert_eq!(on_x86_64(needed, 0), Action::Allow, "{needed}");
        }
    }

    #[test]
    fn the_table_agrees_with_the_kernel_s_headers() {
        let number = |name: &str| SYSCALLS.iter().find(|(known, ..)| *known == name).map(|row| (row.1, row.2)).unwrap();
        assert_eq!(number("read"), (0, 63));
        assert_eq!(number("openat2"), (437, 437));
        assert_eq!(number("open"), (2, -1));
        let own = |row: (i32, i32)| if Arch::NATIVE == Arch::X86_64 { row.0 } else { row.1 };
        assert_eq!(i64::from(own(number("execveat"))), libc::SYS_execveat);
        assert_eq!(i64::from(own(number("seccomp"))), libc::SYS_seccomp);
    }

    #[test]
    fn no_number_stands_twice() {
        for arch in [1, 2] {
            let mut seen = std::collections::BTreeSet::new();
            for (name, x86_64, aarch64, _) in SYSCALLS {
                let number = if arch == 1 { *x86_64 } else { *aarch64 };
                assert!(number < 0 || seen.insert(number), "{name}");
            }
        }
    }
}
