//! Admission of tasks: from what a creator wants to Units that are ready to be stored. RunTask and StartTask go through here,
//! and so does every later creator; placing them is not decided here.

mod network;

use super::lower::{DefaultLogMode, Launch, Lowered, LoweredContainer, lower};
use super::{account_settings, describe_task_definition, errors};
use crate::ids;
use aws_api::ecs::values::{setting_name, version_consistency};
use aws_api::ecs::{NetworkConfiguration, TaskOverride};
use aws_protocol::ServiceError;
use model::ecs::service::ResolvedImage;
use model::ecs::{LaunchType, Tags, TaskDefinition, TaskFace};
use model::unit::observed::StopObserved;
use model::unit::spec::NetworkMode;
use model::unit::{
    Capacity, Constraint, Face, Lifecycle, Observed, Owner, Placement, Scheduling, StopCause, Strategy, Unit,
};
use model::{ClusterId, NodeId, Snapshot, SpecHash, Timestamp, UnitName, UnitSpec, UnitUid};
use records::units::spec_hash;
use std::sync::Arc;

/// What LATEST means on Linux (Developer Guide, "Fargate platform versions").
const PLATFORM_LATEST: &str = "1.4.0";
const PLATFORMS: [&str; 2] = ["1.3.0", PLATFORM_LATEST];
/// ECS API, PlacementConstraint: of a task, the definition's counted in.
const CONSTRAINTS_MAX: usize = 10;

/// What somebody wants of a number of like tasks.
pub(crate) struct Wish<'a> {
    pub cluster: &'a ClusterId,
    pub definition: &'a TaskDefinition,
    pub overrides: TaskOverride,
    pub launch_type: LaunchType,
    pub platform_version: Option<&'a str>,
    pub network: Option<&'a NetworkConfiguration>,
    pub constraints: Vec<Constraint>,
    pub strategy: Vec<Strategy>,
    pub group: Arc<str>,
    pub started_by: Option<Arc<str>>,
    pub tags: Tags,
    pub enable_execute_command: bool,
    /// Whose account settings count.
    pub principal: &'a str,
    /// Whose slots the tasks fill. Those wait for room; a task that stands alone is refused without.
    pub owner: Option<Owner>,
    /// What the images' tags stand for, where that is settled.
    pub images: &'a [ResolvedImage],
}

/// Where one of the tasks is to run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Place {
    /// Wherever the launch type's capacity is.
    Any,
    /// Capacity that a provider of this name gives; `waits` if what it has not may still come.
    Provider { name: String, capacity: Capacity, waits: bool },
    /// This container instance or none.
    Node(NodeId),
}

/// A wish that was found sound: any number of Units can be made of it.
pub(crate) struct Admission {
    pub spec: UnitSpec,
    hash: SpecHash,
    face: TaskFace,
    containers: Vec<LoweredContainer>,
    scheduling: Scheduling,
    owner: Option<Owner>,
    own_address: bool,
    /// Why no task of it can ever start, in ECS's words.
    doom: Option<String>,
}

impl Admission {
    /// # Errors
    /// InvalidParameterException, ClientException or PlatformUnknownException: what of the wish cannot be, in ECS's words.
    pub(crate) fn new(snapshot: &Snapshot, wish: Wish<'_>) -> Result<Self, ServiceError> {
        let document = describe_task_definition::document(wish.definition)?;
        let platform_version = platform(wish.launch_type, wish.platform_version)?;
        let launch = Launch { launch_type: wish.launch_type, default_log_mode: log_mode(snapshot, &wish) };
        let mut lowered = lower(&document, &wish.overrides, launch)?;
        pin(&mut lowered.spec, &document, wish.images);
        let own_address = lowered.spec.network == NetworkMode::Unit;
        let network = network::check(snapshot, &wish.cluster.scope, own_address, wish.launch_type, wish.network)?;
        let constraints: Vec<Constraint> = [lowered.constraints.clone(), wish.constraints].concat();
        if constraints.len() > CONSTRAINTS_MAX {
            return Err(errors::invalid_parameter(format!(
                "A task can have at most {CONSTRAINTS_MAX} placement constraints, those of its task definition counted in."
            )));
        }
        let overrides = serde_json::to_value(&lowered.overrides).expect("a shape of text and lists is always JSON");
        Ok(Self {
            hash: spec_hash(&lowered.spec),
            doom: doom(wish.launch_type, &lowered),
            face: TaskFace {
                cluster: wish.cluster.clone(),
                task_definition: wish.definition.id.clone(),
                launch_type: wish.launch_type,
                capacity_provider: None,
                group: wish.group.clone(),
                started_by: wish.started_by,
                overrides,
                tags: wish.tags,
                enable_execute_command: wish.enable_execute_command,
                platform_version,
                cpu: lowered.cpu,
                memory: lowered.memory,
                containers: Vec::new(),
                ephemeral_storage_gib: lowered.ephemeral_storage_gib,
                attachment_id: None,
                assign_public_ip: network.assign_public_ip,
                protected_until: None,
            },
            scheduling: Scheduling {
                capacity: capacity(wish.launch_type),
                group: wish.group,
                constraints,
                strategy: wish.strategy,
                node: None,
                subnets: network.subnets,
                security_groups: network.security_groups,
                required_attributes: lowered.required_attributes,
                wait_for_room: wish.owner.is_some(),
            },
            owner: wish.owner,
            containers: lowered.containers,
            spec: lowered.spec,
            own_address,
        })
    }

    /// One more task, with ids of its own.
    pub(crate) fn task(&self, place: Place, now: Timestamp) -> Unit {
        let id = ids::hex(16);
        let mut scheduling = self.scheduling.clone();
        let mut capacity_provider = None;
        match place {
            Place::Any => {}
            Place::Provider { name, capacity, waits } => {
                capacity_provider = Some(name);
                scheduling.capacity = capacity;
                scheduling.wait_for_room |= waits;
            }
            Place::Node(node) => scheduling.node = Some(node),
        }
        let face = TaskFace {
            capacity_provider,
            containers: self.containers.iter().map(|container| container.face(ids::uuid())).collect(),
            attachment_id: self.own_address.then(|| ids::uuid().into()),
            ..self.face.clone()
        };
        Unit {
            name: UnitName::EcsTask { cluster: face.cluster.clone(), id: id.as_str().into() },
            uid: UnitUid::new(id),
            created_at: now,
            face: Face::Ecs(Arc::new(face)),
            spec: self.hash.clone(),
            scheduling: Arc::new(scheduling),
            owner: self.owner.clone(),
            settled: false,
            waits_for: None,
            intent: Default::default(),
            placement: Placement::Pending,
            observed: self.doom.as_ref().map_or_else(Observed::default, |reason| doomed(reason, now)),
        }
    }
}

/// Fixes the images that are settled, but for containers whose version is not to be consistent (ECS API, ContainerDefinition
/// `versionConsistency`).
fn pin(spec: &mut UnitSpec, definition: &aws_api::ecs::TaskDefinition, images: &[ResolvedImage]) {
    let declared = definition.container_definitions.iter().flatten();
    for (container, declared) in spec.containers.iter_mut().zip(declared) {
        let is_consistent = declared.version_consistency.as_deref() != Some(version_consistency::DISABLED);
        let settled =
            images.iter().find(|known| *known.container == *container.name && *known.image == *container.image);
        container.image_digest = settled.filter(|_| is_consistent).map(|known| known.digest.to_string());
    }
}

fn capacity(launch_type: LaunchType) -> Capacity {
    match launch_type {
        LaunchType::Fargate => Capacity::Serverless,
        LaunchType::Ec2 | LaunchType::External => Capacity::Instances,
    }
}

/// What a Fargate task shows as its platform.
pub(super) fn platform(launch_type: LaunchType, given: Option<&str>) -> Result<Option<String>, ServiceError> {
    if launch_type != LaunchType::Fargate {
        return match given {
            None => Ok(None),
            Some(_) => {
                Err(errors::invalid_parameter("The platform version must be null when specifying an EC2 launch type."))
            }
        };
    }
    match given {
        None | Some("LATEST") => Ok(Some(PLATFORM_LATEST.to_owned())),
        Some(version) if PLATFORMS.contains(&version) => Ok(Some(version.to_owned())),
        Some(_) => Err(errors::platform_unknown()),
    }
}

fn log_mode(snapshot: &Snapshot, wish: &Wish<'_>) -> DefaultLogMode {
    let scope = &wish.cluster.scope;
    let value = account_settings::setting(snapshot, scope, wish.principal, setting_name::DEFAULT_LOG_DRIVER_MODE);
    DefaultLogMode::from_setting(Some(value))
}

/// Fargate takes every task and stops one that it cannot prepare; on instances placement says what is missing.
fn doom(launch_type: LaunchType, lowered: &Lowered) -> Option<String> {
    if launch_type != LaunchType::Fargate || lowered.unsupported.is_empty() {
        return None;
    }
    let features: Vec<&str> = lowered.unsupported.iter().map(|unsupported| unsupported.feature.as_str()).collect();
    Some(format!(
        "ResourceInitializationError: unable to prepare {}: no node of Bayplan can do this yet",
        features.join(", ")
    ))
}

/// The observation of a task that has failed before any node took it up. It is written with the Unit itself, so the node
/// session stays the only one that changes an observation.
fn doomed(reason: &str, now: Timestamp) -> Observed {
    Observed {
        lifecycle: Lifecycle::Stopped,
        stop: Some(StopObserved { cause: StopCause::FailedToStart, reason: reason.to_owned() }),
        stopping_at: Some(now),
        stopped_at: Some(now),
        ..Observed::default()
    }
}
