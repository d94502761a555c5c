//! What a service's scheduler would write, as far as tests of the API need it.

use super::NOW;
use super::stage::Stage;
use crate::ecs::ServiceAdmission;
use model::Timestamp;
use model::ecs::deployment::{DeploymentStatus, Stage as LifecycleStage};
use model::ecs::service::{Rollout, SetRole, SlotSet};
use model::ecs::{DeploymentState, ServiceEvent, ServiceState};
use model::unit::{Admit, Lifecycle, Observed, SlotPlace, SlotWish};
use records::units::Intake;
use std::sync::Arc;

impl Stage {
    /// The newest deployment of a service becomes its primary set, in progress.
    pub(crate) async fn take_up(&self, service: &str) {
        let service = self.stored_service(service);
        self.write(|snapshot, draft| {
            let key = (service.id.clone(), service.deployment.clone().unwrap());
            let deployment = snapshot.deployments.get(&key).unwrap();
            let seen = snapshot.service_states.get(&service.id);
            let mut state =
                seen.filter(|s| s.service_uid == service.uid).map(|s| (*s.value).clone()).unwrap_or_default();
            state.service_uid = service.uid.clone();
            state.sets.iter_mut().for_each(|set| set.role = SetRole::Active);
            state.sets.insert(0, primary(&deployment.set, &deployment.target));
            draft.upsert(&service.id, seen, &state);
            draft.create(&key, &in_progress(&deployment.set));
        })
        .await;
    }

    /// The primary set of a service is all there is, and its deployment has succeeded.
    pub(crate) async fn complete(&self, service: &str) {
        self.progress(service, |state, progress| {
            state.sets.truncate(1);
            state.sets[0].rollout = Rollout::Completed;
            state.completed = Some(state.sets[0].revision.clone());
            progress.status = DeploymentStatus::Successful;
            progress.finished_at = Some(NOW);
        })
        .await;
    }

    /// Changes how far a service and its newest deployment have come.
    pub(crate) async fn progress(&self, service: &str, change: impl FnOnce(&mut ServiceState, &mut DeploymentState)) {
        let service = self.stored_service(service);
        self.write(|snapshot, draft| {
            let key = (service.id.clone(), service.deployment.clone().unwrap());
            let (seen, seen_progress) =
                (snapshot.service_states.get(&service.id).unwrap(), snapshot.deployment_states.get(&key).unwrap());
            let (mut state, mut progress) = ((*seen.value).clone(), (*seen_progress.value).clone());
            change(&mut state, &mut progress);
            draft.update(&service.id, seen, &state);
            draft.update(&key, seen_progress, &progress);
        })
        .await;
    }

    pub(crate) async fn say(&self, service: &str, place: u64, message: &str) {
        let service = self.stored_service(service);
        let event = ServiceEvent {
            service_uid: service.uid.clone(),
            id: place.to_string().into(),
            at: NOW,
            message: message.to_owned(),
        };
        self.write(|_, draft| {
            draft.create(&(service.id.clone(), place), &event);
        })
        .await;
    }

    /// Starts tasks in the primary set of a service and brings them this far. Answers their ids.
    pub(crate) async fn start_tasks(&self, service: &str, count: usize, lifecycle: Lifecycle) -> Vec<String> {
        let id = self.service_id(service);
        let snapshot = self.context.records().current();
        let set = snapshot.service_states.get(&id).unwrap().primary().unwrap().clone();
        let wish = SlotWish { service: id, set: set.id, revision: set.revision, place: SlotPlace::Any };
        let admitted = ServiceAdmission.admit(&snapshot, &wish, count, NOW).unwrap();
        let mut intake = Intake::new();
        for unit in &admitted.units {
            intake.admit(unit, &admitted.spec);
        }
        self.context.records().commit(intake.into_draft()).await.unwrap();
        let mut tasks = Vec::new();
        for unit in &admitted.units {
            let task = self.bound(unit.name.short()).await;
            self.observe(&task, Observed { lifecycle, started_at: Some(NOW), ..Observed::default() }).await;
            tasks.push(unit.name.short().to_owned());
        }
        tasks
    }
}

fn primary(id: &Arc<str>, revision: &Arc<str>) -> SlotSet {
    SlotSet {
        id: id.clone(),
        revision: revision.clone(),
        role: SetRole::Primary,
        rollout: Rollout::InProgress,
        rollout_reason: None,
        desired: 0,
        failed_tasks: 0,
        healthy: 0,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn in_progress(set: &Arc<str>) -> DeploymentState {
    DeploymentState {
        status: DeploymentStatus::InProgress,
        reason: None,
        stage: LifecycleStage::ScaleUp,
        stage_since: NOW,
        started_at: Some(NOW),
        finished_at: None,
        stopped_at: None,
        updated_at: later(1),
        set: set.clone(),
        rollback: None,
        failures: 0,
        failure_threshold: 3,
        breaker_triggered: false,
        alarms_before: None,
        alarms_triggered: Vec::new(),
        hooks: Vec::new(),
        weight_permille: 0,
    }
}

/// So many milliseconds after now.
pub(crate) fn later(ms: u64) -> Timestamp {
    NOW.saturating_add_ms(ms)
}
