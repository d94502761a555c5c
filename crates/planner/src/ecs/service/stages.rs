//! How a deployment advances through its lifecycle stages, and how it ends well; a stage is left when what it is for has
//! happened and every hook of it has succeeded.

use super::deployment::Failure;
use super::planning::Planning;
use super::words;
use model::ecs::deployment::{
    CleanUp, Deployment, DeploymentState, DeploymentStatus, DeploymentStrategy, EarlySuccess, HookAction, HookState,
    HookStatus, Stage,
};
use model::ecs::service::Rollout;
use rand::RngExt;

const MINUTE_MS: u64 = 60_000;
/// All production traffic, in thousandths.
const ALL: u32 = 1000;

/// A stage's verdict about itself.
enum Passed {
    Yes,
    No,
}

impl Planning<'_> {
    /// Takes the deployment under way through as many stages as it can pass now.
    pub(super) fn advance(&mut self) {
        // Each pass enters a later stage or ends, so there are no more of them than stages and steps of traffic.
        for _ in 0..2 * ALL {
            let Some(deployment) = self.current().cloned() else { return };
            let Some(progress) = self.current_progress().cloned() else { return };
            if progress.status == DeploymentStatus::RollbackInProgress {
                return self.end_rollback();
            }
            if !self.hooks_passed(&deployment, &progress) {
                return;
            }
            match self.pass(&deployment, &progress) {
                Passed::No => return,
                Passed::Yes if progress.stage == Stage::CleanUp => return self.succeed(),
                Passed::Yes => self.enter(self.next_stage(&deployment, progress.stage)),
            }
        }
    }

    fn next_stage(&self, deployment: &Deployment, stage: Stage) -> Stage {
        use Stage::*;
        match stage {
            ReconcileService => PreScaleUp,
            PreScaleUp => ScaleUp,
            ScaleUp => PostScaleUp,
            PostScaleUp if self.is_two_sided(deployment) => TestTrafficShift,
            TestTrafficShift => PostTestTrafficShift,
            PostTestTrafficShift => PreProductionTrafficShift,
            PreProductionTrafficShift => ProductionTrafficShift,
            ProductionTrafficShift => PostProductionTrafficShift,
            PostScaleUp | PostProductionTrafficShift => BakeTime,
            BakeTime | CleanUp => CleanUp,
        }
    }

    /// Both revisions stay whole until the traffic has moved; nothing is there to be kept whole when a service is new.
    pub(super) fn is_two_sided(&self, deployment: &Deployment) -> bool {
        deployment.configuration.strategy != DeploymentStrategy::Rolling && !deployment.source.is_empty()
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        let now = self.now();
        let Some(deployment) = self.current().cloned() else { return };
        let of_stage =
            deployment.configuration.hooks.iter().enumerate().filter(|(_, hook)| hook.stages.contains(&stage));
        let hooks: Vec<HookState> = of_stage
            .map(|(place, hook)| HookState {
                id: format!("{:032x}", self.rng.random::<u128>()).into(),
                hook: u32::try_from(place).unwrap_or(u32::MAX),
                stage,
                status: HookStatus::AwaitingAction,
                expires_at: now.saturating_add_ms(u64::from(hook.timeout_minutes) * MINUTE_MS),
            })
            .collect();
        if let Some(progress) = self.current_progress() {
            progress.stage = stage;
            progress.stage_since = now;
            progress.hooks.extend(hooks);
        }
    }

    /// Whether no hook of the stage is waited for any more; one that says no ends the deployment.
    fn hooks_passed(&mut self, deployment: &Deployment, progress: &DeploymentState) -> bool {
        let now = self.now();
        let mut all = true;
        let mut refused = None;
        for (place, hook) in progress.hooks.iter().enumerate() {
            if hook.stage != progress.stage || hook.status != HookStatus::AwaitingAction {
                continue;
            }
            let answer = deployment.answers.iter().find(|answer| answer.hook == hook.id).map(|answer| answer.action);
            let is_late = hook.expires_at <= now;
            let on_timeout = deployment.configuration.hooks.get(hook.hook as usize).map(|hook| hook.on_timeout);
            let status = match (answer, is_late) {
                (Some(HookAction::Continue), _) => HookStatus::Succeeded,
                (Some(HookAction::Rollback), _) => HookStatus::Failed,
                (None, true) => HookStatus::TimedOut,
                (None, false) => {
                    self.wake_at(hook.expires_at);
                    all = false;
                    continue;
                }
            };
            let goes_on = status == HookStatus::Succeeded
                || status == HookStatus::TimedOut && on_timeout == Some(HookAction::Continue);
            if !goes_on {
                refused = Some(if is_late {
                    "a lifecycle hook timed out"
                } else {
                    "a lifecycle hook was answered with ROLLBACK"
                });
            }
            if let Some(hook) = self.current_progress().and_then(|progress| progress.hooks.get_mut(place)) {
                hook.status = status;
            }
        }
        let Some(why) = refused else { return all };
        self.fail(&Failure {
            reason: format!("Service deployment rolled back because {why}."),
            set_reason: format!("ECS deployment failed: {why}."),
            event: why,
            by: "ECS deployment lifecycle hook",
            rolls_back: true,
        });
        false
    }

    /// Whether what a stage is for has happened.
    fn pass(&mut self, deployment: &Deployment, progress: &DeploymentState) -> Passed {
        let passed = match progress.stage {
            Stage::ScaleUp => self.is_scaled_up(deployment),
            Stage::ProductionTrafficShift => return self.shift(deployment, progress),
            Stage::BakeTime => return self.baked(deployment, progress),
            Stage::CleanUp => self.is_scaled_up(deployment) && (self.others_are_gone() || defers(deployment)),
            _ => true,
        };
        if passed { Passed::Yes } else { Passed::No }
    }

    /// As many healthy tasks as the deployment needs: all, or fewer where early success was asked for.
    fn is_scaled_up(&self, deployment: &Deployment) -> bool {
        let Some(primary) = self.state.primary() else { return false };
        let tally = self.tally(&primary.id);
        let desired = self.desired();
        let configuration = &deployment.configuration;
        let early =
            early(deployment).map(|early| early.healthy_percent.unwrap_or(configuration.minimum_healthy_percent));
        let needed = early.map_or(u64::from(desired), |percent| {
            (u64::from(desired) * u64::from(percent)).div_ceil(100).min(u64::from(desired))
        });
        u64::from(tally.healthy) >= needed
    }

    pub(super) fn others_are_gone(&self) -> bool {
        let Some(primary) = self.state.primary() else { return true };
        !self.members.iter().any(|member| member.takes_part() && *member.set != primary.id)
    }

    /// Moves production traffic by steps; the weights are what is asked for, since nothing carries traffic yet.
    fn shift(&mut self, deployment: &Deployment, progress: &DeploymentState) -> Passed {
        let (step, bake_minutes) = match deployment.configuration.strategy {
            DeploymentStrategy::Linear { step_permille, step_bake_minutes } => (step_permille, step_bake_minutes),
            DeploymentStrategy::Canary { permille, bake_minutes } if progress.weight_permille == 0 => {
                (permille, bake_minutes)
            }
            DeploymentStrategy::Canary { bake_minutes, .. } => (ALL, bake_minutes),
            DeploymentStrategy::BlueGreen | DeploymentStrategy::Rolling => (ALL, 0),
        };
        let now = self.now();
        let due = progress.stage_since.saturating_add_ms(u64::from(bake_minutes) * MINUTE_MS);
        if progress.weight_permille >= ALL {
            return Passed::Yes;
        }
        if progress.weight_permille > 0 && due > now {
            self.wake_at(due);
            return Passed::No;
        }
        if let Some(progress) = self.current_progress() {
            progress.weight_permille = progress.weight_permille.saturating_add(step.max(1)).min(ALL);
            progress.stage_since = now;
            if progress.weight_permille < ALL {
                let due = now.saturating_add_ms(u64::from(bake_minutes) * MINUTE_MS);
                self.wake_at(due);
                return if bake_minutes == 0 { self.shift_on(deployment) } else { Passed::No };
            }
        }
        Passed::Yes
    }

    fn shift_on(&mut self, deployment: &Deployment) -> Passed {
        match self.current_progress().cloned() {
            Some(progress) => self.shift(deployment, &progress),
            None => Passed::No,
        }
    }

    /// Both revisions stay for a while, so that alarms can say what is wrong.
    fn baked(&mut self, deployment: &Deployment, progress: &DeploymentState) -> Passed {
        let is_first = deployment.source.is_empty();
        let minutes = if is_first { 0 } else { deployment.configuration.bake_minutes.unwrap_or(0) };
        let due = progress.stage_since.saturating_add_ms(u64::from(minutes) * MINUTE_MS);
        if due <= self.now() {
            return Passed::Yes;
        }
        self.wake_at(due);
        Passed::No
    }

    fn succeed(&mut self) {
        self.complete(DeploymentStatus::Successful);
    }

    fn end_rollback(&mut self) {
        let Some(primary) = self.state.primary() else { return };
        let tally = self.tally(&primary.id);
        if tally.healthy >= self.desired() && self.others_are_gone() {
            self.complete(DeploymentStatus::RollbackSuccessful);
        }
    }

    fn complete(&mut self, status: DeploymentStatus) {
        let now = self.now();
        let Some(set) = self.state.sets.first_mut() else { return };
        set.rollout = Rollout::Completed;
        set.rollout_reason = Some(format!("ECS deployment {} completed.", set.id));
        set.updated_at = now;
        let (id, revision) = (set.id.clone(), set.revision.clone());
        self.state.completed = Some(revision);
        self.say(words::completed(self.name(), &id));
        if let Some(progress) = self.current_progress() {
            progress.status = status;
            progress.finished_at = Some(now);
            if status == DeploymentStatus::Successful {
                progress.weight_permille = ALL;
            }
        }
    }
}

fn early(deployment: &Deployment) -> Option<&EarlySuccess> {
    let is_rolling = deployment.configuration.strategy == DeploymentStrategy::Rolling;
    deployment.configuration.early_success.as_ref().filter(|early| early.enable && is_rolling)
}

/// It ends before the old tasks have gone.
fn defers(deployment: &Deployment) -> bool {
    early(deployment).is_some_and(|early| early.clean_up == Some(CleanUp::Deferred))
}
