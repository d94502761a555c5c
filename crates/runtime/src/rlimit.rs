//! Resource limits by their `ulimit` names.

use std::io;

use crate::failure::{Stage, StartError};
use crate::spec::Rlimit;
use crate::sys::check;

/// The kernel's number of a limit (`asm-generic/resource.h`; the same on x86_64 and aarch64).
fn number(name: &str) -> Option<u32> {
    let names = [
        "cpu",
        "fsize",
        "data",
        "stack",
        "core",
        "rss",
        "nproc",
        "nofile",
        "memlock",
        "as",
        "locks",
        "sigpending",
        "msgqueue",
        "nice",
        "rtprio",
        "rttime",
    ];
    let lower = name.to_ascii_lowercase();
    let bare = lower.strip_prefix("rlimit_").unwrap_or(&lower);
    names.iter().position(|known| *known == bare).map(|at| at as u32)
}

/// Sets one limit on this process.
///
/// # Errors
/// [`StartError`]: an unknown name, soft above hard, or a raise that the host does not let Bayplan make.
pub fn set(limit: &Rlimit) -> Result<(), StartError> {
    let Some(number) = number(&limit.name) else {
        return Err(StartError::invalid("rlimit", format!("there is no resource limit `{}`", limit.name)));
    };
    if limit.soft > limit.hard {
        return Err(StartError::invalid("rlimit", format!("`{}`: the soft limit is above the hard one", limit.name)));
    }
    apply(number, limit)
        .stage("rlimit", || format!("`{}` cannot be set to {}:{} on this host", limit.name, limit.soft, limit.hard))
}

fn apply(number: u32, limit: &Rlimit) -> io::Result<()> {
    let new = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
    let old = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: `new` lives across the call; a null `old` is not written.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, number, &raw const new, old) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_are_the_kernels() {
        assert_eq!(number("nofile"), Some(libc::RLIMIT_NOFILE));
        assert_eq!(number("RLIMIT_NPROC"), Some(libc::RLIMIT_NPROC));
        assert_eq!(number("rttime"), Some(libc::RLIMIT_RTTIME));
        assert_eq!(number("files"), None);
    }
}
