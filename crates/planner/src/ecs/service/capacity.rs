//! Whose capacity a set's next Units use: as the revision's capacity provider strategy says, by what runs already.

use super::members::{self, Member};
use model::ecs::capacity::{capacity, distribute};
use model::ecs::service::ServiceRevision;
use model::unit::SlotPlace;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the next `count` Units of a set are to run, and how many of them where.
pub(super) fn places(
    revision: &ServiceRevision,
    members: &[Member<'_>],
    set: &Arc<str>,
    count: usize,
) -> Vec<(SlotPlace, usize)> {
    if revision.capacity.is_empty() {
        return vec![(SlotPlace::Any, count)];
    }
    let mut held: BTreeMap<&str, u32> = BTreeMap::new();
    for member in members.iter().filter(|member| member.set == set && member.is_alive()) {
        if let Some(provider) = &members::face(member.unit).capacity_provider {
            *held.entry(provider).or_default() += 1;
        }
    }
    let mut places: BTreeMap<SlotPlace, usize> = BTreeMap::new();
    for item in distribute(&revision.capacity, |provider| held.get(provider).copied().unwrap_or(0), count) {
        let place = SlotPlace::Provider(item.provider.as_str().into(), capacity(&item.provider));
        *places.entry(place).or_default() += 1;
    }
    places.into_iter().collect()
}
