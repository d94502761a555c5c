//! Daemon services: one task on each container instance that may have one.

use super::members::Phase;
use super::planning::Planning;
use super::{Start, words};
use crate::rollout::Bounds;
use model::ecs::service::{Rollout, SchedulingStrategy};
use model::ecs::{MembershipStatus, TaskDefinition};
use model::query::{Member as ClusterMember, Query, Subject as _};
use model::unit::{Constraint, Owner, SlotPlace, StopCause};
use model::{NodeId, ServiceId, Snapshot};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a node has of the service: places of members.
#[derive(Default)]
struct OnNode {
    /// Of the primary set, running or coming up.
    new: Vec<usize>,
    /// Of other sets.
    old: Vec<usize>,
    /// Asked to stop and still taking part.
    leaving: u32,
}

impl Planning<'_> {
    /// Starts a task where one is missing, stops those where none may be, and replaces old ones within the bounds.
    pub(super) fn cover_nodes(&mut self) {
        let eligible = self.eligible_nodes();
        let desired = u32::try_from(eligible.len()).unwrap_or(u32::MAX);
        let configuration = self.configuration();
        let bounds =
            Bounds::from_percent(desired, configuration.maximum_percent, configuration.minimum_healthy_percent);
        self.leave_ineligible(&eligible);
        let Some(primary) = self.state.primary().cloned() else { return };
        if primary.rollout != Rollout::Failed {
            self.replace_on(&eligible, &primary.id, &bounds);
        }
        if let Some(set) = self.state.sets.first_mut() {
            set.desired = desired;
        }
        self.conclude(desired);
    }

    /// Nodes that are to have a task: active members with the attributes and constraints that it needs.
    pub(super) fn eligible_nodes(&self) -> Vec<NodeId> {
        let cluster = &self.service.id.cluster;
        let definition = self.state.primary().and_then(|set| self.revision(&set.revision)).and_then(|revision| {
            self.snapshot.task_definitions.get(&revision.task_definition).map(|definition| &*definition.value)
        });
        let queries = self.queries(definition);
        let fits = |id: &&NodeId| {
            let Some(member) = ClusterMember::of(self.snapshot, cluster, id) else { return false };
            let is_active = member.membership.is_none_or(|membership| membership.status == MembershipStatus::Active);
            is_active
                && queries.iter().all(|query| query.as_ref().is_some_and(|query| query.matches(&member)))
                && definition.is_none_or(|definition| has_attributes(&member, definition))
        };
        self.snapshot.nodes.keys().filter(fits).cloned().collect()
    }

    /// The memberOf constraints of service and task definition; None for one that cannot be read, which nothing satisfies.
    fn queries(&self, definition: Option<&TaskDefinition>) -> Vec<Option<Query>> {
        let of_service = self.service.constraints.iter().filter_map(|constraint| match constraint {
            Constraint::MemberOf { expression } => Some(expression.as_str()),
            Constraint::DistinctInstance => None,
        });
        let of_definition = definition
            .and_then(|definition| definition.document["placementConstraints"].as_array())
            .into_iter()
            .flatten()
            .filter_map(|constraint| constraint["expression"].as_str());
        of_service.chain(of_definition).map(|expression| Query::parse(expression).ok()).collect()
    }

    /// On a draining instance a daemon is the last to go (Developer Guide, "Container instance draining").
    fn leave_ineligible(&mut self, eligible: &[NodeId]) {
        let stops: Vec<usize> = (0..self.members.len())
            .filter(|place| {
                let member = &self.members[*place];
                let node = member.node().or(member.unit.scheduling.node.as_ref());
                let may_stay = node.is_some_and(|node| {
                    eligible.contains(node)
                        || is_draining(self.snapshot, &self.service.id, node) && has_others(self.snapshot, node)
                });
                member.is_alive() && !may_stay
            })
            .take(self.room())
            .collect();
        self.stop_all(&stops, words::DRAINING);
    }

    fn stop_all(&mut self, places: &[usize], reason: &str) {
        let mut by_set: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for place in places {
            by_set.entry(self.members[*place].set.clone()).or_default().push(*place);
            self.stop(*place, reason.to_owned(), StopCause::SchedulerInitiated);
        }
        for (set, places) in by_set {
            self.say_stopped(&set, &places);
        }
    }

    fn replace_on(&mut self, eligible: &[NodeId], set: &Arc<str>, bounds: &Bounds) {
        let on = self.by_node(set);
        let mut taking_part: u32 =
            u32::try_from(self.members.iter().filter(|m| m.takes_part()).count()).unwrap_or(u32::MAX);
        let mut healthy = self.members.iter().filter(|member| member.phase == Phase::Healthy).count();
        let (mut stops, mut starts) = (Vec::new(), Vec::new());
        let nothing = OnNode::default();
        for node in eligible {
            if stops.len() + starts.len() >= self.room() {
                break;
            }
            let here = on.get(node).unwrap_or(&nothing);
            let (serving, sick): (Vec<usize>, Vec<usize>) =
                here.new.iter().partition(|place| self.members[**place].phase != Phase::Unhealthy);
            let is_up = serving.iter().any(|place| self.members[*place].phase == Phase::Healthy);
            // One that was ill is well again, beside the one that was to take its place.
            let surplus = self.all_but_the_best(&serving);
            // A successor that the node has no room for, or that waits until there is some.
            let has_no_room = serving.iter().any(|place| self.members[*place].unit.waits_for.is_some());
            // One that is ill may stay until there is another; those that were ill before it need not.
            let given_up = self.all_but_the_youngest(&sick);
            let goes: Vec<usize> = here.old.iter().chain(&sick).chain(&surplus).copied().collect();
            let may_start_first = bounds.max > taking_part;
            let is_missing = serving.is_empty();
            if is_missing
                && (may_start_first || goes.is_empty() && here.leaving == 0 && taking_part < bounds.max.max(1))
            {
                starts.push(node.clone());
                taking_part += 1;
            }
            // Beside its successor, or to make room for it.
            for place in goes {
                let was_healthy = self.members[place].phase == Phase::Healthy;
                let is_spare = !was_healthy || healthy > bounds.min_healthy as usize;
                if self.members[place].protected_until.is_none()
                    && is_spare
                    && (is_up
                        || has_no_room
                        || is_missing && !may_start_first
                        || surplus.contains(&place)
                        || given_up.contains(&place))
                {
                    stops.push(place);
                    healthy -= usize::from(was_healthy);
                }
            }
        }
        let sick: Vec<usize> =
            stops.iter().copied().filter(|place| self.members[*place].phase == Phase::Unhealthy).collect();
        for place in &sick {
            let message = words::failed_health_checks(self.name(), &self.members[*place].unit.name);
            self.say(message);
            self.count_failure(set);
        }
        stops.retain(|place| !sick.contains(place));
        self.stop_all(&sick, words::UNHEALTHY);
        let reason = words::scaling(set);
        self.stop_all(&stops, &reason);
        self.start_on(set, starts);
    }

    /// Those of a node's tasks that it has too many of: the one that has come farthest stays, the oldest of those.
    fn all_but_the_best(&self, places: &[usize]) -> Vec<usize> {
        let rank = |place: &usize| (self.members[*place].phase, Reverse(self.members[*place].unit.created_at));
        let best = places.iter().copied().max_by_key(rank);
        places.iter().copied().filter(|place| Some(*place) != best).collect()
    }

    fn all_but_the_youngest(&self, places: &[usize]) -> Vec<usize> {
        let youngest = places.iter().copied().max_by_key(|place| self.members[*place].unit.created_at);
        places.iter().copied().filter(|place| Some(*place) != youngest).collect()
    }

    fn start_on(&mut self, set: &Arc<str>, nodes: Vec<NodeId>) {
        if nodes.is_empty() || self.is_throttled() {
            return;
        }
        let Some(revision) = self.state.set(set).map(|set| set.revision.clone()) else { return };
        let Some(record) = self.revision(&revision) else { return };
        let count = self.limit_by_images(set, record, nodes.len());
        for node in nodes.into_iter().take(count) {
            let wish = self.wish(set, &revision, SlotPlace::Node(node));
            self.start(Start { wish, count: 1 });
        }
    }

    fn by_node(&self, primary: &Arc<str>) -> BTreeMap<NodeId, OnNode> {
        let mut on: BTreeMap<NodeId, OnNode> = BTreeMap::new();
        for (place, member) in self.members.iter().enumerate() {
            let Some(node) = member.node().or(member.unit.scheduling.node.as_ref()) else { continue };
            let here = on.entry(node.clone()).or_default();
            if member.phase == Phase::Leaving {
                here.leaving += 1;
            } else if member.is_alive() && member.set == primary {
                here.new.push(place);
            } else if member.is_alive() {
                here.old.push(place);
            }
        }
        on
    }
}

fn has_attributes(member: &ClusterMember<'_>, definition: &TaskDefinition) -> bool {
    let required = definition.document["requiresAttributes"].as_array();
    required.into_iter().flatten().all(|attribute| {
        let Some(name) = attribute["name"].as_str() else { return true };
        member
            .attribute(name)
            .is_some_and(|value| attribute["value"].as_str().is_none_or(|wanted| value == Some(wanted)))
    })
}

fn is_draining(snapshot: &Snapshot, service: &ServiceId, node: &NodeId) -> bool {
    let membership = snapshot.memberships.get(&(service.cluster.clone(), node.clone()));
    membership.is_some_and(|membership| membership.status == MembershipStatus::Draining)
}

/// Whether Units that are of no daemon service take part on a node.
fn has_others(snapshot: &Snapshot, node: &NodeId) -> bool {
    let is_daemon = |owner: &Owner| {
        let service = snapshot.services.get(owner.service());
        service.is_some_and(|service| service.scheduling == SchedulingStrategy::Daemon)
    };
    snapshot.units_of_node(node).any(|unit| !unit.owner.as_ref().is_some_and(is_daemon))
}
