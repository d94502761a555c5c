//! The host's control groups as found, and Bayplan's groups in them: `bayplan-<instance>/<unit>/<container>.<attempt>`.
//!
//! Limits live in v1 hierarchies or in v2, wherever a controller is; every container is also in a v2 group where v2 is
//! mounted at all, because killing, freezing and pressure come from there.

pub mod devices;
mod devices_bpf;
pub mod kill;
pub mod limits;
pub mod observe;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use kill::{kill_unit, remove_unit};

/// Controllers that Bayplan uses, in v1's names; `freezer` only where no v2 can kill.
const WANTED: [&str; 6] = ["cpu", "cpuacct", "memory", "pids", "devices", "freezer"];

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    pub mount: PathBuf,
    pub kind: Kind,
}

/// What a hierarchy controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// v1, with those of its controllers that Bayplan uses.
    V1(Vec<String>),
    /// v2, with the controllers available there; none of them when all are in v1.
    V2(Vec<String>),
}

/// How a host's control groups are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    V1,
    V2,
    /// Controllers in v1 and a v2 beside them.
    Hybrid,
}

/// The hierarchies of this host that Bayplan uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub hierarchies: Vec<Hierarchy>,
}

/// Why a control group is not as asked.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    #[error("no control groups are mounted; mount cgroup2 on /sys/fs/cgroup")]
    NotMounted,
    #[error("the host has no `{0}` controller, neither in v1 nor in v2")]
    NoController(&'static str),
    #[error("`{name}` cannot be part of a control group's path")]
    BadName { name: String },
    #[error("{}: cannot be {what}", path.display())]
    Io { path: PathBuf, what: String, source: io::Error },
    #[error("{}: still holds processes", .0.display())]
    Busy(PathBuf),
}

pub(crate) fn failed(path: &Path, what: impl Into<String>) -> impl FnOnce(io::Error) -> CgroupError {
    move |source| CgroupError::Io { path: path.to_owned(), what: what.into(), source }
}

impl Host {
    /// Looks at what is mounted.
    ///
    /// # Errors
    /// [`CgroupError::NotMounted`]; [`CgroupError::Io`] without `/proc`.
    pub fn probe() -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let mounts = fs::read_to_string(path).map_err(failed(path, "read"))?;
        Self::from_mounts(&mounts, |mount| fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default())
    }

    /// [`Host::probe`] over a given `mountinfo`; `v2_controllers` reads a v2 mount's `cgroup.controllers`.
    ///
    /// # Errors
    /// [`CgroupError::NotMounted`].
    pub fn from_mounts(mountinfo: &str, v2_controllers: impl Fn(&Path) -> String) -> Result<Self, CgroupError> {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let Some(mount) = head.split(' ').nth(4).map(PathBuf::from) else { continue };
            let mut tail = tail.split(' ');
            let (kind, options) = (tail.next().unwrap_or_default(), tail.nth(1).unwrap_or_default());
            let kind = match kind {
                "cgroup" => {
                    let used = |name: &&str| WANTED.contains(name);
                    Kind::V1(options.split(',').filter(used).map(str::to_owned).collect())
                }
                "cgroup2" => Kind::V2(v2_controllers(&mount).split_whitespace().map(str::to_owned).collect()),
                _ => continue,
            };
            let empty = matches!(&kind, Kind::V1(controllers) if controllers.is_empty());
            let again = hierarchies.iter().any(|h| h.kind == kind);
            if !empty && !again {
                hierarchies.push(Hierarchy { mount, kind });
            }
        }
        let has_v2 = hierarchies.iter().any(|h| matches!(h.kind, Kind::V2(_)));
        if has_v2 {
            hierarchies.retain(|h| h.kind != Kind::V1(vec!["freezer".to_owned()]));
        }
        if hierarchies.is_empty() { Err(CgroupError::NotMounted) } else { Ok(Self { hierarchies }) }
    }

    /// v1, v2 or both.
    pub fn layout(&self) -> Layout {
        let is_v2 = |h: &Hierarchy| matches!(h.kind, Kind::V2(_));
        match (self.hierarchies.iter().any(is_v2), self.hierarchies.iter().all(is_v2)) {
            (true, true) => Layout::V2,
            (true, false) => Layout::Hybrid,
            _ => Layout::V1,
        }
    }

    /// Which hierarchy holds a controller; v1 before v2, as a controller is only ever in one.
    pub fn controller(&self, name: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| match &h.kind {
            Kind::V1(controllers) | Kind::V2(controllers) => controllers.iter().any(|c| c == name),
        })
    }

    /// The v2 mount, if any.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| matches!(h.kind, Kind::V2(_)))
    }

    /// The group of a whole Unit.
    ///
    /// # Errors
    /// [`CgroupError::BadName`].
    pub fn unit(&self, instance: &str, unit: &str) -> Result<Group, CgroupError> {
        Ok(Group { host: self.clone(), path: instance_path(instance)?.join(checked(unit)?) })
    }

    /// Where the supervisors of an instance live: outside all Units, so that no Unit's limit can end them.
    ///
    /// # Errors
    /// [`CgroupError::BadName`].
    pub fn supervisors(&self, instance: &str) -> Result<Group, CgroupError> {
        Ok(Group { host: self.clone(), path: instance_path(instance)?.join("supervisors") })
    }

    /// Removes the instance's own group; harmless while any Unit or supervisor is left.
    ///
    /// # Errors
    /// [`CgroupError::BadName`], [`CgroupError::Io`].
    pub fn remove_instance(&self, instance: &str) -> Result<(), CgroupError> {
        let group = Group { host: self.clone(), path: instance_path(instance)? };
        for path in [group.path.join("supervisors"), group.path.clone()] {
            match (Group { host: self.clone(), path }).remove() {
                Ok(()) | Err(CgroupError::Busy(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn instance_path(instance: &str) -> Result<PathBuf, CgroupError> {
    Ok(PathBuf::from(format!("bayplan-{}", checked(instance)?)))
}

fn checked(name: &str) -> Result<&str, CgroupError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 255 || matches!(name, "." | "..") || !name.chars().all(plain) {
        return Err(CgroupError::BadName { name: name.to_owned() });
    }
    Ok(name)
}

/// One group, in every hierarchy of the host.
#[derive(Debug, Clone)]
pub struct Group {
    host: Host,
    path: PathBuf,
}

/// What a process needs to put itself into a group, opened beforehand.
#[derive(Debug)]
pub struct Join {
    /// v1 `tasks` files: a single thread that writes `0` moves itself without the global lock.
    pub tasks: Vec<File>,
    /// The v2 folder, for `CLONE_INTO_CGROUP`.
    pub unified: Option<OwnedFd>,
}

impl Group {
    /// A group inside this one.
    ///
    /// # Errors
    /// [`CgroupError::BadName`].
    pub fn child(&self, name: &str) -> Result<Self, CgroupError> {
        Ok(Self { host: self.host.clone(), path: self.path.join(checked(name)?) })
    }

    /// The hierarchies this group is in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// This group's folder in a hierarchy.
    pub fn dir(&self, hierarchy: &Hierarchy) -> PathBuf {
        hierarchy.mount.join(&self.path)
    }

    /// All its folders.
    pub fn dirs(&self) -> impl Iterator<Item = PathBuf> {
        self.host.hierarchies.iter().map(|h| self.dir(h))
    }

    /// Its folder where a controller is.
    pub fn controller_dir(&self, controller: &str) -> Option<PathBuf> {
        self.host.controller(controller).map(|h| self.dir(h))
    }

    /// Its v2 folder.
    pub fn unified_dir(&self) -> Option<PathBuf> {
        self.host.unified().map(|h| self.dir(h))
    }

    /// Makes the group and its parents; again: nothing happens.
    ///
    /// # Errors
    /// [`CgroupError::Io`].
    pub fn create(&self) -> Result<(), CgroupError> {
        for hierarchy in &self.host.hierarchies {
            let dir = self.dir(hierarchy);
            if let Kind::V2(available) = &hierarchy.kind {
                enable_controllers(&hierarchy.mount, &self.path, available)?;
            }
            match fs::create_dir(&dir) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(&dir).map_err(failed(&dir, "made"))?;
                }
                other => other.map_err(failed(&dir, "made"))?,
            }
        }
        Ok(())
    }

    /// Opens what a process needs to join.
    ///
    /// # Errors
    /// [`CgroupError::Io`].
    pub fn open_join(&self) -> Result<Join, CgroupError> {
        let mut join = Join { tasks: Vec::new(), unified: None };
        for hierarchy in &self.host.hierarchies {
            let dir = self.dir(hierarchy);
            match hierarchy.kind {
                Kind::V1(_) => {
                    let tasks = dir.join("tasks");
                    join.tasks.push(OpenOptions::new().write(true).open(&tasks).map_err(failed(&tasks, "opened"))?);
                }
                Kind::V2(_) => join.unified = Some(File::open(&dir).map_err(failed(&dir, "opened"))?.into()),
            }
        }
        Ok(join)
    }

    /// Moves this very (single-threaded) process into the group.
    ///
    /// # Errors
    /// [`CgroupError::Io`].
    pub fn enter(&self) -> Result<(), CgroupError> {
        for hierarchy in &self.host.hierarchies {
            // A thread that moves itself in v1 takes no lock that all starting and ending processes wait for.
            let file = if let Kind::V1(_) = hierarchy.kind { "tasks" } else { "cgroup.procs" };
            let file = self.dir(hierarchy).join(file);
            fs::write(&file, "0").map_err(failed(&file, "joined"))?;
        }
        Ok(())
    }

    /// Removes the group; gone already is fine.
    ///
    /// # Errors
    /// [`CgroupError::Busy`] while a process is in it or ending in it: kill, then try again.
    pub fn remove(&self) -> Result<(), CgroupError> {
        for dir in self.dirs() {
            match fs::remove_dir(&dir) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if matches!(e.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {
                    return Err(CgroupError::Busy(dir));
                }
                Err(e) => return Err(failed(&dir, "removed")(e)),
            }
        }
        Ok(())
    }

    /// Whether any process is in the group or below it.
    pub fn is_populated(&self) -> bool {
        if let Some(dir) = self.unified_dir() {
            let events = fs::read_to_string(dir.join("cgroup.events")).unwrap_or_default();
            return events.lines().any(|line| line == "populated 1");
        }
        self.dirs().any(|dir| !kill::processes(&dir).is_empty())
    }
}

/// Hands the wanted controllers down from the v2 root to the parent of `path`.
fn enable_controllers(mount: &Path, path: &Path, available: &[String]) -> Result<(), CgroupError> {
    let used: Vec<&String> = available.iter().filter(|c| matches!(c.as_str(), "cpu" | "memory" | "pids")).collect();
    if used.is_empty() {
        return Ok(());
    }
    let mut dir = mount.to_owned();
    for part in path.iter() {
        fs::create_dir_all(&dir).map_err(failed(&dir, "made"))?;
        let control = dir.join("cgroup.subtree_control");
        let enabled = fs::read_to_string(&control).map_err(failed(&control, "read"))?;
        for controller in &used {
            if !enabled.split_whitespace().any(|c| c == controller.as_str()) {
                let what = format!("told to hand down {controller}");
                fs::write(&control, format!("+{controller}")).map_err(failed(&control, what))?;
            }
        }
        dir.push(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_host_has_its_limits_in_v1_and_a_group_in_v2() {
        let host = Host::from_mounts(HYBRID, |_| "hugetlb\n".to_owned()).unwrap();
        assert_eq!(host.layout(), Layout::Hybrid);
        let place = |c| host.controller(c).map(|h| h.mount.display().to_string());
        assert_eq!(place("cpu").as_deref(), Some("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(place("memory").as_deref(), Some("/sys/fs/cgroup/memory"));
        assert_eq!(place("freezer"), None, "v2 freezes and kills here");
        assert!(host.unified().is_some());
    }

    #[test]
    fn a_host_without_v2_keeps_the_freezer() {
        let v1: String = HYBRID.lines().filter(|l| !l.contains("cgroup2")).map(|l| format!("{l}\n")).collect();
        let host = Host::from_mounts(&v1, |_| String::new()).unwrap();
        assert_eq!(host.layout(), Layout::V1);
        assert!(host.controller("freezer").is_some());
    }

    #[test]
    fn a_pure_v2_host_has_everything_in_one_place() {
        let v2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let host = Host::from_mounts(v2, |_| "cpuset cpu io memory pids\n".to_owned()).unwrap();
        assert_eq!(host.layout(), Layout::V2);
        assert_eq!(host.controller("memory").unwrap().mount, Path::new("/sys/fs/cgroup"));
    }

    #[test]
    fn names_that_leave_the_tree_are_refused() {
        let host = Host { hierarchies: vec![] };
        for bad in ["", "..", "a/b", "a b", "\n"] {
            assert!(matches!(host.unit("i", bad), Err(CgroupError::BadName { .. })), "{bad:?}");
        }
    }
}
