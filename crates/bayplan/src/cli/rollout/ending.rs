//! How following a deployment ends: what happened in a sentence, the next command, and the exit code.

use super::words::{self, plural};
use crate::roles::admin::rollout::view::View;
use model::ecs::deployment::DeploymentStatus;
use model::ecs::deployment::StopKind;

/// How a deployment stands when nobody looks any longer. Exit codes: docs/cli.md.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Successful,
    /// It failed, and nothing was put back.
    Failed,
    RolledBack,
    /// It is still under way.
    NotOver,
    /// Somebody ended it: a user, or a newer deployment.
    Stopped,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Ending {
    pub(super) outcome: Outcome,
    pub(in crate::cli) what: String,
    pub(super) next: String,
}

impl Ending {
    pub(in crate::cli) fn of(view: &View) -> Self {
        use DeploymentStatus::*;
        let outcome = match view.status {
            Successful => Outcome::Successful,
            RollbackSuccessful => Outcome::RolledBack,
            RollbackFailed => Outcome::Failed,
            Stopped if has_failed(view) => Outcome::Failed,
            Stopped => Outcome::Stopped,
            Pending | InProgress | StopRequested | RollbackRequested | RollbackInProgress => Outcome::NotOver,
        };
        Self { outcome, what: what(view, outcome), next: next(view, outcome) }
    }

    /// The wait was longer than it was to be.
    pub(in crate::cli) fn late(view: &View, limit_s: u64) -> Self {
        let so_far = Self::of(view);
        match so_far.outcome {
            Outcome::NotOver => Self { what: format!("{} It was waited for {limit_s} s.", so_far.what), ..so_far },
            _ => so_far,
        }
    }

    pub(in crate::cli) fn exit_code(&self) -> u8 {
        match self.outcome {
            Outcome::Successful => 0,
            Outcome::Failed => 4,
            Outcome::RolledBack => 5,
            Outcome::NotOver => 6,
            Outcome::Stopped => 8,
        }
    }
}

fn has_failed(view: &View) -> bool {
    view.breaker.as_ref().is_some_and(|breaker| breaker.triggered) || !view.alarms_triggered.is_empty()
}

fn what(view: &View, outcome: Outcome) -> String {
    let (service, target) = (&view.service, &view.to.task_definition);
    let took = view.finished_at_ms.map(|at| words::seconds(at.saturating_sub(view.created_at_ms)));
    let after = took.map(|took| format!(" after {took}")).unwrap_or_default();
    let reason = view.reason.as_deref().unwrap_or("no reason was given");
    match outcome {
        Outcome::Successful => format!("{service} runs {target}{after}."),
        Outcome::RolledBack => {
            let back = view.rollback.as_ref().map_or("what it ran before", |rollback| &rollback.to.task_definition);
            format!("{service} runs {back} again{after}, not {target}: {reason}")
        }
        Outcome::Failed => format!("The deployment of {target} failed{after}: {reason}"),
        Outcome::Stopped => format!("The deployment of {target} was ended{after}: {reason}"),
        Outcome::NotOver => {
            let healthy: usize = view.sets.first().map_or(0, |set| set.tasks.healthy);
            format!(
                "The deployment of {target} is not over: {}, {healthy} of {} healthy.",
                words::status(view),
                plural(view.desired, "task")
            )
        }
    }
}

fn next(view: &View, outcome: Outcome) -> String {
    let cluster = match view.cluster.as_str() {
        "default" => String::new(),
        cluster => format!(" --cluster {cluster}"),
    };
    let of_service = |command: &str| format!("bayplan {command} {}{cluster}", view.service);
    match outcome {
        Outcome::Successful => "bayplan ps --services".to_owned(),
        Outcome::NotOver => match view.hooks.first() {
            Some(hook) => hook.command.clone(),
            None => of_service("rollout"),
        },
        Outcome::Stopped if !view.newest => of_service("rollout"),
        Outcome::Stopped if view.stop == Some(StopKind::Abort) => {
            format!("aws ecs update-service{cluster} --service {} --force-new-deployment", view.service)
        }
        Outcome::Failed | Outcome::RolledBack | Outcome::Stopped => {
            format!("bayplan why service/{}{cluster}", view.service)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{hook, view};
    use super::*;
    use crate::roles::admin::rollout::view::RollbackView;

    /// The ending of a deployment that took 2.5 seconds.
    fn ended(status: DeploymentStatus, change: impl FnOnce(&mut View)) -> Ending {
        let mut view = view();
        view.status = status;
        view.finished_at_ms = Some(view.created_at_ms + 2500);
        view.reason = Some("because.".to_owned());
        change(&mut view);
        Ending::of(&view)
    }

    fn tripped(view: &mut View) {
        view.breaker.as_mut().unwrap().triggered = true;
    }

    #[test]
    fn success_is_0_and_says_what_runs() {
        let ending = ended(DeploymentStatus::Successful, |_| {});
        assert_eq!((ending.exit_code(), ending.what.as_str()), (0, "web runs hello:2 after 2.5 s."));
        assert_eq!(ending.next, "bayplan ps --services");
    }

    #[test]
    fn a_rollback_is_5_and_says_what_runs_again() {
        let ending = ended(DeploymentStatus::RollbackSuccessful, |view| {
            view.rollback = Some(RollbackView { reason: "because.".into(), to: view.from[0].clone() });
        });
        assert_eq!(ending.exit_code(), 5);
        assert_eq!(ending.what, "web runs hello:1 again after 2.5 s, not hello:2: because.");
        assert_eq!(ending.next, "bayplan why service/web");
    }

    #[test]
    fn a_failure_that_nothing_put_right_is_4() {
        assert_eq!(ended(DeploymentStatus::RollbackFailed, |_| {}).exit_code(), 4);
        assert_eq!(ended(DeploymentStatus::Stopped, tripped).exit_code(), 4);
        let alarmed = ended(DeploymentStatus::Stopped, |view| view.alarms_triggered = vec!["errors".into()]);
        assert_eq!(alarmed.exit_code(), 4);
        assert_eq!(alarmed.what, "The deployment of hello:2 failed after 2.5 s: because.");
    }

    #[test]
    fn a_deployment_that_somebody_ended_is_8() {
        let superseded = ended(DeploymentStatus::Stopped, |view| view.newest = false);
        assert_eq!((superseded.exit_code(), superseded.next.as_str()), (8, "bayplan rollout web"));
        let aborted = ended(DeploymentStatus::Stopped, |view| view.stop = Some(StopKind::Abort));
        assert_eq!(aborted.exit_code(), 8);
        assert_eq!(aborted.next, "aws ecs update-service --service web --force-new-deployment");
    }

    #[test]
    fn one_that_is_not_over_is_6_and_says_how_far_it_is() {
        let ending = Ending::of(&view());
        assert_eq!(ending.exit_code(), 6);
        assert_eq!(
            ending.what,
            "The deployment of hello:2 is not over: IN_PROGRESS at SCALE_UP, 0 of 2 tasks healthy."
        );
        assert!(Ending::late(&view(), 30).what.ends_with("It was waited for 30 s."));
        let mut held = view();
        held.hooks = vec![hook()];
        assert!(Ending::of(&held).next.contains("continue-service-deployment"));
    }

    #[test]
    fn a_cluster_with_a_name_of_its_own_is_part_of_the_next_command() {
        let ending = ended(DeploymentStatus::Stopped, |view| {
            tripped(view);
            view.cluster = "blue".into();
        });
        assert_eq!(ending.next, "bayplan why service/web --cluster blue");
    }
}
