//! A node's desired state as steps: all of it first, then what changes; commits nothing.

use super::CredentialIssuer;
use model::snapshot::Versioned;
use model::unit::Unit;
use model::{NodeId, Snapshot, Timestamp, UnitUid};
use records::{Records, Wake};
use session::{Assignment, Desired};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long a Unit's credentials are good: ECS's own are good for six hours and replaced before; these are not replaced yet.
const CREDENTIALS_MS: u64 = 7 * 24 * 3600 * 1000;

/// The node that is fed.
pub(super) struct Whose {
    pub node: NodeId,
    /// Units of which it kept something when it joined.
    pub keeps: Vec<UnitUid>,
    pub epoch: u64,
}

/// Sends the complete set, then every later change that the node has not made itself, until the session ends.
pub(super) async fn feed(
    records: Records,
    whose: Whose,
    issuer: Option<Arc<dyn CredentialIssuer>>,
    steps: mpsc::Sender<Desired>,
) {
    let mut touched = records.touched();
    let first = complete(&records.current(), &whose);
    let mut told = first.revision;
    let mut next = Some(first);
    loop {
        if let Some(mut step) = next.take() {
            if let Some(issuer) = &issuer {
                give_credentials(&mut step, &**issuer, records.now());
            }
            if steps.send(step).await.is_err() {
                return;
            }
        }
        let wake = tokio::select! {
            wake = touched.next() => wake,
            () = steps.closed() => return,
        };
        next = match wake {
            None => return,
            Some(Wake::Everything) => {
                let all = complete(&records.current(), &whose);
                told = all.revision;
                Some(all)
            }
            // Told twice, a Unit that has ended in between would look new to its node.
            Some(Wake::Touched(t)) if t.revision <= told => None,
            Some(Wake::Touched(t)) => changes(&records.current(), &t, &whose),
        };
    }
}

fn complete(snapshot: &Snapshot, whose: &Whose) -> Desired {
    let assignments = snapshot.units_of_node(&whose.node).filter_map(|unit| assignment(snapshot, unit)).collect();
    // Those that were deleted while the node was away are named in no other step.
    let gone = whose.keeps.iter().filter(|uid| snapshot.unit_by_uid(uid).is_none()).cloned().collect();
    Desired { epoch: whose.epoch, revision: snapshot.revision, complete: true, assignments, gone }
}

fn changes(snapshot: &Snapshot, touched: &records::Touched, whose: &Whose) -> Option<Desired> {
    let (epoch, revision) = (whose.epoch, touched.revision);
    let mut step = Desired { epoch, revision, complete: false, assignments: Vec::new(), gone: Vec::new() };
    let here = |unit: &Arc<Unit>| unit.placement.node() == Some(&whose.node);
    for (before, after) in &touched.units {
        match (before, after) {
            (Some(unit), None) if here(unit) => step.gone.push(unit.uid.clone()),
            (before, Some(after)) if here(after) => {
                let told = before.as_ref().is_some_and(|b| b.placement == after.placement && b.intent == after.intent);
                let current = snapshot.units.get(&after.name);
                if let (false, Some(unit)) = (told, current) {
                    step.assignments.extend(assignment(snapshot, unit));
                }
            }
            _ => {}
        }
    }
    (!step.assignments.is_empty() || !step.gone.is_empty()).then_some(step)
}

fn assignment(snapshot: &Snapshot, unit: &Versioned<Unit>) -> Option<Assignment> {
    let spec = snapshot.specs.get(&unit.spec)?.value.clone();
    Some(Assignment { unit: unit.value.clone(), spec, revision: unit.revision, credentials: None })
}

fn give_credentials(step: &mut Desired, issuer: &dyn CredentialIssuer, now: Timestamp) {
    for assignment in &mut step.assignments {
        if let Some(role) = &assignment.spec.role {
            let expires = now.saturating_add_ms(CREDENTIALS_MS);
            assignment.credentials = Some(issuer.issue(role, &assignment.unit.uid, expires));
        }
    }
}
