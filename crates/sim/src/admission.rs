//! Admission as a front-end does it: a service's revision names a task definition, and that says what its tasks are.

use crate::temper::Temper;
use model::ecs::service::{Service, ServiceRevision};
use model::ecs::{TaskDefinition, TaskDefinitionStatus};
use model::unit::spec::NetworkMode;
use model::unit::{Admit, Admitted, Face, NotAdmitted, Owner, SlotPlace, SlotWish, Strategy, Unit, UnitSpec};
use model::{Snapshot, TaskDefinitionId, Timestamp};
use records::units::spec_hash;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use test_support::{HandClock, Wish, scope};

/// Names the tasks of services; the count outlives every server.
#[derive(Clone, Default)]
pub(crate) struct Admission(Arc<AtomicUsize>);

/// A task definition whose container has a temper. `resolves`: its image's tag is to mean the same for a whole revision.
pub(crate) fn definition(revision: u32, temper: Temper, cpu: u64, memory_mib: u64, resolves: bool) -> TaskDefinition {
    let consistency = if resolves { "enabled" } else { "disabled" };
    let container =
        json!({"name": "c0", "image": format!("{}:{revision}", temper.image()), "versionConsistency": consistency});
    TaskDefinition {
        id: TaskDefinitionId { scope: scope(), family: "app".into(), revision },
        status: TaskDefinitionStatus::Active,
        document: json!({"cpu": cpu, "memory": memory_mib, "containerDefinitions": [container]}),
        tags: Default::default(),
        registered_at: HandClock::START,
        registered_by: "root".into(),
        deregistered_at: None,
        delete_requested_at: None,
    }
}

/// The image that a definition's container runs.
pub(crate) fn image(definition: &TaskDefinition) -> &str {
    definition.document["containerDefinitions"][0]["image"].as_str().unwrap_or_default()
}

impl Admit for Admission {
    fn admit(
        &self,
        snapshot: &Snapshot,
        wish: &SlotWish,
        count: usize,
        now: Timestamp,
    ) -> Result<Admitted, NotAdmitted> {
        let gone = |what: &str| NotAdmitted { reason: format!("The {what} is gone.") };
        let service = snapshot.services.get(&wish.service).ok_or_else(|| gone("service"))?;
        let revision = snapshot.service_revisions.get(&(wish.service.clone(), wish.revision.clone()));
        let revision = revision.ok_or_else(|| gone("service revision"))?;
        let definition = snapshot.task_definitions.get(&revision.task_definition);
        let definition = definition.ok_or_else(|| gone("task definition"))?;
        let like = like(service, definition);
        let spec = spec(&like, revision, definition);
        let units = (0..count).map(|_| self.unit(&like, &spec, service, revision, wish, now)).collect();
        Ok(Admitted { units, spec })
    }
}

impl Admission {
    fn unit(
        &self,
        like: &Wish,
        spec: &UnitSpec,
        service: &Service,
        revision: &ServiceRevision,
        wish: &SlotWish,
        now: Timestamp,
    ) -> Unit {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let mut unit = like.unit(&format!("{}-{number:03}", service.id.name), now);
        unit.spec = spec_hash(spec);
        unit.owner =
            Some(Owner::EcsService { service: wish.service.clone(), uid: service.uid.clone(), set: wish.set.clone() });
        let Face::Ecs(face) = &unit.face;
        let mut face = (**face).clone();
        face.started_by = Some(wish.set.clone());
        face.task_definition = revision.task_definition.clone();
        let mut scheduling = (*unit.scheduling).clone();
        match &wish.place {
            SlotPlace::Any => {}
            SlotPlace::Provider(name, capacity) => {
                face.capacity_provider = Some(name.to_string());
                scheduling.capacity = *capacity;
            }
            SlotPlace::Node(node) => scheduling.node = Some(node.clone()),
        }
        unit.face = Face::Ecs(Arc::new(face));
        unit.scheduling = Arc::new(scheduling);
        unit
    }
}

fn like(service: &Service, definition: &TaskDefinition) -> Wish {
    let spread = |field: &str| Strategy::Spread { field: field.into() };
    let default = || vec![spread("attribute:ecs.availability-zone"), spread("instanceId")];
    let strategy = if service.strategy.is_empty() { default() } else { service.strategy.clone() };
    Wish {
        cluster: service.id.cluster.name.to_string(),
        cpu: definition.document["cpu"].as_u64().unwrap_or_default(),
        memory_mib: definition.document["memory"].as_u64().unwrap_or_default(),
        network: NetworkMode::None,
        constraints: service.constraints.clone(),
        strategy,
        group: service.group().to_string(),
        wait_for_room: true,
        ..Wish::default()
    }
}

fn spec(like: &Wish, revision: &ServiceRevision, definition: &TaskDefinition) -> UnitSpec {
    let mut spec = like.spec();
    if let Some(container) = spec.containers.first_mut() {
        container.image = image(definition).to_owned();
        container.image_digest = revision.images.first().map(|image| image.digest.to_string());
    }
    spec
}
