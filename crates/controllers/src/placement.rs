//! Binds Units to nodes, or refuses them, as `planner::placement` says.

use crate::harness::Controller;
use model::node::Ledger;
use model::unit::{Lifecycle, Placement, Unit};
use model::{Snapshot, Timestamp};
use planner::placement::{Answer, Plan, plan};
use rand::SeedableRng;
use rand::rngs::StdRng;
use records::{CommitError, Draft, Records, Wake, units};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The only writer of placements and ledgers.
pub struct Placer {
    rng: StdRng,
}

impl Placer {
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }
}

impl Controller for Placer {
    const NAME: &'static str = "placement";

    fn concerned(&mut self, wake: &Wake) -> bool {
        let Wake::Touched(touched) = wake else { return true };
        let freed = |unit: &Unit| unit.observed.lifecycle == Lifecycle::Stopped;
        !touched.nodes.is_empty()
            || touched.others
            || touched.units.iter().any(|(_, after)| after.as_ref().is_none_or(|u| u.awaits_placement() || freed(u)))
    }

    async fn turn(&mut self, mut snapshot: Arc<Snapshot>, records: &Records) -> Result<Option<Timestamp>, CommitError> {
        loop {
            let planned = plan(&snapshot, snapshot.awaiting_placement(), records.now(), &mut self.rng);
            let (draft, whole) = draft(&snapshot, &planned);
            if draft.is_empty() {
                return Ok(None);
            }
            // The next plan stands on a snapshot that shows this commit.
            snapshot = records.commit(draft).await?;
            if whole {
                return Ok(None);
            }
        }
    }
}

/// As many answers as one commit holds, and whether that was all of them.
fn draft(snapshot: &Snapshot, plan: &Plan) -> (Draft, bool) {
    let mut draft = Draft::new();
    let mut raised = BTreeSet::new();
    for answer in &plan.answers {
        if draft.room() < 2 {
            return (draft, false);
        }
        let Some(unit) = snapshot.units.get(answer.unit()) else { continue };
        match answer {
            Answer::Wait(wait) => units::wait(&mut draft, unit, &wait.refusal),
            Answer::Refuse(refuse) => units::place(&mut draft, unit, Placement::Refused(refuse.refusal.clone())),
            Answer::Bind(bind) => {
                if raised.insert(bind.node.clone()) {
                    let seen = snapshot.ledgers.get(&bind.node);
                    let bindings = seen.map_or(0, |l| l.bindings) + 1;
                    draft.upsert(&bind.node, seen, &Ledger { bindings });
                }
                units::place(&mut draft, unit, bind.placement.clone());
            }
        }
    }
    (draft, true)
}
