//! The devices allow-list: part of isolation, so a group that cannot have one is an error.

use std::fmt;
use std::fs;

use super::{CgroupError, Group, devices_bpf, failed};

/// Character or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Char,
    Block,
}

/// One allowed set of devices; `None` means any number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub class: Class,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

impl fmt::Display for Rule {
    /// The words of v1's `devices.allow`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(
            f,
            "{} {}:{} {}{}{}",
            if self.class == Class::Char { 'c' } else { 'b' },
            number(self.major),
            number(self.minor),
            if self.read { "r" } else { "" },
            if self.write { "w" } else { "" },
            if self.mknod { "m" } else { "" },
        )
    }
}

/// What every container may use: making any node, and using null, zero, full, random, urandom, tty, console, ptmx and
/// pseudo-terminals (the set of the OCI runtime specification).
pub fn defaults() -> Vec<Rule> {
    let make = |class| Rule { class, major: None, minor: None, read: false, write: false, mknod: true };
    let all =
        |major, minor| Rule { class: Class::Char, major: Some(major), minor, read: true, write: true, mknod: true };
    vec![
        make(Class::Char),
        make(Class::Block),
        all(1, Some(3)),
        all(1, Some(5)),
        all(1, Some(7)),
        all(1, Some(8)),
        all(1, Some(9)),
        all(5, Some(0)),
        all(5, Some(1)),
        all(5, Some(2)),
        all(136, None),
    ]
}

/// Allows exactly `rules` in the group.
///
/// # Errors
/// [`CgroupError`]: neither a v1 devices controller nor a v2 group that takes a device program.
pub fn restrict(group: &Group, rules: &[Rule]) -> Result<(), CgroupError> {
    let Some(dir) = group.controller_dir("devices") else {
        let dir = group.unified_dir().ok_or(CgroupError::NoController("devices"))?;
        return devices_bpf::attach(&dir, rules).map_err(failed(&dir, "given a devices allow-list"));
    };
    let deny = dir.join("devices.deny");
    fs::write(&deny, "a").map_err(failed(&deny, "written"))?;
    let allow = dir.join("devices.allow");
    for rule in rules {
        fs::write(&allow, rule.to_string()).map_err(failed(&allow, format!("told `{rule}`")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_the_kernel_wants_them() {
        let text: Vec<String> = defaults().iter().map(ToString::to_string).collect();
        assert_eq!(text[0], "c *:* m");
        assert_eq!(text[2], "c 1:3 rwm");
        assert_eq!(text[10], "c 136:* rwm");
    }
}
