//! Which Units of a set are stopped, when some have to be.

use super::members::{Member, Phase};
use super::planning::Planning;
use model::{NodeId, Timestamp, UnitName};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What kind of Unit a move takes away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pick {
    /// Not running: `all`, or only those whose node is leaving.
    Idle {
        all: bool,
    },
    Unhealthy,
    Warming {
        all: bool,
    },
    Healthy {
        all: bool,
    },
    /// Of a kept set, too many, and not healthy.
    SurplusIdle,
    /// Of a kept set, too many, and healthy.
    SurplusHealthy,
}

impl Pick {
    fn takes(self, member: &Member<'_>) -> bool {
        let moves_out = |all: bool| all || member.displaced;
        match self {
            Pick::Idle { all } => member.is_idle() && (moves_out(all) && (all || member.phase == Phase::Pending)),
            Pick::Unhealthy => member.phase == Phase::Unhealthy,
            Pick::Warming { all } => {
                matches!(member.phase, Phase::Warming(_)) && moves_out(all) && member.protected_until.is_none()
            }
            Pick::Healthy { all } => {
                member.phase == Phase::Healthy && moves_out(all) && member.protected_until.is_none()
            }
            Pick::SurplusIdle => {
                let counts = member.is_idle() || matches!(member.phase, Phase::Warming(_));
                counts && !member.displaced && member.protected_until.is_none()
            }
            Pick::SurplusHealthy => {
                member.phase == Phase::Healthy && !member.displaced && member.protected_until.is_none()
            }
        }
    }
}

impl Planning<'_> {
    /// The places of at most `count` members of a set: those that have come least far first; then from the zone and the node
    /// that have most (Developer Guide, "Scaling in"), then the youngest.
    pub(super) fn pick(&self, set: &str, pick: Pick, count: usize) -> Vec<usize> {
        if count == 0 {
            return Vec::new();
        }
        let mut candidates: Vec<usize> = (0..self.members.len())
            .filter(|place| &**self.members[*place].set == set && pick.takes(&self.members[*place]))
            .collect();
        let mut crowd = self.crowd(set);
        let mut picked = Vec::new();
        while picked.len() < count {
            let worst = candidates.iter().enumerate().min_by_key(|(_, place)| self.order(&crowd, **place));
            let Some((at, _)) = worst else { break };
            let place = candidates.swap_remove(at);
            crowd.leave(self, place);
            picked.push(place);
        }
        picked
    }

    fn order(&self, crowd: &Crowd, place: usize) -> (Phase, Reverse<u32>, Reverse<u32>, Reverse<Timestamp>, UnitName) {
        let member = &self.members[place];
        let (zone, node) = crowd.around(self, place);
        let phase = match member.phase {
            // How soon it would be healthy is no reason.
            Phase::Warming(_) => Phase::Warming(None),
            phase => phase,
        };
        (phase, Reverse(zone), Reverse(node), Reverse(member.unit.created_at), member.unit.name.clone())
    }

    fn crowd(&self, set: &str) -> Crowd {
        let mut crowd = Crowd::default();
        for member in self.members.iter().filter(|member| &**member.set == set && member.is_alive()) {
            if let Some(node) = member.node() {
                *crowd.zones.entry(self.zone(node)).or_default() += 1;
                *crowd.nodes.entry(node.clone()).or_default() += 1;
            }
        }
        crowd
    }

    pub(super) fn zone(&self, node: &NodeId) -> Option<String> {
        let node = self.snapshot.nodes.get(node)?;
        node.attributes.get("ecs.availability-zone").cloned().flatten()
    }
}

/// How many Units of a set each zone and node has.
#[derive(Default)]
struct Crowd {
    zones: BTreeMap<Option<String>, u32>,
    nodes: BTreeMap<NodeId, u32>,
}

impl Crowd {
    fn around(&self, planning: &Planning<'_>, place: usize) -> (u32, u32) {
        let Some(node) = planning.members[place].node() else { return (0, 0) };
        let zone = self.zones.get(&planning.zone(node)).copied().unwrap_or(0);
        (zone, self.nodes.get(node).copied().unwrap_or(0))
    }

    fn leave(&mut self, planning: &Planning<'_>, place: usize) {
        let Some(node) = planning.members[place].node() else { return };
        if let Some(count) = self.zones.get_mut(&planning.zone(node)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.nodes.get_mut(node) {
            *count = count.saturating_sub(1);
        }
    }
}
