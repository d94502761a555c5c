//! Units as a stage admits them for the service `web`.

use super::*;
use crate::testing::stage::{Stage, awsvpc};
use crate::testing::{NOW, definition, deregister};
use model::ecs::service::ResolvedImage;
use model::unit::placement::BinpackBy;
use model::unit::{Capacity, Placement, StopCause, StopIntent, Unit};
use model::{NodeId, UnitName};
use records::units::{self, Intake, spec_hash};
use serde_json::{Value, json};

const SET: &str = "ecs-svc/1234567890123456789";
const DIGEST: &str = "sha256:00";

async fn stage(more: Value) -> Stage {
    let stage = Stage::new().await;
    let mut web = definition("web");
    web.tags = serde_json::from_value(json!([{"key": "of", "value": "definition"}])).unwrap();
    stage.register(web).await;
    stage.register(awsvpc("vpc")).await;
    let mut input = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
        "tags": [{"key": "of", "value": "service"}]});
    more.as_object().unwrap().iter().for_each(|(key, value)| input[key] = value.clone());
    stage.create_service(input).await.unwrap();
    stage
}

fn wish(stage: &Stage, place: SlotPlace) -> SlotWish {
    let snapshot = stage.context.records().current();
    let revision = snapshot.service_revisions.values().next().unwrap().number.clone();
    SlotWish { service: stage.service_id("web"), set: SET.into(), revision, place }
}

fn admit(stage: &Stage, wish: &SlotWish, count: usize) -> Result<Admitted, NotAdmitted> {
    ServiceAdmission.admit(&stage.context.records().current(), wish, count, NOW)
}

async fn store(stage: &Stage, admitted: &Admitted) -> Vec<UnitName> {
    let mut intake = Intake::new();
    for unit in &admitted.units {
        intake.admit(unit, &admitted.spec);
    }
    stage.context.records().commit(intake.into_draft()).await.unwrap();
    admitted.units.iter().map(|unit| unit.name.clone()).collect()
}

/// Settles the image of the service's container.
async fn settle_image(stage: &Stage) {
    stage
        .write(|snapshot, draft| {
            let seen = snapshot.service_revisions.values().next().unwrap();
            let image = ResolvedImage { container: "app".into(), image: "app:1".into(), digest: DIGEST.into() };
            let next = ServiceRevision { images: vec![image], ..(*seen.value).clone() };
            draft.update(&(seen.service.clone(), seen.number.clone()), seen, &next);
        })
        .await;
}

#[tokio::test]
async fn units_are_the_services_and_wait_for_room() {
    let stage = stage(json!({})).await;
    let admitted = admit(&stage, &wish(&stage, SlotPlace::Any), 3).unwrap();
    let [first, second, _] = &admitted.units[..] else { panic!("three units") };
    assert_ne!(first.name, second.name);
    let uid = stage.stored_service("web").uid.clone();
    let owner = Owner::EcsService { service: stage.service_id("web"), uid, set: SET.into() };
    assert_eq!(first.owner, Some(owner));
    assert!(first.scheduling.wait_for_room);
    assert_eq!(&*first.scheduling.group, "service:web");
    let face = crate::ecs::task::face(first);
    assert_eq!((&*face.group, face.started_by.as_deref()), ("service:web", Some(SET)));
    let spread = |field: &str| Strategy::Spread { field: field.to_owned() };
    assert_eq!(first.scheduling.strategy, [spread("attribute:ecs.availability-zone"), spread("instanceId")]);
    assert_eq!(first.spec, spec_hash(&admitted.spec));
    assert_eq!(admitted.spec.containers[0].image_digest, None);
}

#[tokio::test]
async fn the_services_own_strategy_and_constraints_hold() {
    let placement = json!({"placementStrategy": [{"type": "binpack", "field": "cpu"}],
        "placementConstraints": [{"type": "distinctInstance"}]});
    let stage = stage(placement).await;
    let unit = admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap().units.remove(0);
    assert_eq!(unit.scheduling.strategy, [Strategy::Binpack { by: BinpackBy::Cpu }]);
    assert_eq!(unit.scheduling.constraints, [model::unit::Constraint::DistinctInstance]);
}

#[tokio::test]
async fn tags_come_from_where_they_are_propagated() {
    for (propagate, expected) in [("NONE", None), ("SERVICE", Some("service")), ("TASK_DEFINITION", Some("definition"))]
    {
        let stage = stage(json!({"propagateTags": propagate, "enableECSManagedTags": true})).await;
        let unit = admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap().units.remove(0);
        let tags = &crate::ecs::task::face(&unit).tags;
        assert_eq!(tags.get("of").map(String::as_str), expected, "{propagate}");
        assert_eq!((&*tags["aws:ecs:clusterName"], &*tags["aws:ecs:serviceName"]), ("default", "web"));
    }
}

#[tokio::test]
async fn a_place_is_kept_to() {
    let stage = stage(json!({})).await;
    let at = |place| admit(&stage, &wish(&stage, place), 1).unwrap().units.remove(0);
    assert_eq!(at(SlotPlace::Node(NodeId::new("n1"))).scheduling.node, Some(NodeId::new("n1")));
    let unit: Unit = at(SlotPlace::Provider("FARGATE_SPOT".into(), Capacity::ServerlessSpot));
    assert_eq!(unit.scheduling.capacity, Capacity::ServerlessSpot);
    assert_eq!(crate::ecs::task::face(&unit).capacity_provider.as_deref(), Some("FARGATE_SPOT"));
}

#[tokio::test]
async fn settled_images_are_pinned_unless_the_container_does_not_want_it() {
    let stage = stage(json!({})).await;
    settle_image(&stage).await;
    let pinned = admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap();
    assert_eq!(pinned.spec.containers[0].image_digest.as_deref(), Some(DIGEST));
    assert_eq!(pinned.units[0].spec, spec_hash(&pinned.spec));

    let mut loose = definition("loose");
    loose.container_definitions.as_mut().unwrap()[0].version_consistency = Some("disabled".to_owned());
    let stage = Stage::new().await;
    stage.register(loose).await;
    let input = json!({"serviceName": "web", "taskDefinition": "loose", "desiredCount": 1});
    stage.create_service(input).await.unwrap();
    settle_image(&stage).await;
    let loose = admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap();
    assert_eq!(loose.spec.containers[0].image_digest, None);
}

#[tokio::test]
async fn an_inactive_definition_still_serves_its_service() {
    let stage = stage(json!({})).await;
    deregister(&stage.context, "web:1").await;
    assert_eq!(admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap().units.len(), 1);
}

#[tokio::test]
async fn what_is_gone_or_cannot_run_is_said() {
    let stage = stage(json!({})).await;
    let fine = wish(&stage, SlotPlace::Any);
    let other_service = SlotWish { service: stage.service_id("other"), ..fine.clone() };
    let other_revision = SlotWish { revision: "1".into(), ..fine.clone() };
    assert!(admit(&stage, &other_service, 1).unwrap_err().reason.contains("service other is gone"));
    assert!(admit(&stage, &other_revision, 1).unwrap_err().reason.contains("revision 1 is gone"));
    stage
        .write(|snapshot, draft| {
            let web = snapshot.task_definitions.values().find(|definition| &*definition.id.family == "web").unwrap();
            draft.delete(&web.id, web);
        })
        .await;
    assert!(admit(&stage, &fine, 1).unwrap_err().reason.contains("task-definition/web:1 was deleted"));
}

#[tokio::test]
async fn without_an_instance_a_unit_is_no_task_unless_a_provider_is_to_bring_one() {
    let stage = stage(json!({})).await;
    stage.verdict(|_, _| None);
    let plain = store(&stage, &admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap()).await;
    let place = SlotPlace::Provider("mine".into(), Capacity::Instances);
    let provided = store(&stage, &admit(&stage, &wish(&stage, place), 1).unwrap()).await;
    let service = stage.service("web").await;
    assert_eq!((service.pending_count, service.running_count), (Some(1), Some(0)));
    let names = [plain[0].short().to_owned(), provided[0].short().to_owned()];
    let tasks = stage.describe_tasks(&names).await;
    let [task] = &tasks[..] else { panic!("one task") };
    assert!(task.task_arn.as_deref().unwrap().ends_with(&names[1]));
    assert_eq!(task.last_status.as_deref(), Some("PROVISIONING"));
    let snapshot = stage.context.records().current();
    assert_eq!(snapshot.units.get(&plain[0]).unwrap().placement, Placement::Pending);
}

#[tokio::test]
async fn a_task_of_a_service_shows_whose_it_is() {
    let stage = stage(json!({})).await;
    let names = store(&stage, &admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap()).await;
    let task = stage.bound(names[0].short()).await;
    assert_eq!((task.group.as_deref(), task.started_by.as_deref()), (Some("service:web"), Some(SET)));
    assert_eq!(task.last_status.as_deref(), Some("PENDING"));
}

#[tokio::test]
async fn a_task_that_its_scheduler_stops_says_who_did_and_why() {
    let stage = stage(json!({})).await;
    let names = store(&stage, &admit(&stage, &wish(&stage, SlotPlace::Any), 1).unwrap()).await;
    stage.bound(names[0].short()).await;
    let reason = format!("Scaling activity initiated by (deployment {SET})");
    let by = StopCause::SchedulerInitiated;
    let wish = StopIntent { by, reason: reason.clone(), requested_at: NOW, grace_s: None };
    units::stop(stage.context.records(), &names[0], wish).await.unwrap();
    let task = stage.bound(names[0].short()).await;
    assert_eq!(task.stop_code.as_deref(), Some("ServiceSchedulerInitiated"));
    assert_eq!((task.stopped_reason, task.desired_status.as_deref()), (Some(reason), Some("STOPPED")));
}
