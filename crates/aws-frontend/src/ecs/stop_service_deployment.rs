//! StopServiceDeployment: asks for the end of a deployment that is under way; its scheduler ends it where it stands or goes back.

use super::service::rollout;
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{StopServiceDeploymentInput, StopServiceDeploymentOutput};
use aws_protocol::ServiceError;
use model::ecs::deployment::{DeploymentStatus, StopAsk, StopKind};
use model::ecs::{Deployment, DeploymentState};

pub(crate) async fn stop_service_deployment(
    context: Context,
    input: StopServiceDeploymentInput,
) -> Result<StopServiceDeploymentOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let arn = input.service_deployment_arn.unwrap_or_default();
    let kind = input.stop_type.as_deref().and_then(super::service::value).unwrap_or(StopKind::Rollback);
    commit::decide(context.records(), |snapshot, draft| {
        let seen = rollout::find(snapshot, context.scope(), &arn).ok_or_else(errors::service_deployment_not_found)?;
        let status = rollout::status(snapshot, seen);
        match (&seen.stop, status) {
            // A repeated call finds what the first one asked for.
            (Some(ask), DeploymentStatus::StopRequested | DeploymentStatus::RollbackRequested) if ask.kind == kind => {
                return Ok(());
            }
            (None, DeploymentStatus::Pending | DeploymentStatus::InProgress) => {}
            _ => {
                let status = super::service::word(status).unwrap_or_default();
                let message = format!("The service deployment cannot be stopped in the status {status}.");
                return Err(errors::conflict(message, Vec::new()));
            }
        }
        let id = (seen.service.clone(), seen.id.clone());
        let asked = Deployment { stop: Some(StopAsk { kind, at: context.now() }), ..(*seen.value).clone() };
        draft.update(&id, seen, &asked);
        match rollout::progress(snapshot, seen) {
            Some(progress) => draft.expect(&id, progress),
            None => draft.expect_absent::<DeploymentState>(&id),
        };
        Ok(())
    })
    .await?;
    Ok(StopServiceDeploymentOutput { service_deployment_arn: Some(arn) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, json};
    use serde_json::{Value, json};

    /// The deployment of the service `web`, which is under way.
    async fn stage() -> (Stage, String) {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
        let service = stage.create_service(input).await.unwrap();
        stage.take_up("web").await;
        (stage, service.current_service_deployment.unwrap())
    }

    async fn stop(stage: &Stage, input: Value) -> Result<(), ServiceError> {
        stop_service_deployment(stage.context.clone(), json(input)).await.map(drop)
    }

    async fn status(stage: &Stage) -> DeploymentStatus {
        let snapshot = stage.context.records().current();
        rollout::status(&snapshot, snapshot.deployments.values().next().unwrap())
    }

    #[tokio::test]
    async fn a_rollback_is_what_is_asked_for_if_nothing_is_said() {
        let (stage, arn) = stage().await;
        stop(&stage, json!({"serviceDeploymentArn": arn})).await.unwrap();
        let deployments = stage.context.records().current().deployments.clone();
        assert_eq!(deployments.values().next().unwrap().stop.as_ref().unwrap().kind, StopKind::Rollback);
        assert_eq!(status(&stage).await, DeploymentStatus::RollbackRequested);
    }

    #[tokio::test]
    async fn the_same_wish_twice_is_one_and_another_is_a_conflict() {
        let (stage, arn) = stage().await;
        let abort = json!({"serviceDeploymentArn": arn, "stopType": "ABORT"});
        stop(&stage, abort.clone()).await.unwrap();
        assert_eq!(status(&stage).await, DeploymentStatus::StopRequested);
        stop(&stage, abort).await.unwrap();
        let error = stop(&stage, json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"})).await.unwrap_err();
        assert_eq!(error.code, "ConflictException");
        assert!(error.message.contains("STOP_REQUESTED"), "{error}");
    }

    #[tokio::test]
    async fn what_is_over_or_goes_back_already_cannot_be_stopped() {
        let (stage, arn) = stage().await;
        for over in [DeploymentStatus::RollbackInProgress, DeploymentStatus::Successful] {
            stage.progress("web", |_, progress| progress.status = over).await;
            let error = stop(&stage, json!({"serviceDeploymentArn": arn})).await.unwrap_err();
            assert_eq!(error.code, "ConflictException", "{over:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_a_way_to_stop_is_refused() {
        let (stage, arn) = stage().await;
        for (input, code) in [
            (json!({}), "InvalidParameterException"),
            (json!({"serviceDeploymentArn": arn, "stopType": "NOW"}), "InvalidParameterException"),
            (json!({"serviceDeploymentArn": format!("{arn}x")}), "ServiceDeploymentNotFoundException"),
            (json!({"serviceDeploymentArn": "web"}), "ServiceDeploymentNotFoundException"),
        ] {
            assert_eq!(stop(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
    }
}
