//! `down`: ends the service scheduler, asks every task to stop and waits until all have, those too that come meanwhile.

use super::{Admin, Refusal};
use model::unit::{Lifecycle, StopCause, StopIntent};
use model::{Snapshot, UnitName};
use records::units;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::sync::watch;

impl Admin {
    pub(super) async fn down(&self) -> Result<Value, Refusal> {
        let scheduler = Ended::now(&self.going_down);
        let mut asked = BTreeSet::new();
        loop {
            for name in live(&self.records.current()).filter(|name| !asked.contains(*name)).cloned().collect::<Vec<_>>()
            {
                let wish = StopIntent {
                    by: StopCause::UserInitiated,
                    reason: "Bayplan was taken down".to_owned(),
                    requested_at: self.records.now(),
                    grace_s: None,
                };
                units::stop(&self.records, &name, wish).await.map_err(Refusal::internal)?;
                asked.insert(name);
            }
            // A client's call, or a commit that the scheduler left behind, may have added some.
            let next = self.records.wait_for(|snapshot| next(snapshot, &asked)).await;
            if !matches!(next, Some(Next::AskMore)) {
                break;
            }
        }
        scheduler.for_good();
        Ok(json!({ "stopped": asked.len() }))
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Next {
    AllOver,
    AskMore,
}

/// None while it is only to be waited.
fn next(snapshot: &Snapshot, asked: &BTreeSet<UnitName>) -> Option<Next> {
    if live(snapshot).any(|name| !asked.contains(name)) {
        return Some(Next::AskMore);
    }
    let is_over = |name: &UnitName| snapshot.units.get(name).is_none_or(|unit| !unit.holds_resources());
    asked.iter().all(is_over).then_some(Next::AllOver)
}

fn live(snapshot: &Snapshot) -> impl Iterator<Item = &UnitName> {
    let live = snapshot.units.iter().filter(|(_, unit)| unit.observed.lifecycle != Lifecycle::Stopped);
    live.map(|(name, _)| name)
}

/// The service scheduler's end. It runs again if this is dropped, because whoever asked has gone before all tasks had stopped.
struct Ended<'a>(Option<&'a watch::Sender<bool>>);

impl<'a> Ended<'a> {
    fn now(going_down: &'a watch::Sender<bool>) -> Self {
        going_down.send_replace(true);
        Self(Some(going_down))
    }

    /// The process ends next: nothing is to start in between.
    fn for_good(mut self) {
        self.0 = None;
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(going_down) = self.0 {
            going_down.send_replace(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::admin::testing::{NEW, World, exited, running};

    #[test]
    fn tasks_that_come_meanwhile_are_asked_too_and_all_are_waited_for() {
        let mut world = World::begun();
        world.task("t1", NEW, running);
        let asked: BTreeSet<UnitName> = live(&world.snapshot).cloned().collect();
        assert_eq!(next(&world.snapshot, &asked), None, "it still runs");
        world.task("t2", NEW, running);
        assert_eq!(next(&world.snapshot, &asked), Some(Next::AskMore));
        world.task("t1", NEW, exited(0));
        world.task("t2", NEW, exited(0));
        assert_eq!(next(&world.snapshot, &asked), Some(Next::AllOver));
    }

    #[test]
    fn the_scheduler_runs_again_unless_all_tasks_have_stopped() {
        let (going_down, seen) = watch::channel(false);
        let ended = Ended::now(&going_down);
        assert!(*seen.borrow());
        drop(ended);
        assert!(!*seen.borrow());
        Ended::now(&going_down).for_good();
        assert!(*seen.borrow());
    }
}
