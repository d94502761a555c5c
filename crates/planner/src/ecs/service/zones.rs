//! Availability Zone rebalancing: one task more where few run, then one less where many do (Developer Guide, "Balancing an Amazon
//! ECS service across Availability Zones").

use super::members::{Member, Phase};
use super::planning::Planning;
use crate::placement;
use crate::rollout::Bounds;
use model::Unit;
use model::ecs::service::Rollout;
use model::unit::Strategy;
use std::collections::BTreeMap;

impl Planning<'_> {
    /// One if a further task would make the zones more even: the service is whole, asks for it, and has a zone with at least two
    /// healthy tasks fewer than another and a node with room. Placement finds that zone, and scaling in the crowded one.
    pub(super) fn extra_for_zones(&self, bounds: &Bounds) -> u32 {
        let spreads = match self.service.strategy.first() {
            None => true,
            Some(Strategy::Spread { field }) => field == "attribute:ecs.availability-zone",
            Some(_) => false,
        };
        let Some(primary) = self.state.primary() else { return 0 };
        let asks = self.service.zone_rebalancing && spreads && bounds.max > bounds.desired;
        if !asks || primary.rollout != Rollout::Completed || !self.others_are_gone() {
            return 0;
        }
        let healthy: Vec<&Unit> =
            self.members.iter().filter(|m| m.phase == Phase::Healthy && !m.displaced).map(|m| &*m.unit.value).collect();
        let Some(like) = healthy.first().copied().filter(|_| healthy.len() == bounds.desired as usize) else {
            return 0;
        };
        let mut zones: BTreeMap<String, u32> = BTreeMap::new();
        for node in placement::takers(self.snapshot, like) {
            zones.entry(self.zone(&node).unwrap_or_default()).or_default();
        }
        // The further task, once it is there, may have taken the last room of its zone.
        let comes_up = |m: &&Member<'_>| m.is_alive() && *m.set == primary.id && m.phase < Phase::Unhealthy;
        for node in self.members.iter().filter(comes_up).filter_map(Member::node) {
            zones.entry(self.zone(node).unwrap_or_default()).or_default();
        }
        let open: Vec<String> = zones.keys().cloned().collect();
        for node in healthy.iter().filter_map(|unit| unit.placement.node()) {
            *zones.entry(self.zone(node).unwrap_or_default()).or_default() += 1;
        }
        let most = zones.values().max().copied().unwrap_or(0);
        let least_open = open.iter().filter_map(|zone| zones.get(zone)).min().copied().unwrap_or(most);
        u32::from(most >= least_open + 2)
    }
}
