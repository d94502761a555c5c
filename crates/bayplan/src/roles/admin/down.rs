//! `down`: asks every task to stop and waits until all have.

use super::{Admin, Refusal};
use model::UnitName;
use model::unit::{Lifecycle, StopCause, StopIntent};
use records::units;
use serde_json::{Value, json};

impl Admin {
    pub(super) async fn down(&self) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let live: Vec<UnitName> = snapshot
            .units
            .iter()
            .filter(|(_, unit)| unit.observed.lifecycle != Lifecycle::Stopped)
            .map(|(name, _)| name.clone())
            .collect();
        for name in &live {
            let wish = StopIntent {
                by: StopCause::UserInitiated,
                reason: "Bayplan was taken down".to_owned(),
                requested_at: self.records.now(),
                grace_s: None,
            };
            units::stop(&self.records, name, wish).await.map_err(Refusal::internal)?;
        }
        let over = |snapshot: &model::Snapshot| {
            live.iter().all(|name| snapshot.units.get(name).is_none_or(|u| !u.holds_resources())).then_some(())
        };
        self.records.wait_for(over).await;
        Ok(json!({ "stopped": live.len() }))
    }
}
