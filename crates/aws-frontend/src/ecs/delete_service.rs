//! DeleteService: its tasks are stopped from then on; it is DRAINING until the last has gone, and INACTIVE for a while.

use super::service::{self, Status, show};
use super::task::{Tags, reference};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{DeleteServiceInput, DeleteServiceOutput};
use aws_protocol::ServiceError;
use model::Snapshot;
use model::ecs::Service;
use model::ecs::service::SchedulingStrategy;
use std::sync::Arc;

pub(crate) async fn delete_service(
    context: Context,
    input: DeleteServiceInput,
) -> Result<DeleteServiceOutput, ServiceError> {
    let (deleted, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        let cluster = reference::cluster(snapshot, context.scope(), input.cluster.as_deref())?;
        let seen = service::named(snapshot, &cluster.id, input.service.as_deref())?;
        match service::status(snapshot, seen) {
            Status::Active => {}
            // A repeated call finds what the first one did.
            Status::Draining => return Ok((*seen.value).clone()),
            Status::Inactive => return Err(errors::service_not_found()),
        }
        if input.force != Some(true) {
            refuse_in_use(snapshot, seen)?;
        }
        let deleted = Service { desired_count: 0, deleted_at: Some(context.now()), ..(*seen.value).clone() };
        draft.update(&seen.id, seen, &deleted);
        Ok(deleted)
    })
    .await?;
    Ok(DeleteServiceOutput { service: Some(show::service(&snapshot, &deleted, Tags::Shown)) })
}

/// A daemon has no count that could be 0.
fn refuse_in_use(snapshot: &Snapshot, service: &Service) -> Result<(), ServiceError> {
    if service.scheduling == SchedulingStrategy::Replica && service.desired_count > 0 {
        return Err(errors::invalid_parameter("The service cannot be stopped while it is scaled above 0."));
    }
    let range = (service.id.clone(), Arc::from(""))..;
    let mut sets = snapshot.task_sets.range(range).take_while(|((of, _), _)| *of == service.id);
    if sets.any(|(_, set)| set.service_uid == service.uid && set.deleted_at.is_none()) {
        return Err(errors::invalid_parameter(
            "The service cannot be stopped while it has task sets. Delete them first, or delete the service with force.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::definition;
    use crate::testing::stage::Stage;
    use model::ecs::TaskSet;
    use model::unit::Lifecycle;
    use serde_json::json;

    const IN_USE: (&str, &str) =
        ("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.");

    async fn stage(desired: u32) -> Stage {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": desired});
        stage.create_service(input).await.unwrap();
        stage.take_up("web").await;
        stage
    }

    #[tokio::test]
    async fn a_service_that_is_to_have_tasks_is_deleted_only_by_force_and_drains_first() {
        let stage = stage(1).await;
        let tasks = stage.start_tasks("web", 1, Lifecycle::Running).await;
        let error = stage.delete_service(json!({"service": "web"})).await.unwrap_err();
        assert_eq!((&*error.code, error.message.as_str()), IN_USE);
        let deleted = stage.delete_service(json!({"service": "web", "force": true})).await.unwrap();
        assert_eq!((deleted.status.as_deref(), deleted.desired_count), (Some("DRAINING"), Some(0)));
        assert_eq!(deleted.running_count, Some(1));
        let again = stage.delete_service(json!({"service": "web"})).await.unwrap();
        assert_eq!(again, deleted);
        let create = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
        let error = stage.create_service(create.clone()).await.unwrap_err();
        assert_eq!(error.message, "Unable to Start a service that is still Draining.");
        stage.advance(&tasks[0], Lifecycle::Stopped).await;
        let over = stage.service("web").await;
        assert_eq!((over.status.as_deref(), over.running_count), (Some("INACTIVE"), Some(0)));
        assert_eq!(over.deployments.unwrap().len(), 0);
        assert!(over.task_definition.unwrap().ends_with("web:1"), "it stays describable");
        assert_eq!(stage.create_service(create).await.unwrap().status.as_deref(), Some("ACTIVE"));
    }

    #[tokio::test]
    async fn without_tasks_it_is_inactive_at_once_and_cannot_be_deleted_again() {
        let stage = stage(0).await;
        let deleted = stage.delete_service(json!({"service": "web"})).await.unwrap();
        assert_eq!(deleted.status.as_deref(), Some("INACTIVE"));
        let error = stage.delete_service(json!({"service": "web"})).await.unwrap_err();
        assert_eq!(error.code, "ServiceNotFoundException");
    }

    #[tokio::test]
    async fn a_daemon_needs_no_force() {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let input = json!({"serviceName": "web", "taskDefinition": "web", "schedulingStrategy": "DAEMON"});
        stage.create_service(input).await.unwrap();
        stage.delete_service(json!({"service": "web"})).await.unwrap();
    }

    #[tokio::test]
    async fn one_with_task_sets_does() {
        let stage = Stage::new().await;
        let input = json!({"serviceName": "web", "deploymentController": {"type": "EXTERNAL"}});
        stage.create_service(input).await.unwrap();
        let service = stage.stored_service("web");
        let set = TaskSet {
            service: service.id.clone(),
            id: "ecs-svc/1".into(),
            service_uid: service.uid.clone(),
            revision: "1".into(),
            created_at: service.created_at,
            updated_at: service.created_at,
            external_id: None,
            scale_bp: 0,
            tags: Default::default(),
            client_token: None,
            deleted_at: None,
        };
        stage
            .write(|_, draft| {
                draft.create(&(set.service.clone(), set.id.clone()), &set);
            })
            .await;
        let error = stage.delete_service(json!({"service": "web"})).await.unwrap_err();
        assert!(error.message.contains("task sets"), "{error}");
        stage.delete_service(json!({"service": "web", "force": true})).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_deleted() {
        let stage = stage(0).await;
        for (input, code) in [
            (json!({"service": "other"}), "ServiceNotFoundException"),
            (json!({"service": ""}), "InvalidParameterException"),
            (json!({"service": "web", "cluster": "nowhere"}), "ClusterNotFoundException"),
        ] {
            assert_eq!(stage.delete_service(input.clone()).await.unwrap_err().code, code, "{input}");
        }
    }
}
