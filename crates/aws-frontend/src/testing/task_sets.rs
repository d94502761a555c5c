//! Services with an external controller for tests: their task sets, and what a scheduler would make of them.

use super::stage::{Stage, json};
use super::{NOW, definition};
use aws_api::ecs;
use aws_protocol::ServiceError;
use model::ecs::ServiceState;
use model::ecs::service::{Rollout, SetRole, SlotSet};
use serde_json::{Value, json};
use std::sync::Arc;

impl Stage {
    /// The service `web` with an external controller and one task set without tasks, whose ARN is answered. There are two
    /// definitions, `web:1` and `web:2`; the set has the first.
    pub(crate) async fn with_task_set(desired: u32) -> (Self, String) {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        stage.register(definition("web")).await;
        let external =
            json!({"serviceName": "web", "desiredCount": desired, "deploymentController": {"type": "EXTERNAL"}});
        stage.create_service(external).await.unwrap();
        let tags = json!([{"key": "of", "value": "set"}]);
        let set = stage.create_task_set(json!({"taskDefinition": "web:1", "tags": tags})).await.unwrap();
        (stage, set.task_set_arn.unwrap())
    }

    /// Creates a task set of the service `web`, in ECS's own spelling.
    pub(crate) async fn create_task_set(&self, more: Value) -> Result<ecs::TaskSet, ServiceError> {
        let mut input = json!({"cluster": "default", "service": "web"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = crate::ecs::create_task_set::create_task_set(self.context.clone(), json(input)).await?;
        Ok(answer.task_set.unwrap())
    }

    pub(crate) async fn scale_task_set(&self, set: &str, percent: f64) {
        let input = json!({"cluster": "default", "service": "web", "taskSet": set, "scale": {"value": percent}});
        crate::ecs::update_task_set::update_task_set(self.context.clone(), json(input)).await.unwrap();
    }

    pub(crate) async fn make_primary(&self, set: &str) {
        let input = json(json!({"cluster": "default", "service": "web", "primaryTaskSet": set}));
        let context = self.context.clone();
        crate::ecs::update_service_primary_task_set::update_service_primary_task_set(context, input).await.unwrap();
    }

    /// The scheduler has seen every task set of a service.
    pub(crate) async fn take_up_task_sets(&self, service: &str) {
        let service = self.stored_service(service);
        self.write(|snapshot, draft| {
            let sets = snapshot.task_sets.values().filter(|set| set.service == service.id);
            let state = ServiceState {
                service_uid: service.uid.clone(),
                sets: sets.map(|set| slot_set(&set.id, &set.value.revision)).collect(),
                ..ServiceState::default()
            };
            draft.upsert(&service.id, snapshot.service_states.get(&service.id), &state);
        })
        .await;
    }

    /// The last task of every task set has stopped, and the scheduler has seen that.
    pub(crate) async fn let_task_sets_go(&self, service: &str) {
        let service = self.stored_service(service);
        self.write(|snapshot, draft| {
            let state = ServiceState { service_uid: service.uid.clone(), ..ServiceState::default() };
            draft.upsert(&service.id, snapshot.service_states.get(&service.id), &state);
        })
        .await;
    }
}

fn slot_set(id: &Arc<str>, revision: &Arc<str>) -> SlotSet {
    SlotSet {
        id: id.clone(),
        revision: revision.clone(),
        role: SetRole::Active,
        rollout: Rollout::Completed,
        rollout_reason: None,
        desired: 0,
        failed_tasks: 0,
        healthy: 0,
        created_at: NOW,
        updated_at: NOW,
    }
}
