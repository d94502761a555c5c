//! What time and crashes leave on the disk: events beyond their group's retention, and groups that no record names.

use super::group::{floor_ms, on_disk};
use crate::context::Frontend;
use aws_protocol::ServiceError;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Deletes what no longer counts. To be called when a server starts, and then about hourly.
pub async fn sweep(frontend: &Frontend) -> Result<(), ServiceError> {
    // Listed before the records are read: a group's folder is made only after its record.
    let on_the_disk = on_disk(&frontend.logs, |logs| logs.groups_on_disk()).await?;
    let (snapshot, now) = (frontend.records.current(), frontend.records.now());
    let known: BTreeSet<Arc<str>> = snapshot.log_groups.values().map(|group| group.uid.clone()).collect();
    let limits: Vec<_> = snapshot
        .log_groups
        .values()
        .filter_map(|group| floor_ms(group, now).map(|floor| (group.uid.clone(), floor)))
        .collect();
    on_disk(&frontend.logs, move |logs| {
        for uid in on_the_disk.iter().filter(|uid| !known.contains(uid.as_str())) {
            logs.delete_group(uid)?;
        }
        limits.iter().try_for_each(|(uid, floor)| logs.retain(uid, *floor))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::testing;
    use crate::testing::context;

    #[tokio::test]
    async fn a_folder_that_no_group_names_goes_and_the_others_stay() {
        let context = context().await;
        testing::make_stream(&context, "g", "s").await;
        context.frontend.logs.create_stream("left-by-a-crash", "s", 1).unwrap();
        sweep(&context.frontend).await.unwrap();
        let uid = crate::logs::group::find(&context.frontend, "g").unwrap().uid.to_string();
        assert_eq!(context.frontend.logs.groups_on_disk().unwrap(), [uid]);
    }
}
