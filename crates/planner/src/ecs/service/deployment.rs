//! Deployments begin, are superseded, fail and are rolled back; how they advance is in [`super::stages`].

use super::planning::Planning;
use super::words;
use crate::rollout::breaker::{self, Threshold};
use model::ecs::deployment::{Deployment, DeploymentState, DeploymentStatus, Rollback, Stage, StopKind, ThresholdKind};
use model::ecs::service::{Rollout, SetRole, SlotSet};
use std::sync::Arc;

/// Why a deployment does not go on: for the deployment, for its set, and for the event.
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) set_reason: String,
    /// The end of "deployment failed: …".
    pub(super) event: &'static str,
    /// How its set is told that another takes over: who rolled back.
    pub(super) by: &'static str,
    pub(super) rolls_back: bool,
}

impl Planning<'_> {
    /// The deployment that the service is to reach, while it is under way.
    pub(super) fn current(&self) -> Option<&Deployment> {
        self.deployment(self.service.deployment.as_ref()?)
    }

    pub(super) fn current_progress(&mut self) -> Option<&mut DeploymentState> {
        let id = self.service.deployment.clone()?;
        self.progress(&id).filter(|progress| !progress.status.is_final())
    }

    pub(super) fn resets_on_healthy_task(&self) -> bool {
        let breaker = self.current().and_then(|deployment| deployment.configuration.breaker.as_ref());
        breaker.is_none_or(|breaker| breaker.reset_on_healthy_task)
    }

    /// A deployment that nobody has begun gets a set of its own, which becomes the primary one; the one before it ends.
    pub(super) fn take_up_deployment(&mut self) {
        let Some(id) = self.service.deployment.clone() else { return };
        let Some(deployment) = self.deployment(&id) else { return };
        if self.progress(&id).is_some() {
            return;
        }
        let now = self.now();
        self.end_deployments("a newer one was started");
        self.state.sets.iter_mut().for_each(|set| set.role = SetRole::Active);
        self.state.sets.insert(0, new_set(deployment.set.clone(), deployment.target.clone(), now));
        self.state.steady = false;
        self.state.throttle = Default::default();
        let alarms = deployment.configuration.alarms.as_ref().filter(|alarms| alarms.enable);
        let before = alarms.map(|alarms| self.firing_of(&alarms.names));
        let progress = DeploymentState {
            status: DeploymentStatus::InProgress,
            reason: None,
            stage: Stage::ReconcileService,
            stage_since: now,
            started_at: Some(now),
            finished_at: None,
            stopped_at: None,
            updated_at: now,
            set: deployment.set.clone(),
            rollback: None,
            failures: 0,
            failure_threshold: breaker_threshold(deployment, self.desired()),
            breaker_triggered: false,
            alarms_before: before,
            alarms_triggered: Vec::new(),
            hooks: Vec::new(),
            weight_permille: 0,
        };
        self.deployments.insert(id.clone(), progress);
        self.enter(Stage::ReconcileService);
    }

    /// Ends deployments that are still under way, where they stand.
    pub(super) fn end_deployments(&mut self, why: &str) {
        let now = self.now();
        let of_service = (self.service.id.clone(), Arc::<str>::from(""));
        let states = self.snapshot.deployment_states.range(of_service..);
        let states = states.take_while(|((service, _), _)| *service == self.service.id);
        let open: Vec<Arc<str>> =
            states.filter(|(_, state)| !state.status.is_final()).map(|((_, id), _)| id.clone()).collect();
        for id in open {
            if let Some(progress) = self.progress(&id) {
                progress.status = DeploymentStatus::Stopped;
                progress.reason = Some(format!("Service deployment stopped because {why}."));
                progress.stopped_at = Some(now);
                progress.finished_at = Some(now);
            }
        }
    }

    /// Ends the deployment under way if something says that it must not go on.
    pub(super) fn judge(&mut self) {
        let Some(deployment) = self.current().cloned() else { return };
        let Some(progress) = self.current_progress().cloned() else { return };
        if let Some(ask) = deployment.stop.as_ref().filter(|_| progress.status == DeploymentStatus::InProgress) {
            return match ask.kind {
                StopKind::Abort => self.abort(),
                StopKind::Rollback => self.fail(&Failure {
                    reason: "Service deployment rolled back because a user asked for it.".to_owned(),
                    set_reason: "Deployment was stopped by a user.".to_owned(),
                    event: "stopped by a user",
                    by: "Stop requested",
                    rolls_back: true,
                }),
            };
        }
        if let Some(failure) = self.tripped(&deployment, &progress).or_else(|| self.alarmed(&deployment, &progress)) {
            self.fail(&failure);
        }
    }

    /// The circuit breaker: too many failures in a row.
    fn tripped(&mut self, deployment: &Deployment, progress: &DeploymentState) -> Option<Failure> {
        let breaker = deployment.configuration.breaker.as_ref().filter(|breaker| breaker.enable)?;
        let threshold = breaker_threshold(deployment, self.desired());
        let state = self.current_progress()?;
        state.failure_threshold = threshold;
        if progress.counted() < threshold {
            return None;
        }
        state.breaker_triggered = true;
        Some(Failure {
            reason: "Service deployment rolled back because the circuit breaker threshold was exceeded.".to_owned(),
            set_reason: "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
            event: "tasks failed to start",
            by: "ECS deployment circuit breaker",
            rolls_back: breaker.rollback,
        })
    }

    /// An alarm that was not on before the deployment began.
    fn alarmed(&mut self, deployment: &Deployment, progress: &DeploymentState) -> Option<Failure> {
        let alarms = deployment.configuration.alarms.as_ref().filter(|alarms| alarms.enable)?;
        if progress.status == DeploymentStatus::RollbackInProgress {
            // They are what it goes back from.
            return None;
        }
        let before = progress.alarms_before.as_deref().unwrap_or_default();
        let on: Vec<String> = self.firing_of(&alarms.names).into_iter().filter(|name| !before.contains(name)).collect();
        if on.is_empty() {
            return None;
        }
        self.current_progress()?.alarms_triggered = on;
        Some(Failure {
            reason: "Service deployment rolled back because of one or more alarms.".to_owned(),
            set_reason: "ECS deployment failed: alarm detected.".to_owned(),
            event: "alarm detected",
            by: "ECS deployment alarm",
            rolls_back: alarms.rollback,
        })
    }

    fn firing_of(&self, names: &[String]) -> Vec<String> {
        names.iter().filter(|name| self.around.firing.contains(*name)).cloned().collect()
    }

    /// Ends the deployment under way where it stands: whatever runs goes on.
    fn abort(&mut self) {
        let now = self.now();
        let Some(progress) = self.current_progress() else { return };
        progress.status = DeploymentStatus::Stopped;
        progress.reason = Some("Service deployment was stopped by a user.".to_owned());
        progress.stopped_at = Some(now);
        progress.finished_at = Some(now);
        let set = progress.set.clone();
        self.mark_failed(&set, "Deployment was stopped by a user.".to_owned());
    }

    /// The deployment under way has failed: back to where the last one completed, or no further.
    pub(super) fn fail(&mut self, failure: &Failure) {
        let now = self.now();
        let Some(progress) = self.current_progress().cloned() else { return };
        let failed = self.state.primary().map_or_else(|| progress.set.clone(), |set| set.id.clone());
        self.say(words::failed(self.name(), &failed, failure.event));
        let was_going_back = progress.status == DeploymentStatus::RollbackInProgress;
        let to = self.state.completed.clone().filter(|to| self.state.primary().is_none_or(|set| set.revision != *to));
        let back = if failure.rolls_back && !was_going_back { to } else { None };
        let Some(revision) = back else {
            self.mark_failed(&failed, failure.set_reason.clone());
            let Some(progress) = self.current_progress() else { return };
            // Without a way back it is over where it stands.
            progress.status = match failure.rolls_back || was_going_back {
                true => DeploymentStatus::RollbackFailed,
                false => DeploymentStatus::Stopped,
            };
            progress.reason = Some(match progress.status {
                DeploymentStatus::RollbackFailed if !was_going_back => {
                    "No rollback candidate was found to run the rollback.".to_owned()
                }
                DeploymentStatus::RollbackFailed => "The rollback failed too.".to_owned(),
                _ => failure.set_reason.clone(),
            });
            progress.finished_at = Some(now);
            progress.stopped_at = Some(now);
            return;
        };
        let to = self.go_back_to(&revision, &failed, failure);
        self.say(words::rolling_back(self.name(), &to));
        let Some(progress) = self.current_progress() else { return };
        progress.status = DeploymentStatus::RollbackInProgress;
        progress.reason = Some(failure.reason.clone());
        progress.rollback = Some(Rollback { reason: failure.reason.clone(), started_at: now, revision, failures: 0 });
        progress.set = to;
        progress.weight_permille = 0;
        progress.stage_since = now;
        self.state.throttle = Default::default();
    }

    /// The completed revision becomes the primary set again: its own one if that is still there.
    fn go_back_to(&mut self, revision: &Arc<str>, failed: &str, failure: &Failure) -> Arc<str> {
        let now = self.now();
        self.mark_failed(failed, failure.set_reason.clone());
        self.state.sets.iter_mut().for_each(|set| set.role = SetRole::Active);
        let there = self.state.sets.iter().position(|set| set.revision == *revision);
        let mut set = match there {
            Some(place) => self.state.sets.remove(place),
            None => new_set(format!("ecs-svc/{}", self.new_number()).into(), revision.clone(), now),
        };
        let id = set.id.clone();
        set.role = SetRole::Primary;
        set.rollout = Rollout::InProgress;
        set.rollout_reason = Some(format!("{}: rolling back to deploymentId {id}.", failure.by));
        set.failed_tasks = 0;
        set.updated_at = now;
        self.state.sets.insert(0, set);
        id
    }

    fn mark_failed(&mut self, id: &str, reason: String) {
        let now = self.now();
        if let Some(set) = self.state.sets.iter_mut().find(|set| &*set.id == id) {
            set.rollout = Rollout::Failed;
            set.rollout_reason = Some(reason);
            set.updated_at = now;
        }
    }
}

pub(super) fn new_set(id: Arc<str>, revision: Arc<str>, now: model::Timestamp) -> SlotSet {
    SlotSet {
        rollout_reason: Some(format!("ECS deployment {id} in progress.")),
        id,
        revision,
        role: SetRole::Primary,
        rollout: Rollout::InProgress,
        desired: 0,
        failed_tasks: 0,
        healthy: 0,
        created_at: now,
        updated_at: now,
    }
}

/// Failures in a row at which the deployment's circuit breaker trips.
pub(super) fn breaker_threshold(deployment: &Deployment, desired: u32) -> u32 {
    let given = deployment.configuration.breaker.as_ref().and_then(|breaker| breaker.threshold);
    let threshold = given.map_or(breaker::DEFAULT, |given| match given.kind {
        ThresholdKind::Count => Threshold::Count(given.value),
        ThresholdKind::BoundedPercent => Threshold::BoundedPercent(given.value),
        ThresholdKind::UnboundedPercent => Threshold::UnboundedPercent(given.value),
    });
    threshold.failures(desired)
}
