//! Who a container runs as: its user string resolved in its own `/etc/passwd` and `/etc/group`, by Docker's rules.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

use crate::failure::StartError;
use crate::sys::fs;

/// Numbers for the kernel, and the home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

/// A passwd file above this length is not read on (1 MiB).
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Resolves `user` (and `additional` groups) in the tree below an open root.
///
/// # Errors
/// [`StartError`]: a name that the container's files do not hold.
pub fn resolve(root: &impl AsRawFd, user: &str, additional: &[String]) -> Result<Identity, StartError> {
    resolve_in(&read(root, "etc/passwd"), &read(root, "etc/group"), user, additional)
}

/// A regular file of the container as text; anything else reads as empty, as an image may well have none.
fn read(root: &impl AsRawFd, path: &str) -> String {
    let mut text = String::new();
    // O_NONBLOCK: a pipe put in its place must not hold us up.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(fd) = fs::openat2(root, path, flags, fs::IN_ROOT | fs::NO_MAGICLINKS) else { return text };
    if fs::fstat(&fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG) {
        let mut bytes = Vec::new();
        if File::from(fd).take(MAX_FILE_BYTES).read_to_end(&mut bytes).is_ok() {
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    text
}

fn resolve_in(passwd: &str, group: &str, user: &str, additional: &[String]) -> Result<Identity, StartError> {
    let (who, of) = match user.split_once(':') {
        Some((who, of)) => (who, Some(of).filter(|of| !of.is_empty())),
        None => (user, None),
    };
    let who = if who.is_empty() { "0" } else { who };
    let entry = find(passwd, 2, who);
    let uid = match (entry.as_ref().and_then(|e| number(e, 2)), who.parse()) {
        (Some(uid), _) | (None, Ok(uid)) => uid,
        (None, Err(_)) => {
            return Err(StartError::invalid("user", format!("the container's /etc/passwd has no user `{who}`")));
        }
    };
    let mut groups = Vec::new();
    let gid = match of {
        Some(of) => group_id(group, of)?,
        None => {
            if let Some(name) = entry.as_ref().and_then(|e| e.first()) {
                groups.extend(memberships(group, name));
            }
            entry.as_ref().and_then(|e| number(e, 3)).unwrap_or(0)
        }
    };
    for name in additional {
        groups.push(group_id(group, name)?);
    }
    groups.sort_unstable();
    groups.dedup();
    let home = entry.and_then(|e| e.get(5).map(|home| (*home).to_owned())).filter(|home| home.starts_with('/'));
    Ok(Identity { uid, gid, groups, home: home.unwrap_or_else(|| "/".to_owned()) })
}

fn group_id(group: &str, name: &str) -> Result<u32, StartError> {
    match (find(group, 2, name).and_then(|e| number(&e, 2)), name.parse()) {
        (Some(gid), _) | (None, Ok(gid)) => Ok(gid),
        _ => Err(StartError::invalid("user", format!("the container's /etc/group has no group `{name}`"))),
    }
}

/// The groups that list a user as a member.
fn memberships(group: &str, user: &str) -> Vec<u32> {
    let lists = |entry: &Vec<&str>| entry.get(3).is_some_and(|members| members.split(',').any(|m| m.trim() == user));
    lines(group).filter(lists).filter_map(|entry| number(&entry, 2)).collect()
}

/// The first line whose name is `key`, else the first whose number is.
fn find<'a>(text: &'a str, number_at: usize, key: &str) -> Option<Vec<&'a str>> {
    let by_name = lines(text).find(|entry| entry[0] == key);
    by_name.or_else(|| {
        let id: u32 = key.parse().ok()?;
        lines(text).find(|entry| number(entry, number_at) == Some(id))
    })
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(|l| l.split(':').collect())
}

fn number(entry: &[&str], at: usize) -> Option<u32> {
    entry.get(at)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# a note\nweb:x:101:102:web:/srv/web:/bin/false\n";
    const GROUP: &str = "root:x:0:\nweb:x:102:\nvideo:x:44:root,web\nlog:x:45: web \n";

    fn who(user: &str) -> Identity {
        resolve_in(PASSWD, GROUP, user, &[]).unwrap()
    }

    #[test]
    fn nobody_named_means_root_with_its_home_and_groups() {
        assert_eq!(who(""), Identity { uid: 0, gid: 0, groups: vec![44], home: "/root".into() });
    }

    #[test]
    fn a_name_brings_its_group_home_and_memberships() {
        let web = Identity { uid: 101, gid: 102, groups: vec![44, 45], home: "/srv/web".into() };
        assert_eq!(who("web"), web);
        assert_eq!(who("101"), web, "a number that the file knows is the same user");
    }

    #[test]
    fn a_named_group_replaces_the_memberships() {
        assert_eq!(who("web:video"), Identity { uid: 101, gid: 44, groups: vec![], home: "/srv/web".into() });
    }

    #[test]
    fn an_unknown_number_is_taken_as_it_is() {
        assert_eq!(who("7000"), Identity { uid: 7000, gid: 0, groups: vec![], home: "/".into() });
        assert_eq!(who("7000:8000").gid, 8000);
    }

    #[test]
    fn an_unknown_name_is_refused_by_name() {
        let error = resolve_in(PASSWD, GROUP, "nobody", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the container's /etc/passwd has no user `nobody`");
        let error = resolve_in(PASSWD, GROUP, "web:wheel", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the container's /etc/group has no group `wheel`");
    }

    #[test]
    fn additional_groups_join_the_others() {
        let identity = resolve_in(PASSWD, GROUP, "web", &["video".into(), "9".into()]).unwrap();
        assert_eq!(identity.groups, [9, 44, 45]);
    }
}
