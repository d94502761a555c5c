//! Version consistency: what an image's tag stands for is found out by a revision's first task; all later ones run the same
//! (Developer Guide, "Container image resolution").

use super::members::Member;
use super::planning::Planning;
use model::ecs::TaskDefinition;
use model::ecs::service::{ResolvedImage, ServiceRevision};
use std::sync::Arc;

impl Planning<'_> {
    /// How many tasks of a set may be started while it is not known what its images' tags stand for: one, which finds out.
    pub(super) fn limit_by_images(&mut self, set: &Arc<str>, revision: &ServiceRevision, count: usize) -> usize {
        let open = self.unresolved(revision);
        if open.is_empty() || !revision.images.is_empty() {
            return count;
        }
        if let Some(images) = self.members.iter().filter(|member| member.set == set).find_map(|of| resolved(of, &open))
        {
            self.plan.images = Some((revision.number.clone(), images));
            // The next plan starts tasks with these.
            return 0;
        }
        // A daemon's task that its own node has no room for may never find out; one on another node can.
        let is_stuck = |member: &Member<'_>| member.unit.scheduling.node.is_some() && member.unit.waits_for.is_some();
        let is_finding_out =
            self.members.iter().any(|member| member.set == set && member.is_alive() && !is_stuck(member));
        if is_finding_out { 0 } else { count.min(1) }
    }

    /// Containers whose image is named by a tag that is to mean the same for the whole revision, with that image.
    fn unresolved(&self, revision: &ServiceRevision) -> Vec<(Arc<str>, Arc<str>)> {
        let definition = self.snapshot.task_definitions.get(&revision.task_definition);
        definition.map(|definition| tagged_images(definition)).unwrap_or_default()
    }
}

fn tagged_images(definition: &TaskDefinition) -> Vec<(Arc<str>, Arc<str>)> {
    let containers = definition.document["containerDefinitions"].as_array();
    let open = containers.into_iter().flatten().filter_map(|container| {
        let (name, image) = (container["name"].as_str()?, container["image"].as_str()?);
        let is_open = !image.contains('@') && container["versionConsistency"].as_str() != Some("disabled");
        is_open.then(|| (name.into(), image.into()))
    });
    open.collect()
}

/// What a task has found the images to be; None until it knows all of them.
fn resolved(member: &Member<'_>, open: &[(Arc<str>, Arc<str>)]) -> Option<Vec<ResolvedImage>> {
    let seen = &member.unit.value.observed.containers;
    let of = |(container, image): &(Arc<str>, Arc<str>)| {
        let digest = seen.iter().find(|seen| seen.name == *container)?.image_digest.clone()?;
        Some(ResolvedImage { container: container.clone(), image: image.clone(), digest })
    };
    open.iter().map(of).collect()
}
