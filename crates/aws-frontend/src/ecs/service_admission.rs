//! What a service's scheduler wants becomes tasks: the revision says what runs, the service how it is placed and tagged.

use super::intake::{Admission, Place, Wish};
use super::{arn, errors};
use aws_api::ecs::NetworkConfiguration;
use aws_protocol::ServiceError;
use model::ecs::service::{PropagateTags, Service, ServiceRevision};
use model::ecs::{LaunchType, Tags, TaskDefinition};
use model::unit::{Admit, Admitted, NotAdmitted, Owner, SlotPlace, SlotWish, Strategy};
use model::{Snapshot, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

/// Developer Guide, "Amazon ECS services": what a service without a strategy is placed by.
const DEFAULT_SPREAD: [&str; 2] = ["attribute:ecs.availability-zone", "instanceId"];

/// The ECS front-end's half of the service scheduler.
#[derive(Clone, Copy, Default, Debug)]
pub struct ServiceAdmission;

impl Admit for ServiceAdmission {
    fn admit(
        &self,
        snapshot: &Snapshot,
        wish: &SlotWish,
        count: usize,
        now: Timestamp,
    ) -> Result<Admitted, NotAdmitted> {
        let refuse = |reason: String| NotAdmitted { reason };
        let service = snapshot.services.get(&wish.service);
        let service = service.ok_or_else(|| refuse(format!("The service {} is gone.", wish.service.name)))?;
        let revision = snapshot.service_revisions.get(&(wish.service.clone(), wish.revision.clone()));
        let revision = revision
            .filter(|revision| revision.service_uid == service.uid)
            .ok_or_else(|| refuse(format!("The service revision {} is gone.", wish.revision)))?;
        let definition = snapshot.task_definitions.get(&revision.task_definition);
        let definition = definition.ok_or_else(|| {
            refuse(format!("The task definition {} was deleted.", arn::task_definition(&revision.task_definition)))
        })?;
        if revision.launch_type == LaunchType::External {
            return Err(refuse("No external instances were found in your cluster.".to_owned()));
        }
        let admission = admission(snapshot, service, revision, definition, &wish.set);
        let admission = admission.map_err(|error| refuse(error.message))?;
        let place = || match &wish.place {
            SlotPlace::Any => Place::Any,
            SlotPlace::Provider(name, capacity) => {
                Place::Provider { name: name.to_string(), capacity: *capacity, waits: true }
            }
            SlotPlace::Node(node) => Place::Node(node.clone()),
        };
        let units = (0..count).map(|_| admission.task(place(), now)).collect();
        Ok(Admitted { units, spec: admission.spec })
    }
}

/// Whether tasks of a revision could be made as far as anybody can tell now.
///
/// # Errors
/// What RunTask would answer: InvalidParameterException, ClientException or PlatformUnknownException.
pub(super) fn check(
    snapshot: &Snapshot,
    service: &Service,
    revision: &ServiceRevision,
    definition: &TaskDefinition,
) -> Result<(), ServiceError> {
    admission(snapshot, service, revision, definition, &Arc::from("")).map(drop)
}

fn admission(
    snapshot: &Snapshot,
    service: &Service,
    revision: &ServiceRevision,
    definition: &TaskDefinition,
    set: &Arc<str>,
) -> Result<Admission, ServiceError> {
    let network = revision.network.as_ref().map(NetworkConfiguration::deserialize).transpose().map_err(|error| {
        tracing::error!(%error, service = %service.id.name, "a stored network configuration is unreadable");
        errors::server("The stored network configuration is unreadable. Give it anew with UpdateService.")
    })?;
    let wish = Wish {
        cluster: &service.id.cluster,
        definition,
        overrides: Default::default(),
        launch_type: revision.launch_type,
        platform_version: revision.platform_version.as_deref(),
        network: network.as_ref(),
        constraints: service.constraints.clone(),
        strategy: strategy(service),
        group: service.group(),
        started_by: Some(set.clone()),
        tags: tags(service, definition),
        enable_execute_command: service.enable_execute_command,
        principal: &service.created_by,
        owner: Some(Owner::EcsService { service: service.id.clone(), uid: service.uid.clone(), set: set.clone() }),
        images: &revision.images,
    };
    Admission::new(snapshot, wish)
}

fn strategy(service: &Service) -> Vec<Strategy> {
    if service.strategy.is_empty() {
        return DEFAULT_SPREAD.map(|field| Strategy::Spread { field: field.to_owned() }).to_vec();
    }
    service.strategy.clone()
}

/// Those that are propagated, and ECS's own.
fn tags(service: &Service, definition: &TaskDefinition) -> Tags {
    let mut tags = match service.propagate_tags {
        Some(PropagateTags::Service) => service.tags.clone(),
        Some(PropagateTags::TaskDefinition) => definition.tags.clone(),
        Some(PropagateTags::None) | None => Tags::new(),
    };
    if service.enable_managed_tags {
        tags.insert("aws:ecs:clusterName".to_owned(), service.id.cluster.name.to_string());
        tags.insert("aws:ecs:serviceName".to_owned(), service.id.name.to_string());
    }
    tags
}

#[cfg(test)]
mod tests;
