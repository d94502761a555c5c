//! The host's `ip_forward` setting: switched on with the first instance of a machine, restored by the last.
//!
//! What it was before is remarked on each instance's packet rules and links, in the kernel: so the remark ends when the
//! setting does (at reboot), every other instance and process can read it, and one of the two survives the deletion of
//! the other (`nft flush ruleset`).

use crate::error::NetworkResult;
use crate::netlink::link::Link;
use crate::nftables::Table;
use crate::spec::{InstanceId, TABLE_PREFIX};
use crate::sysctl;

const SETTING: &str = "ipv4/ip_forward";
const WORDS: &str = "net.ipv4.ip_forward was ";

/// Whatever instances have in the host's namespace now.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) tables: Vec<Table>,
    pub(super) links: Vec<Link>,
}

impl Traces {
    /// What the setting was before the first instance of the machine, as a remark.
    fn remark(&self) -> Option<&str> {
        let tables =
            self.tables.iter().filter(|table| table.name.starts_with(TABLE_PREFIX)).map(|table| &table.comment);
        let links = self.links.iter().filter(|link| InstanceId::of_link(&link.name).is_some()).map(|link| &link.alias);
        tables.chain(links).map(String::as_str).find(|text| text.starts_with(WORDS))
    }

    /// Whether an instance other than this one is here.
    pub(super) fn has_others_than(&self, instance: InstanceId) -> bool {
        let own = instance.table();
        let other_link = |link: &Link| InstanceId::of_link(&link.name).is_some_and(|found| found != instance);
        self.tables.iter().any(|table| table.name.starts_with(TABLE_PREFIX) && table.name != own)
            || self.links.iter().any(other_link)
    }
}

/// The setting as it is now, as a remark. Read it before the traces: if another instance switched it on, then what that
/// instance has is there to be seen.
pub(super) fn remark_now() -> NetworkResult<String> {
    Ok(format!("{WORDS}{}", sysctl::read(SETTING)?))
}

/// The remark for this instance: what any instance that was here before says, else what was read.
pub(super) fn remark(now: String, traces: &Traces) -> String {
    traces.remark().map_or(now, str::to_owned)
}

/// Switches forwarding on. Call it with the remark in place.
pub(super) fn switch_on() -> NetworkResult<()> {
    if sysctl::read(SETTING)? == "1" { Ok(()) } else { sysctl::write(SETTING, "1") }
}

/// Switches forwarding off again if this instance is the last and it was off before the first. Call it with the remark
/// still in place.
pub(super) fn restore(instance: InstanceId, traces: &Traces) -> NetworkResult<()> {
    let was_off = traces.remark().is_some_and(|remark| remark == format!("{WORDS}0"));
    if was_off && !traces.has_others_than(instance) { sysctl::write(SETTING, "0") } else { Ok(()) }
}
