//! ContinueServiceDeployment: answers a hook that a deployment waits for.

use super::service::{self, rollout};
use super::{commit, errors};
use crate::context::Context;
use aws_api::ecs::{ContinueServiceDeploymentInput, ContinueServiceDeploymentOutput};
use aws_protocol::ServiceError;
use model::ecs::Deployment;
use model::ecs::deployment::{HookAction, HookAnswer, HookStatus};

pub(crate) async fn continue_service_deployment(
    context: Context,
    input: ContinueServiceDeploymentInput,
) -> Result<ContinueServiceDeploymentOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let (arn, hook) = (input.service_deployment_arn.unwrap_or_default(), input.hook_id.unwrap_or_default());
    let action = input.action.as_deref().and_then(service::value).unwrap_or(HookAction::Continue);
    commit::decide(context.records(), |snapshot, draft| {
        let seen = rollout::find(snapshot, context.scope(), &arn).ok_or_else(errors::service_deployment_not_found)?;
        if let Some(answer) = seen.answers.iter().find(|answer| *answer.hook == *hook) {
            // A repeated call finds what the first one said.
            return if answer.action == action { Ok(()) } else { Err(not_waiting(&hook)) };
        }
        let progress = rollout::progress(snapshot, seen).ok_or_else(|| not_waiting(&hook))?;
        let waits = progress.hooks.iter().any(|state| *state.id == *hook && state.status == HookStatus::AwaitingAction);
        if !waits || rollout::status(snapshot, seen).is_final() {
            return Err(not_waiting(&hook));
        }
        let id = (seen.service.clone(), seen.id.clone());
        let mut answered: Deployment = (*seen.value).clone();
        answered.answers.push(HookAnswer { hook: hook.as_str().into(), action, at: context.now() });
        draft.update(&id, seen, &answered).expect(&id, progress);
        Ok(())
    })
    .await?;
    Ok(ContinueServiceDeploymentOutput { service_deployment_arn: Some(arn) })
}

fn not_waiting(hook: &str) -> ServiceError {
    errors::invalid_parameter(format!(
        "The service deployment does not wait for an answer to the hook '{hook:.100}'. DescribeServiceDeployments shows those \
         that are AWAITING_ACTION."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::scheduler::later;
    use crate::testing::stage::{Stage, json};
    use model::ecs::deployment::{HookState, Stage as LifecycleStage};
    use serde_json::{Value, json};

    /// A deployment that waits for an answer to the hook `h`.
    async fn stage() -> (Stage, String) {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let hooks = json!([{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}]);
        let input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
            "deploymentConfiguration": {"lifecycleHooks": hooks}});
        let service = stage.create_service(input).await.unwrap();
        stage.take_up("web").await;
        stage
            .progress("web", |_, progress| {
                progress.hooks = vec![HookState {
                    id: "h".into(),
                    hook: 0,
                    stage: LifecycleStage::PostScaleUp,
                    status: HookStatus::AwaitingAction,
                    expires_at: later(60_000),
                }];
            })
            .await;
        (stage, service.current_service_deployment.unwrap())
    }

    async fn go_on(stage: &Stage, input: Value) -> Result<(), ServiceError> {
        continue_service_deployment(stage.context.clone(), json(input)).await.map(drop)
    }

    fn hook_details(stage: &Stage) -> Value {
        let snapshot = stage.context.records().current();
        let whole = rollout::whole(&snapshot, snapshot.deployments.values().next().unwrap());
        serde_json::to_value(whole.lifecycle_hook_details).unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_kept_and_shown_as_such() {
        let (stage, arn) = stage().await;
        let expires_at = later(60_000).unix_ms() as f64 / 1000.0;
        let waiting = json!([{"hookId": "h", "targetType": "PAUSE", "status": "AWAITING_ACTION",
            "expiresAt": expires_at, "timeoutAction": "ROLLBACK"}]);
        assert_eq!(hook_details(&stage), waiting);
        go_on(&stage, json!({"serviceDeploymentArn": arn, "hookId": "h"})).await.unwrap();
        assert_eq!(hook_details(&stage)[0]["status"], "IN_PROGRESS");
        let deployments = stage.context.records().current().deployments.clone();
        assert_eq!(deployments.values().next().unwrap().answers[0].action, HookAction::Continue);
    }

    #[tokio::test]
    async fn the_first_answer_counts() {
        let (stage, arn) = stage().await;
        let back = json!({"serviceDeploymentArn": arn, "hookId": "h", "action": "ROLLBACK"});
        go_on(&stage, back.clone()).await.unwrap();
        go_on(&stage, back).await.unwrap();
        let error = go_on(&stage, json!({"serviceDeploymentArn": arn, "hookId": "h"})).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert_eq!(stage.context.records().current().deployments.values().next().unwrap().answers.len(), 1);
    }

    #[tokio::test]
    async fn what_is_not_waited_for_cannot_be_answered() {
        let (stage, arn) = stage().await;
        for (input, code) in [
            (json!({"serviceDeploymentArn": arn, "hookId": "other"}), "InvalidParameterException"),
            (json!({"serviceDeploymentArn": arn}), "InvalidParameterException"),
            (json!({"serviceDeploymentArn": arn, "hookId": "h", "action": "WAIT"}), "InvalidParameterException"),
            (json!({"serviceDeploymentArn": "x", "hookId": "h"}), "ServiceDeploymentNotFoundException"),
        ] {
            assert_eq!(go_on(&stage, input.clone()).await.unwrap_err().code, code, "{input}");
        }
        stage.progress("web", |_, progress| progress.hooks[0].status = HookStatus::TimedOut).await;
        let error = go_on(&stage, json!({"serviceDeploymentArn": arn, "hookId": "h"})).await.unwrap_err();
        assert!(error.message.contains("does not wait"), "{error}");
    }
}
