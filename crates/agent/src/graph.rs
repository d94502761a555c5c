//! The one start graph: given how far each container has come, what may start, what must stop next, and what can never be.
//!
//! It serves ECS's dependsOn, links and volumesFrom now, and init and sidecar containers later. Pure: the actor in
//! [`crate::unit`] carries out what it says.

use model::unit::Health;
use model::unit::spec::{ContainerSpec, Dependency, DependencyCondition};

/// How far one container has come, as far as the graph cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Not started.
    Waiting,
    Running {
        health: Option<Health>,
    },
    /// Between two attempts of a restart in place.
    Restarting,
    /// It has run and ended; None when nobody saw the code.
    Ended {
        code: Option<i32>,
    },
    /// It could not be started.
    Failed,
}

impl Stage {
    fn over(self) -> bool {
        matches!(self, Stage::Ended { .. } | Stage::Failed)
    }
    fn alive(self) -> bool {
        matches!(self, Stage::Running { .. } | Stage::Restarting)
    }
}

/// Whether a condition holds of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Met,
    NotYet,
    Never,
}

fn judge(stage: Stage, condition: DependencyCondition) -> Verdict {
    use DependencyCondition::{Completed, Healthy, Started, Succeeded};
    match (condition, stage) {
        (_, Stage::Waiting) => Verdict::NotYet,
        (_, Stage::Failed) => Verdict::Never,
        (Started, _) => Verdict::Met,
        (_, Stage::Restarting) => Verdict::NotYet,
        (Completed | Succeeded, Stage::Running { .. }) => Verdict::NotYet,
        (Completed, Stage::Ended { .. }) => Verdict::Met,
        (Succeeded, Stage::Ended { code: Some(0) }) => Verdict::Met,
        (Succeeded | Healthy, Stage::Ended { .. }) => Verdict::Never,
        (Healthy, Stage::Running { health: Some(Health::Healthy) }) => Verdict::Met,
        (Healthy, Stage::Running { .. }) => Verdict::NotYet,
    }
}

/// What a container waits for: what it says, and that whoever it links to or takes volumes from has started.
pub(crate) fn dependencies(container: &ContainerSpec) -> Vec<Dependency> {
    let implied =
        container.links.iter().map(|(name, _)| name).chain(container.volumes_from.iter().map(|(name, _)| name));
    let mut all = container.start_after.clone();
    for name in implied {
        if !all.iter().any(|d| d.container == *name) {
            all.push(Dependency { container: name.clone(), condition: DependencyCondition::Started });
        }
    }
    all
}

fn index(containers: &[ContainerSpec], name: &str) -> Option<usize> {
    containers.iter().position(|c| c.name == name)
}

/// Containers that wait and whose every condition is met.
pub(crate) fn startable(containers: &[ContainerSpec], stages: &[Stage]) -> Vec<usize> {
    let ready = |container: &ContainerSpec| {
        dependencies(container)
            .iter()
            .all(|d| index(containers, &d.container).is_some_and(|i| judge(stages[i], d.condition) == Verdict::Met))
    };
    (0..containers.len()).filter(|&i| stages[i] == Stage::Waiting && ready(&containers[i])).collect()
}

/// A container that waits for what can no longer come about: (who waits, for whom).
pub(crate) fn hopeless(containers: &[ContainerSpec], stages: &[Stage]) -> Option<(usize, Dependency)> {
    (0..containers.len()).filter(|&i| stages[i] == Stage::Waiting).find_map(|i| {
        let broken = |d: &Dependency| match index(containers, &d.container) {
            Some(on) => judge(stages[on], d.condition) == Verdict::Never,
            None => true,
        };
        dependencies(&containers[i]).into_iter().find(broken).map(|d| (i, d))
    })
}

/// Containers whose start timeout runs: they live, and somebody waits for them to meet a condition.
pub(crate) fn awaited(containers: &[ContainerSpec], stages: &[Stage]) -> Vec<usize> {
    (0..containers.len())
        .filter(|&on| stages[on].alive())
        .filter(|&on| {
            containers.iter().enumerate().any(|(i, c)| {
                stages[i] == Stage::Waiting
                    && dependencies(c).iter().any(|d| {
                        d.container == containers[on].name && judge(stages[on], d.condition) == Verdict::NotYet
                    })
            })
        })
        .collect()
}

/// While stopping: containers that live and on which no living container depends; the reverse of the start order.
pub(crate) fn stoppable(containers: &[ContainerSpec], stages: &[Stage]) -> Vec<usize> {
    let needed = |on: usize| {
        containers
            .iter()
            .enumerate()
            .any(|(i, c)| stages[i].alive() && dependencies(c).iter().any(|d| d.container == containers[on].name))
    };
    (0..containers.len()).filter(|&i| stages[i].alive() && !needed(i)).collect()
}

/// Nothing runs and, unless the Unit is stopping, nothing will.
pub(crate) fn finished(stages: &[Stage], stopping: bool) -> bool {
    stages.iter().all(|s| s.over() || (stopping && *s == Stage::Waiting))
}

/// Every container has been started at least once, or cannot be: a task need not wait for one that is not essential.
pub(crate) fn all_started(stages: &[Stage]) -> bool {
    stages.iter().all(|s| !matches!(s, Stage::Waiting))
}

#[cfg(test)]
mod tests {
    use super::*;
    use DependencyCondition::{Completed, Healthy, Started, Succeeded};

    fn containers(text: &[(&str, &[(&str, DependencyCondition)])]) -> Vec<ContainerSpec> {
        let container = |(name, after): &(&str, &[(&str, DependencyCondition)])| {
            let start_after: Vec<Dependency> = after
                .iter()
                .map(|(on, condition)| Dependency { container: (*on).to_owned(), condition: *condition })
                .collect();
            ContainerSpec { name: (*name).to_owned(), start_after, ..crate::unit::tests::container("") }
        };
        text.iter().map(container).collect()
    }

    const RUNNING: Stage = Stage::Running { health: None };

    #[test]
    fn a_container_starts_once_every_condition_is_met_and_not_before() {
        let unit = containers(&[
            ("db", &[]),
            ("migrate", &[("db", Healthy)]),
            ("app", &[("migrate", Succeeded), ("db", Started)]),
        ]);
        let healthy = Stage::Running { health: Some(Health::Healthy) };
        let unknown = Stage::Running { health: Some(Health::Unknown) };
        let w = Stage::Waiting;
        assert_eq!(startable(&unit, &[w, w, w]), [0]);
        assert_eq!(startable(&unit, &[unknown, w, w]), [] as [usize; 0]);
        assert_eq!(startable(&unit, &[healthy, w, w]), [1]);
        assert_eq!(startable(&unit, &[healthy, RUNNING, w]), [] as [usize; 0]);
        assert_eq!(startable(&unit, &[healthy, Stage::Ended { code: Some(0) }, w]), [2]);
    }

    #[test]
    fn what_can_never_come_about_is_named() {
        let unit = containers(&[("init", &[]), ("app", &[("init", Succeeded)])]);
        let failed = [Stage::Ended { code: Some(3) }, Stage::Waiting];
        let (who, on) = hopeless(&unit, &failed).unwrap();
        assert_eq!((who, on.container.as_str()), (1, "init"));
        assert_eq!(hopeless(&unit, &[Stage::Ended { code: Some(0) }, Stage::Waiting]), None);
        let completed = containers(&[("init", &[]), ("app", &[("init", Completed)])]);
        assert_eq!(hopeless(&completed, &failed), None);
        assert!(hopeless(&completed, &[Stage::Failed, Stage::Waiting]).is_some());
    }

    #[test]
    fn stopping_goes_against_the_start_order() {
        let unit = containers(&[("db", &[]), ("app", &[("db", Started)]), ("log", &[])]);
        assert_eq!(stoppable(&unit, &[RUNNING, RUNNING, RUNNING]), [1, 2]);
        assert_eq!(stoppable(&unit, &[RUNNING, Stage::Ended { code: None }, RUNNING]), [0, 2]);
        assert!(!finished(&[RUNNING, Stage::Waiting], true));
        assert!(finished(&[Stage::Ended { code: Some(0) }, Stage::Waiting], true));
        assert!(!finished(&[Stage::Ended { code: Some(0) }, Stage::Waiting], false));
    }

    #[test]
    fn the_start_timeout_runs_only_while_somebody_waits() {
        let unit = containers(&[("db", &[]), ("app", &[("db", Healthy)])]);
        let starting = Stage::Running { health: Some(Health::Unknown) };
        assert_eq!(awaited(&unit, &[starting, Stage::Waiting]), [0]);
        assert_eq!(
            awaited(&unit, &[Stage::Running { health: Some(Health::Healthy) }, Stage::Waiting]),
            [] as [usize; 0]
        );
        assert_eq!(awaited(&unit, &[starting, RUNNING]), [] as [usize; 0]);
    }

    #[test]
    fn a_restarting_container_is_alive_but_meets_nothing_new() {
        let unit = containers(&[("db", &[]), ("app", &[("db", Completed)])]);
        assert_eq!(startable(&unit, &[Stage::Restarting, Stage::Waiting]), [] as [usize; 0]);
        assert!(all_started(&[Stage::Restarting, RUNNING]));
        assert!(all_started(&[Stage::Failed, RUNNING]) && !all_started(&[Stage::Waiting, RUNNING]));
        assert!(!finished(&[Stage::Restarting], false));
    }
}
