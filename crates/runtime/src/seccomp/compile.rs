//! Ranges into a classic BPF program that finds its range by halving; pure.

use super::rules::{Action, Check};

/// One instruction, as `struct sock_filter`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    pub(super) code: u16,
    pub(super) jump_true: u8,
    pub(super) jump_false: u8,
    pub(super) value: u32,
}

pub(super) const LOAD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQ: u16 = 0x15;
pub(super) const JUMP_GE: u16 = 0x35;
pub(super) const JUMP_SET: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;

pub(super) const ALLOW: u32 = 0x7fff_0000;
pub(super) const ERRNO: u32 = 0x0005_0000;
pub(super) const KILL_PROCESS: u32 = 0x8000_0000;

/// Offsets in `struct seccomp_data`; arguments are 64 bits each, low half first (both architectures are little-endian).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

fn plain(code: u16, value: u32) -> Insn {
    Insn { code, jump_true: 0, jump_false: 0, value }
}

fn jump(code: u16, value: u32, jump_true: u8, jump_false: u8) -> Insn {
    Insn { code, jump_true, jump_false, value }
}

/// The whole program for calls of one architecture; those of another end the process.
pub(super) fn program(audit_arch: u32, ranges: &[(u32, Action)]) -> Vec<Insn> {
    let mut code =
        vec![plain(LOAD, ARCH), jump(JUMP_EQ, audit_arch, 1, 0), plain(RETURN, KILL_PROCESS), plain(LOAD, NUMBER)];
    code.extend(tree(ranges));
    code
}

/// The lower half follows at once, the upper half behind it.
fn tree(ranges: &[(u32, Action)]) -> Vec<Insn> {
    if let [(_, action)] = ranges {
        return leaf(*action);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some((first_high, _)) = high.first() else { return Vec::new() };
    let low = tree(low);
    let mut code = match u8::try_from(low.len()) {
        Ok(skip) => vec![jump(JUMP_GE, *first_high, skip, 0)],
        // A conditional jump reaches 255 instructions, an unconditional one any number.
        Err(_) => vec![jump(JUMP_GE, *first_high, 0, 1), plain(JUMP, low.len() as u32)],
    };
    code.extend(low);
    code.extend(tree(high));
    code
}

fn leaf(action: Action) -> Vec<Insn> {
    let refuse = plain(RETURN, ERRNO | libc::EPERM as u32);
    let allow = plain(RETURN, ALLOW);
    let load = |argument: u32| plain(LOAD, ARGUMENTS + 8 * argument);
    // Each comparison jumps over the rest and the next answer when it is met.
    let any_of = |values: &[u32]| -> Vec<Insn> {
        let left = |at: usize| (values.len() - at) as u8;
        values.iter().enumerate().map(|(at, value)| jump(JUMP_EQ, *value, left(at), 0)).collect()
    };
    match action {
        Action::Allow => vec![allow],
        Action::Errno(errno) => vec![plain(RETURN, ERRNO | errno as u32)],
        Action::Check(Check::NoBits { argument, mask }) => {
            vec![load(argument), jump(JUMP_SET, mask, 1, 0), allow, refuse]
        }
        Action::Check(Check::OneOf { argument, values }) => {
            [vec![load(argument)], any_of(values), vec![refuse, allow]].concat()
        }
        Action::Check(Check::NoneOf { argument, values }) => {
            [vec![load(argument)], any_of(values), vec![allow, refuse]].concat()
        }
    }
}
