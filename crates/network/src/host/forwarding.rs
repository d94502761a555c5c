//! The host's `ip_forward` setting: switched on with the first instance of a machine, restored by the last.
//!
//! What it was before is kept as the comment of each instance's table in the kernel, so it lives exactly as long as the
//! setting itself (a reboot ends both) and every other instance and process can read it.

use crate::error::NetworkResult;
use crate::nftables::Table;
use crate::spec::{InstanceId, TABLE_PREFIX};
use crate::sysctl;

const SETTING: &str = "ipv4/ip_forward";
const WORDS: &str = "net.ipv4.ip_forward was ";

/// The setting as it is now, as a comment. Read it before the tables: if another instance switched it on, then that
/// instance's table is there to be seen.
pub(super) fn comment_now() -> NetworkResult<String> {
    Ok(format!("{WORDS}{}", sysctl::read(SETTING)?))
}

/// The comment for this instance's table: what any instance that was here before says, else what was read.
pub(super) fn comment(now: String, tables: &[Table]) -> String {
    let earlier = tables.iter().find(|table| table.name.starts_with(TABLE_PREFIX) && table.comment.starts_with(WORDS));
    earlier.map_or(now, |table| table.comment.clone())
}

/// Switches forwarding on. Call it with the table in place.
pub(super) fn switch_on() -> NetworkResult<()> {
    if sysctl::read(SETTING)? == "1" { Ok(()) } else { sysctl::write(SETTING, "1") }
}

/// Whether an instance other than this one has a table here.
pub(super) fn others(instance: InstanceId, tables: &[Table]) -> bool {
    let own = instance.table();
    tables.iter().any(|table| table.name.starts_with(TABLE_PREFIX) && table.name != own)
}

/// Switches forwarding off again if this instance is the last and it was off before the first.
pub(super) fn restore(instance: InstanceId, tables: &[Table]) -> NetworkResult<()> {
    let own = instance.table();
    let was_off = tables.iter().any(|table| table.name == own && table.comment == format!("{WORDS}0"));
    if was_off && !others(instance, tables) { sysctl::write(SETTING, "0") } else { Ok(()) }
}
