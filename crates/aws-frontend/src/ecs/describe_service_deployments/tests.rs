//! What is shown of deployments in each status.

use super::*;
use crate::testing::scheduler::later;
use crate::testing::stage::{Stage, json};
use crate::testing::{NOW, definition};
use model::ecs::deployment::{DeploymentStatus, Rollback, Stage as LifecycleStage};
use model::unit::Lifecycle;
use serde_json::{Value, json};

async fn stage(configuration: Value) -> Stage {
    let stage = Stage::new().await;
    stage.register(definition("web")).await;
    let input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
        "deploymentConfiguration": configuration});
    stage.create_service(input).await.unwrap();
    stage
}

/// The newest deployment.
async fn shown(stage: &Stage) -> Value {
    let arn = stage.service("web").await.current_service_deployment.unwrap();
    let input = json(json!({"serviceDeploymentArns": [arn]}));
    let answer = describe_service_deployments(stage.context.clone(), input).await.unwrap();
    assert_eq!(answer.failures.unwrap(), []);
    serde_json::to_value(answer.service_deployments.unwrap().remove(0)).unwrap()
}

#[tokio::test]
async fn before_anybody_has_begun_it_is_pending_and_says_what_was_asked() {
    let stage = stage(json!({})).await;
    let mut shown = shown(&stage).await;
    let id = stage.stored_service("web").deployment.clone().unwrap();
    let now = NOW.unix_ms() as f64 / 1000.0;
    assert_eq!(
        shown["serviceDeploymentArn"],
        format!("arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/{id}")
    );
    assert_eq!((&shown["status"], &shown["sourceServiceRevisions"]), (&json!("PENDING"), &json!([])));
    assert_eq!((&shown["createdAt"], &shown["updatedAt"]), (&json!(now), &json!(now)));
    assert_eq!(shown["deploymentCircuitBreaker"], json!({"status": "DISABLED", "failureCount": 0}));
    assert_eq!(shown["deploymentConfiguration"]["maximumPercent"], 200);
    let target = shown["targetServiceRevision"].take();
    assert_eq!((&target["requestedTaskCount"], &target["runningTaskCount"]), (&json!(2), &json!(0)));
    assert_eq!(target.get("requestedProductionTrafficWeight"), None, "tasks and traffic move together");
    for absent in ["startedAt", "finishedAt", "stoppedAt", "lifecycleStage", "lifecycleHookDetails", "rollback"] {
        assert_eq!(shown.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn one_under_way_says_how_far_it_is() {
    let alarms = json!({"alarmNames": ["errors"], "enable": true, "rollback": true});
    let breaker = json!({"enable": true, "rollback": true});
    let stage = stage(json!({"alarms": alarms, "deploymentCircuitBreaker": breaker})).await;
    stage.take_up("web").await;
    stage.start_tasks("web", 1, Lifecycle::Running).await;
    stage.progress("web", |_, progress| progress.failures = 2).await;
    let running = shown(&stage).await;
    assert_eq!((&running["status"], &running["lifecycleStage"]), (&json!("IN_PROGRESS"), &json!("SCALE_UP")));
    assert_eq!(running["targetServiceRevision"]["runningTaskCount"], 1);
    let breaker = json!({"status": "MONITORING", "failureCount": 2, "threshold": 3});
    assert_eq!(running["deploymentCircuitBreaker"], breaker);
    let alarms = json!({"status": "MONITORING", "alarmNames": ["errors"], "triggeredAlarmNames": []});
    assert_eq!(running["alarms"], alarms);
    stage.complete("web").await;
    let done = shown(&stage).await;
    assert_eq!((&done["status"], &done["alarms"]["status"]), (&json!("SUCCESSFUL"), &json!("MONITORING_COMPLETE")));
}

#[tokio::test]
async fn one_that_went_back_says_why_and_where_to() {
    let stage = stage(json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}})).await;
    stage.take_up("web").await;
    stage
        .progress("web", |_, progress| {
            progress.status = DeploymentStatus::RollbackSuccessful;
            progress.reason = Some("because".to_owned());
            progress.breaker_triggered = true;
            progress.finished_at = Some(later(9000));
            let rollback =
                Rollback { reason: "because".to_owned(), started_at: later(1000), revision: "17".into(), failures: 1 };
            progress.rollback = Some(rollback);
        })
        .await;
    let shown = shown(&stage).await;
    assert_eq!((&shown["status"], &shown["statusReason"]), (&json!("ROLLBACK_SUCCESSFUL"), &json!("because")));
    assert_eq!(shown["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    let revision = "arn:aws:ecs:us-east-1:000000000000:service-revision/default/web/17";
    let started_at = later(1000).unix_ms() as f64 / 1000.0;
    let rollback = json!({"reason": "because", "startedAt": started_at, "serviceRevisionArn": revision});
    assert_eq!(shown["rollback"], rollback);
}

#[tokio::test]
async fn where_traffic_is_shifted_each_revision_shows_its_share() {
    let stage = stage(json!({"strategy": "CANARY"})).await;
    stage.take_up("web").await;
    stage.complete("web").await;
    stage.update_service(json!({"service": "web", "forceNewDeployment": true})).await.unwrap();
    stage.take_up("web").await;
    stage
        .progress("web", |_, progress| {
            progress.stage = LifecycleStage::ProductionTrafficShift;
            progress.weight_permille = 50;
        })
        .await;
    let shown = shown(&stage).await;
    assert_eq!(shown["targetServiceRevision"]["requestedProductionTrafficWeight"], 5.0);
    let sources = shown["sourceServiceRevisions"].as_array().unwrap();
    assert_eq!((sources.len(), &sources[0]["requestedProductionTrafficWeight"]), (1, &json!(95.0)));
}

#[tokio::test]
async fn a_wish_to_stop_shows_at_once_and_one_of_a_deleted_service_has_stopped() {
    let stage = stage(json!({})).await;
    let arn = shown(&stage).await["serviceDeploymentArn"].clone();
    let stop = json(json!({"serviceDeploymentArn": arn, "stopType": "ABORT"}));
    crate::ecs::stop_service_deployment::stop_service_deployment(stage.context.clone(), stop).await.unwrap();
    assert_eq!(shown(&stage).await["status"], "STOP_REQUESTED");
    stage.delete_service(json!({"service": "web", "force": true})).await.unwrap();
    assert_eq!(shown(&stage).await["status"], "STOPPED");
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_none_and_too_many_are_refused() {
    let stage = stage(json!({})).await;
    let describe = async |arns: Value| {
        let input = json(json!({"serviceDeploymentArns": arns}));
        describe_service_deployments(stage.context.clone(), input).await
    };
    let missing = [
        "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/x",
        "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web",
        "arn:aws:ecs:eu-west-1:000000000000:service-deployment/default/web/x",
        "default/web/x",
    ];
    let failures = describe(json!(missing)).await.unwrap().failures.unwrap();
    assert_eq!(failures.iter().map(|failure| failure.arn.as_deref().unwrap()).collect::<Vec<_>>(), missing);
    assert!(failures.iter().all(|failure| failure.reason.as_deref() == Some("MISSING")));
    for arns in [json!([]), json!(vec!["a"; 21])] {
        let error = describe(arns).await.unwrap_err();
        assert!(error.message.contains("from 1 to 20"), "{error}");
    }
}
