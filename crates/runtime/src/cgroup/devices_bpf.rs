//! The devices allow-list of v2: a small eBPF program, made and attached by our own hands.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use super::devices::{Class, Rule};
use crate::sys::{check, owned};

/// One eBPF instruction, as `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Insn {
    code: u8,
    /// Destination in the low four bits, source in the high four.
    registers: u8,
    offset: i16,
    value: i32,
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

const CLASS_BLOCK: i32 = 1;
const CLASS_CHAR: i32 = 2;
const ACCESS_MKNOD: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;

const LDX_W: u8 = 0x61;
const MOV64_K: u8 = 0xb7;
const MOV64_X: u8 = 0xbf;
const AND32_K: u8 = 0x54;
const RSH32_K: u8 = 0x74;
const JNE_K: u8 = 0x55;
const EXIT: u8 = 0x95;

fn insn(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Insn {
    Insn { code, registers: to | from << 4, offset, value }
}

/// The program: r2 class, r3 wanted access, r4 major, r5 minor; each rule is a block that answers 1 or falls through.
fn program(rules: &[Rule]) -> Vec<Insn> {
    let mut code = vec![
        insn(LDX_W, 2, 1, 0, 0),
        insn(MOV64_X, 3, 2, 0, 0),
        insn(AND32_K, 2, 0, 0, 0xffff),
        insn(RSH32_K, 3, 0, 0, 16),
        insn(LDX_W, 4, 1, 4, 0),
        insn(LDX_W, 5, 1, 8, 0),
    ];
    for rule in rules {
        let class = if rule.class == Class::Char { CLASS_CHAR } else { CLASS_BLOCK };
        let allowed = [(rule.mknod, ACCESS_MKNOD), (rule.read, ACCESS_READ), (rule.write, ACCESS_WRITE)];
        let denied = !allowed.iter().filter(|(on, _)| *on).fold(0, |all, (_, bit)| all | bit) & 7;
        let mut block = vec![insn(JNE_K, 2, 0, 0, class)];
        // Wanted bits outside the allowed ones must be none.
        block.push(insn(MOV64_X, 1, 3, 0, 0));
        block.push(insn(AND32_K, 1, 0, 0, denied));
        block.push(insn(JNE_K, 1, 0, 0, 0));
        if let Some(major) = rule.major {
            block.push(insn(JNE_K, 4, 0, 0, major as i32));
        }
        if let Some(minor) = rule.minor {
            block.push(insn(JNE_K, 5, 0, 0, minor as i32));
        }
        block.push(insn(MOV64_K, 0, 0, 0, 1));
        block.push(insn(EXIT, 0, 0, 0, 0));
        let len = block.len();
        for (at, jump) in block.iter_mut().enumerate().filter(|(_, i)| i.code == JNE_K) {
            jump.offset = (len - at - 1) as i16;
        }
        code.extend(block);
    }
    code.extend([insn(MOV64_K, 0, 0, 0, 0), insn(EXIT, 0, 0, 0, 0)]);
    code
}

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// The head of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads the program and attaches it to a v2 group, for as long as the group lives.
pub(super) fn attach(dir: &Path, rules: &[Rule]) -> io::Result<()> {
    let group = File::open(dir)?;
    let code = program(rules);
    let license = c"Apache-2.0";
    let load = LoadAttr {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    let program: OwnedFd = owned(bpf(BPF_PROG_LOAD, &load))?;
    let attach = AttachAttr {
        target_fd: group.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    check(bpf(BPF_PROG_ATTACH, &attach)).map(drop)
}

fn bpf<T>(command: libc::c_int, attr: &T) -> libc::c_long {
    // SAFETY: `attr` is a live `repr(C)` head of `union bpf_attr` of the stated size; what it points at outlives the call.
    unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use super::super::devices;
    use super::*;

    /// Runs the program as the kernel would.
    fn allows(code: &[Insn], class: i32, access: i32, major: i32, minor: i32) -> bool {
        let context = [class | access << 16, major, minor];
        let (mut r, mut at) = ([0_i64; 11], 0_usize);
        loop {
            let i = code[at];
            let (to, from) = ((i.registers & 15) as usize, (i.registers >> 4) as usize);
            at += 1;
            match i.code {
                LDX_W => r[to] = i64::from(context[i.offset as usize / 4]),
                MOV64_K => r[to] = i64::from(i.value),
                MOV64_X => r[to] = r[from],
                AND32_K => r[to] &= i64::from(i.value),
                RSH32_K => r[to] = i64::from(r[to] as u32 >> i.value),
                JNE_K if r[to] != i64::from(i.value) => at += i.offset as usize,
                JNE_K => {}
                EXIT => return r[0] == 1,
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    #[test]
    fn the_program_allows_the_defaults_and_nothing_else() {
        let code = program(&devices::defaults());
        assert!(allows(&code, CLASS_CHAR, ACCESS_READ | ACCESS_WRITE, 1, 3), "null");
        assert!(allows(&code, CLASS_CHAR, ACCESS_READ, 136, 77), "a terminal");
        assert!(allows(&code, CLASS_BLOCK, ACCESS_MKNOD, 8, 0), "making a node is harmless");
        assert!(!allows(&code, CLASS_BLOCK, ACCESS_READ, 8, 0), "reading a disk");
        assert!(!allows(&code, CLASS_CHAR, ACCESS_READ, 1, 1), "physical memory");
        assert!(!allows(&code, CLASS_CHAR, ACCESS_READ | ACCESS_MKNOD, 1, 1), "one allowed bit does not open another");
    }

    #[test]
    fn the_kernel_takes_the_program_and_obeys_it() {
        use super::super::Host;
        let Some(unified) = Host::probe().unwrap().unified().cloned() else {
            println!("untested: this host has no v2 to attach a device program to");
            return;
        };
        let dir = unified.mount.join(format!("bayplan-bpf-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let read_in_group = |device: &str| {
            let script = format!("echo $$ > {}/cgroup.procs && exec head -c 1 {device}", dir.display());
            std::process::Command::new("sh").args(["-c", &script]).output().unwrap()
        };
        assert!(read_in_group("/dev/loop0").status.success(), "the host may");
        attach(&dir, &devices::defaults()).unwrap();
        assert!(read_in_group("/dev/zero").status.success());
        let refused = read_in_group("/dev/loop0");
        std::fs::remove_dir(&dir).unwrap();
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Operation not permitted"), "{refused:?}");
    }
}
