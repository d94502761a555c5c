//! Which node runs a Unit, and with which addresses: a pure function of a snapshot; nothing here commits.
//!
//! ECS's order of decision: filter by what is free, by attributes, by constraints; then the strategies, each narrowing what
//! the one before left; then any of the rest. One call answers many Units, each seeing what those before it were given.
//! No node is looked at that the snapshot's index of nodes (`model::snapshot::fleet`) can tell about: [`lots`] are the classes
//! of nodes that attributes leave, and [`rank`] searches them.

mod address;
mod field;
mod filter;
mod lots;
mod rank;
mod refusal;

use field::Field;
use filter::Demand;
use model::unit::{Placement, Refusal, Strategy, Unit};
use model::{NodeId, Snapshot, Timestamp, UnitName, Versioned};
use rand::Rng;
use std::collections::BTreeSet;
use std::fmt;

/// What placement decided, in the order in which the Units came. An answer stands on its own: committing it needs its Unit's
/// revision and, to bind, the node's ledger as it was seen, raised by one commit at a time.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Plan {
    pub answers: Vec<Answer>,
}

/// The one answer that a Unit gets from a plan.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    Bind(Bind),
    Refuse(Refuse),
    /// No room now and it may wait: nothing is written; a later plan answers again.
    Wait(Refuse),
}

/// A Unit gets a node.
#[derive(Clone, PartialEq, Debug)]
pub struct Bind {
    pub unit: UnitName,
    /// The Unit's revision that this was decided on.
    pub unit_revision: u64,
    pub node: NodeId,
    /// The revision of the node's ledger that this was decided on; 0 where the node has none yet.
    pub ledger_revision: u64,
    /// Always [`Placement::Bound`].
    pub placement: Placement,
}

/// No node takes a Unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Refuse {
    pub unit: UnitName,
    /// The Unit's revision that this was decided on.
    pub unit_revision: u64,
    pub refusal: Refusal,
}

impl Answer {
    pub fn unit(&self) -> &UnitName {
        match self {
            Answer::Bind(bind) => &bind.unit,
            Answer::Refuse(refuse) | Answer::Wait(refuse) => &refuse.unit,
        }
    }
}

impl Plan {
    /// Cuts the plan into runs of answers of which each fits one commit of at most `limit` compares and writes: one for each
    /// Unit and one for each node that is bound to. A run that binds to a node after an earlier one did has to compare the
    /// ledger with the revision of that earlier commit.
    pub fn batches(&self, limit: usize) -> impl Iterator<Item = &[Answer]> {
        let mut rest = &self.answers[..];
        std::iter::from_fn(move || {
            let (batch, after) = rest.split_at(first_batch(rest, limit));
            rest = after;
            (!batch.is_empty()).then_some(batch)
        })
    }
}

/// How many answers from the first on fit one commit; one at least.
fn first_batch(answers: &[Answer], limit: usize) -> usize {
    let mut units = 0;
    let mut nodes = BTreeSet::new();
    for (place, answer) in answers.iter().enumerate() {
        match answer {
            Answer::Bind(bind) => {
                units += 1;
                nodes.insert(&bind.node);
            }
            Answer::Refuse(_) => units += 1,
            Answer::Wait(_) => {}
        }
        if units + nodes.len() > limit && place > 0 {
            return place;
        }
    }
    answers.len()
}

/// One line for each answer, and one below it for each node that was looked at in vain.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answers.iter().try_for_each(|answer| writeln!(f, "{answer}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.unit();
        let unit = format!("{}/{}", name.cluster().name, name.short());
        match self {
            Answer::Bind(bind) => bind.describe(&unit, f),
            Answer::Refuse(refuse) => refuse.describe("refuse", &unit, f),
            Answer::Wait(refuse) => refuse.describe("wait  ", &unit, f),
        }
    }
}

impl Bind {
    fn describe(&self, unit: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind   {unit} -> {}", self.node)?;
        let Placement::Bound { address, container_addresses, .. } = &self.placement else { return Ok(()) };
        if let Some(own) = address {
            write!(f, ", {} of {}", own.address, own.subnet)?;
        }
        container_addresses.iter().try_for_each(|(container, address)| write!(f, ", {container} {address}"))
    }
}

impl Refuse {
    fn describe(&self, verb: &str, unit: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{verb} {unit}: {}", self.refusal.main)?;
        self.refusal.nodes.iter().try_for_each(|(node, shortage)| write!(f, "\n         {node}: {shortage}"))
    }
}

/// Answers every Unit of `units` that awaits placement, once, in the order given.
///
/// Equal snapshot, units, time and seed give an equal plan. Never fails, whatever the snapshot holds.
pub fn plan<'a>(
    snapshot: &'a Snapshot,
    units: impl IntoIterator<Item = &'a Versioned<Unit>>,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Plan {
    let mut field = Field::new(snapshot);
    let mut answered = BTreeSet::new();
    let answers = units
        .into_iter()
        .filter(|unit| unit.awaits_placement() && answered.insert(&unit.name))
        .map(|unit| answer(&mut field, unit, now, rng))
        .collect();
    Plan { answers }
}

/// The nodes that would take one more Unit like this one, whatever address it would get.
pub fn takers(snapshot: &Snapshot, like: &Unit) -> BTreeSet<NodeId> {
    let Some(spec) = snapshot.specs.get(&like.spec) else { return BTreeSet::new() };
    let mut field = Field::new(snapshot);
    let demand = Demand::new(&mut field, like, spec);
    let takes = |id: &&NodeId| field.fleet.berth(id).is_some_and(|berth| demand.lack(&field, berth).is_none());
    snapshot.nodes.keys().filter(takes).cloned().collect()
}

fn answer<'a>(field: &mut Field<'a>, unit: &'a Versioned<Unit>, now: Timestamp, rng: &mut impl Rng) -> Answer {
    let Some(spec) = field.snapshot.specs.get(&unit.spec) else {
        // The record is broken, which the invariant checker reports; a later snapshot may hold the spec.
        return Answer::Wait(refuse(unit, refusal::without_nodes()));
    };
    if let Some(refusal) = field.refused(unit) {
        return unplaced(unit, refusal.clone());
    }
    let demand = Demand::new(field, unit, spec);
    if unit.scheduling.strategy.iter().any(|strategy| matches!(strategy, Strategy::Binpack { .. })) {
        field.sort();
    }
    let decided = rank::choose(field, &demand, rng)
        .ok_or(None)
        .and_then(|node| address::allocate(field, &demand, rng).map(|addresses| (node, addresses)).map_err(Some));
    match decided {
        Ok((berth, addresses)) => {
            field.hand_out(&demand, berth, &addresses);
            let node = field.fleet.id(berth).expect("a node that takes a unit is registered").clone();
            Answer::Bind(Bind {
                unit: unit.name.clone(),
                unit_revision: unit.revision,
                ledger_revision: field.ledger_revision(&node),
                placement: Placement::Bound {
                    node: node.clone(),
                    at: now,
                    address: addresses.unit,
                    container_addresses: addresses.containers,
                },
                node,
            })
        }
        Err(no_address) => {
            field.sort();
            let refusal = refusal::explain(field, &demand, no_address);
            field.refuse(&demand, &refusal);
            unplaced(unit, refusal)
        }
    }
}

/// The answer to a Unit that no node takes.
fn unplaced(unit: &Versioned<Unit>, refusal: Refusal) -> Answer {
    let refused = refuse(unit, refusal);
    if unit.scheduling.wait_for_room { Answer::Wait(refused) } else { Answer::Refuse(refused) }
}

fn refuse(unit: &Versioned<Unit>, refusal: Refusal) -> Refuse {
    Refuse { unit: unit.name.clone(), unit_revision: unit.revision, refusal }
}
