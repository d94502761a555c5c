//! `spot interrupt`: takes a task's capacity back as Fargate Spot does, so that users can see what their tasks make of it.

use super::{Admin, Refusal, find};
use model::ecs::capacity::FARGATE_SPOT;
use model::snapshot::Versioned;
use model::unit::{Capacity, Lifecycle, StopCause, StopIntent, Unit};
use records::units;
use serde_json::{Value, json};

/// Developer Guide, "Amazon ECS clusters for Fargate": what the stopped task says.
const REASON: &str = "Your Spot Task was interrupted.";

impl Admin {
    /// Asks the task to stop: SIGTERM at once, SIGKILL after its stop timeout.
    pub(super) async fn interrupt(&self, question: &Value) -> Result<Value, Refusal> {
        let snapshot = self.records.current();
        let unit = find::unit(&snapshot, question["task"].as_str().unwrap_or_default())?;
        check(unit)?;
        let wish = StopIntent {
            by: StopCause::CapacityReclaimed,
            reason: REASON.to_owned(),
            requested_at: self.records.now(),
            grace_s: None,
        };
        units::stop(&self.records, &unit.name, wish).await.map_err(Refusal::internal)?;
        Ok(json!({
            "task": unit.uid.as_str(),
            "cluster": unit.name.cluster().name,
            "service": super::services::service_of(unit),
            "stoppedReason": REASON,
        }))
    }
}

/// Whether Spot could take its capacity back.
fn check(unit: &Versioned<Unit>) -> Result<(), Refusal> {
    let task = unit.uid.as_str();
    if unit.scheduling.capacity != Capacity::ServerlessSpot {
        return Err(Refusal::conflict(format!(
            "task {task} does not run on {FARGATE_SPOT}, so Spot cannot take it back; to stop it: aws ecs stop-task --cluster {} \
             --task {task}",
            unit.name.cluster().name
        )));
    }
    if unit.observed.lifecycle == Lifecycle::Stopped {
        return Err(Refusal::conflict(format!("task {task} has stopped; bayplan why {task} tells of what")));
    }
    if unit.intent.stop.is_some() {
        return Err(Refusal::conflict(format!("task {task} is stopping already")));
    }
    if unit.placement.node().is_none() {
        return Err(Refusal::conflict(format!("task {task} has no capacity yet that could be taken back")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NEW, World, exited, running};
    use super::*;
    use crate::roles::admin::testing::at;
    use std::sync::Arc;

    fn runs_on(unit: &mut Unit, capacity: Capacity) {
        Arc::make_mut(&mut unit.scheduling).capacity = capacity;
    }

    /// What is said of a task of the service, changed so.
    fn said(change: impl FnOnce(&mut Unit)) -> Result<(), String> {
        let mut world = World::begun();
        world.task("t1", NEW, |unit| {
            runs_on(unit, Capacity::ServerlessSpot);
            change(unit);
        });
        let unit = world.snapshot.units.values().next().unwrap();
        check(unit).map_err(|Refusal(_, words)| words)
    }

    #[test]
    fn only_what_runs_on_spot_capacity_is_taken_back() {
        assert_eq!(said(running), Ok(()));
        for (change, words) in [
            ((|unit| runs_on(unit, Capacity::Serverless)) as fn(&mut Unit), "does not run on FARGATE_SPOT"),
            (|unit| exited(0)(unit), "has stopped"),
            (|_| {}, "no capacity yet"),
            (
                |unit| {
                    running(unit);
                    unit.intent.stop = Some(StopIntent {
                        by: StopCause::UserInitiated,
                        reason: String::new(),
                        requested_at: at(1),
                        grace_s: None,
                    });
                },
                "stopping already",
            ),
        ] {
            let refused = said(change).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
