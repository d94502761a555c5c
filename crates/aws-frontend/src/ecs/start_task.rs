//! StartTask: a task on each of the container instances that the caller names, or a failure for it.

use super::intake::{Admission, Place, Wish};
use super::run_task::{draft, outcome, request};
use super::task::reference;
use super::{arn, errors, instance};
use crate::context::Context;
use aws_api::ecs::{Failure, StartTaskInput, StartTaskOutput};
use aws_protocol::ServiceError;
use model::ecs::{Cluster, LaunchType, MembershipStatus, TaskDefinition};
use model::{ClusterId, NodeId, Snapshot, UnitName};
use records::CommitError;

/// ECS API.
const INSTANCES_MAX: usize = 10;
/// Attempts to commit; each one means that something which the call was decided on has changed in between.
const ATTEMPTS: usize = 32;

pub(crate) async fn start_task(context: Context, input: StartTaskInput) -> Result<StartTaskOutput, ServiceError> {
    check(&input)?;
    for _ in 0..ATTEMPTS {
        let snapshot = context.records().current();
        let cluster = reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?;
        let definition = request::definition(&snapshot, context.scope(), input.task_definition.as_deref())?;
        let admission = admit(&context, &snapshot, cluster, definition, &input)?;
        let (mut nodes, mut failures) = (Vec::new(), Vec::new());
        for reference in input.container_instances.iter().flatten() {
            match find(&snapshot, &cluster.id, reference) {
                Ok(node) => nodes.push(node),
                Err(failure) => failures.push(failure),
            }
        }
        if nodes.is_empty() {
            return Ok(StartTaskOutput { tasks: Some(Vec::new()), failures: Some(failures) });
        }
        let now = context.now();
        let units: Vec<_> = nodes.into_iter().map(|node| admission.task(Place::Node(node), now)).collect();
        let names: Vec<UnitName> = units.iter().map(|unit| unit.name.clone()).collect();
        let touched = context.records().touched();
        match context.records().commit(draft(&admission, &units, cluster, definition)).await {
            Ok(_) => {
                let answer = outcome::settle(context.records(), touched, names).await?;
                failures.extend(answer.failures);
                return Ok(StartTaskOutput { tasks: Some(answer.tasks), failures: Some(failures) });
            }
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(errors::store(error)),
        }
    }
    Err(errors::store(CommitError::Conflict))
}

fn check(input: &StartTaskInput) -> Result<(), ServiceError> {
    if let Some(violation) = aws_protocol::validate(input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let instances = input.container_instances.as_ref().map_or(0, Vec::len);
    if instances == 0 {
        return Err(errors::invalid_parameter("Container instances cannot be empty."));
    }
    if instances > INSTANCES_MAX {
        return Err(errors::invalid_parameter(format!("containerInstances can have at most {INSTANCES_MAX} items.")));
    }
    request::reference_id(input.reference_id.as_deref())?;
    request::no_volumes(input.volume_configurations.as_deref())
}

fn admit(
    context: &Context,
    snapshot: &Snapshot,
    cluster: &Cluster,
    definition: &TaskDefinition,
    input: &StartTaskInput,
) -> Result<Admission, ServiceError> {
    let wish = Wish {
        cluster: &cluster.id,
        definition,
        overrides: input.overrides.clone().unwrap_or_default(),
        launch_type: LaunchType::Ec2,
        platform_version: None,
        network: input.network_configuration.as_ref(),
        constraints: Vec::new(),
        strategy: Vec::new(),
        group: request::group(input.group.as_deref(), definition)?,
        started_by: request::started_by(input.started_by.as_deref())?,
        tags: request::tags(
            input.tags.as_deref(),
            input.propagate_tags.as_deref(),
            input.enable_ecs_managed_tags.unwrap_or(false),
            &cluster.id,
            definition,
        )?,
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        principal: &context.caller.arn,
        owner: None,
        images: &[],
    };
    Admission::new(snapshot, wish)
}

/// The node of a container instance, or ECS's failure (Developer Guide, "Amazon ECS API failure reasons": MISSING, INACTIVE).
fn find(snapshot: &Snapshot, cluster: &ClusterId, reference: &str) -> Result<NodeId, Failure> {
    let fail = |arn: String, reason: &str| Failure { arn: Some(arn), reason: Some(reason.to_owned()), detail: None };
    let Some(node) = instance::find(snapshot, cluster, reference) else {
        let is_arn = reference.starts_with("arn:");
        let arn = if is_arn { reference.to_owned() } else { arn::container_instance(cluster, reference) };
        return Err(fail(arn, "MISSING"));
    };
    match snapshot.membership(cluster, &node.id).status {
        MembershipStatus::Active | MembershipStatus::Draining => Ok(node.id.clone()),
        MembershipStatus::Inactive => {
            Err(fail(arn::container_instance(cluster, &instance::instance_id(cluster, &node.id)), "INACTIVE"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, json, pairs};
    use model::ecs::Membership;
    use model::unit::Refusal;
    use model::unit::placement::Shortage;
    use records::Draft;
    use serde_json::{Value, json};

    async fn start(stage: &Stage, input: Value) -> Result<StartTaskOutput, ServiceError> {
        start_task(stage.context.clone(), json(input)).await
    }

    async fn stage() -> (Stage, [String; 2]) {
        let stage = Stage::new().await;
        stage.node("n2").await;
        stage.register(definition("web")).await;
        let ids = ["n1", "n2"].map(|node| instance::instance_id(&stage.cluster("default"), &NodeId::new(node)));
        (stage, ids)
    }

    #[tokio::test]
    async fn each_instance_by_id_or_arn_gets_its_task() {
        let (stage, [one, two]) = stage().await;
        let arn = arn::container_instance(&stage.cluster("default"), &two);
        let input = json!({"taskDefinition": "web", "containerInstances": [one, arn], "startedBy": "me",
            "enableECSManagedTags": true, "group": "g"});
        let answer = start(&stage, input).await.unwrap();
        assert_eq!(answer.failures.unwrap(), []);
        let tasks = answer.tasks.unwrap();
        let on: Vec<&str> =
            tasks.iter().map(|t| t.container_instance_arn.as_deref().unwrap().rsplit('/').next().unwrap()).collect();
        assert_eq!(on, [one, two]);
        let task = tasks[0].clone();
        assert_eq!((task.started_by.as_deref(), task.group.as_deref()), (Some("me"), Some("g")));
        assert_eq!(pairs(task.tags)["aws:ecs:clusterName"], "default");
    }

    #[tokio::test]
    async fn an_unknown_instance_is_missing_and_a_deregistered_one_inactive_while_the_others_run() {
        let (stage, [one, two]) = stage().await;
        let id = (stage.cluster("default"), NodeId::new("n2"));
        let membership = (*stage.context.records().current().membership(&id.0, &id.1)).clone();
        let mut draft = Draft::new();
        draft.create(&id, &Membership { status: MembershipStatus::Inactive, ..membership });
        stage.context.records().commit(draft).await.unwrap();
        let input = json!({"taskDefinition": "web", "containerInstances": [one, two, "nothing"]});
        let answer = start(&stage, input).await.unwrap();
        assert_eq!(answer.tasks.unwrap().len(), 1);
        let failures = answer.failures.unwrap();
        let reasons: Vec<_> = failures.iter().map(|failure| failure.reason.as_deref().unwrap()).collect();
        assert_eq!(reasons, ["INACTIVE", "MISSING"]);
        assert!(failures[1].arn.as_deref().unwrap().ends_with("container-instance/default/nothing"));
    }

    #[tokio::test]
    async fn only_unknown_instances_make_no_task() {
        let (stage, _) = stage().await;
        let before = stage.context.records().current().revision;
        let answer = start(&stage, json!({"taskDefinition": "web", "containerInstances": ["a", "b"]})).await.unwrap();
        assert_eq!((answer.tasks.unwrap().len(), answer.failures.unwrap().len()), (0, 2));
        assert_eq!(stage.context.records().current().revision, before);
    }

    #[tokio::test]
    async fn an_instance_without_room_is_a_failure() {
        let (stage, [one, _]) = stage().await;
        let main = Shortage::Memory;
        stage.refuse(Refusal { nodes: vec![(NodeId::new("n1"), main.clone())], main });
        let answer = start(&stage, json!({"taskDefinition": "web", "containerInstances": [one]})).await.unwrap();
        assert_eq!(answer.failures.unwrap()[0].reason.as_deref(), Some("RESOURCE:MEMORY"));
    }

    #[tokio::test]
    async fn what_run_task_refuses_is_refused_here_too() {
        let (stage, [one, _]) = stage().await;
        let with = |more: Value| {
            let mut input = json!({"taskDefinition": "web", "containerInstances": [one]});
            more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
            input
        };
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
        for (input, code, sentence) in [
            (with(json!({"containerInstances": []})), "InvalidParameterException", "cannot be empty"),
            (with(json!({"containerInstances": vec!["a"; 11]})), "InvalidParameterException", "at most 10"),
            (with(json!({"taskDefinition": "nothing"})), "ClientException", "TaskDefinition not found."),
            (with(json!({"cluster": "nowhere"})), "ClusterNotFoundException", "Cluster not found."),
            (with(json!({"group": "service:x"})), "InvalidParameterException", "namespace"),
            (with(json!({"networkConfiguration": network})), "InvalidParameterException", "is not valid"),
            (with(json!({"propagateTags": "SERVICE"})), "InvalidParameterException", "propagateTags"),
        ] {
            let error = start(&stage, input).await.unwrap_err();
            assert_eq!(error.code, code, "{error}");
            assert!(error.message.contains(sentence), "{error}");
        }
    }
}
