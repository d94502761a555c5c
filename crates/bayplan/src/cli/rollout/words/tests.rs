//! What each line says.

use super::*;
use crate::cli::rollout::testing::{hook, set, view};
use crate::roles::admin::rollout::view::{BreakerView, Revision, RollbackView};
use model::ecs::deployment::DeploymentStatus;

#[test]
fn the_header_says_from_what_to_what_within_which_bounds() {
    assert_eq!(
        header(&view()),
        [
            "Service web in cluster default: hello:1 -> hello:2",
            "  deployment d2, revision r1 -> r2",
            "  ROLLING, at least 2 healthy, at most 4 tasks; the circuit breaker rolls back after 3 failures",
        ]
    );
}

#[test]
fn the_header_of_a_first_deployment_names_no_revision_before_it() {
    let mut first = view();
    (first.from, first.breaker) = (Vec::new(), None);
    let said = header(&first);
    assert!(said[0].ends_with(": hello:2"));
    assert!(said[2].ends_with("; the circuit breaker is off"));
}

#[test]
fn a_deployment_with_two_sides_has_no_bounds_to_name() {
    let mut two_sided = view();
    (two_sided.strategy, two_sided.max_tasks) = ("BLUE_GREEN".to_owned(), None);
    assert!(header(&two_sided)[2].contains("both revisions keep 2 tasks until the traffic has moved"));
}

#[test]
fn at_first_everything_is_news_and_later_only_what_differs() {
    let before = view();
    assert_eq!(
        changes(None, &before),
        [
            "IN_PROGRESS at SCALE_UP",
            "primary hello:2: 2 desired; 2 pending",
            "active hello:1: 2 desired; 2 running, 2 healthy"
        ]
    );
    assert_eq!(changes(Some(&before), &before), Vec::<String>::new());
    let mut after = before.clone();
    after.sets[0] = set(SetRole::Primary, "hello:2", |tasks| (tasks.running, tasks.healthy) = (2, 1));
    assert_eq!(changes(Some(&before), &after), ["primary hello:2: 2 desired; 2 running, 1 healthy"]);
}

#[test]
fn what_stands_in_the_way_is_said() {
    let mut stuck = view();
    stuck.failures = 1;
    stuck.throttled_until_ms = Some(stuck.created_at_ms + 61_000);
    stuck.shortage = Some("(service web) was unable to place a task.".to_owned());
    stuck.hooks = vec![hook()];
    let said = changes(Some(&view()), &stuck);
    assert_eq!(
        said,
        [
            "1 failure; the circuit breaker trips at 3",
            "no task is started before 61.0 s: those before did not come up or did not stay",
            "was unable to place a task.",
            "waits for a hook's answer until 60.0 s, then rolls back:",
            "  aws ecs continue-service-deployment …",
        ]
    );
    stuck.breaker = None;
    assert!(changes(None, &stuck).contains(&"1 failure; the circuit breaker is off".to_owned()));
}

#[test]
fn the_share_of_the_traffic_is_in_percent() {
    let mut moving = view();
    moving.traffic_permille = Some(125);
    assert_eq!(changes(Some(&view()), &moving), ["12.5 % of the traffic"]);
}

#[test]
fn a_rollback_says_where_to_and_why() {
    let mut back = view();
    back.status = DeploymentStatus::RollbackInProgress;
    back.breaker = Some(BreakerView { threshold: 3, rolls_back: true, triggered: true });
    let to = Revision { revision: "r1".into(), task_definition: "hello:1".into() };
    back.rollback = Some(RollbackView { reason: "too many failed".into(), to });
    assert_eq!(
        changes(Some(&view()), &back),
        [
            "ROLLBACK_IN_PROGRESS at SCALE_UP",
            "the circuit breaker has tripped after 3 failures",
            "goes back to hello:1: too many failed"
        ]
    );
}

#[test]
fn the_block_is_a_table_of_the_sets_with_the_state_under_it() {
    assert_eq!(
        block(&view()),
        [
            "  SET      DEFINITION  DESIRED  WAITING  PENDING  RUNNING  HEALTHY  STOPPING",
            "  primary  hello:2     2        0        2        0        0        0",
            "  active   hello:1     2        0        0        2        2        0",
            "  IN_PROGRESS at SCALE_UP",
        ]
    );
}

#[test]
fn an_event_loses_what_the_header_says_and_the_tails_of_ids() {
    let message = "(service web) has started 2 tasks: (task 0123456789abcdef0123456789abcdef) (task 01).".to_owned();
    let said = event(&EventView { number: 0, at_ms: 0, message }, Some(&view()));
    assert_eq!(said, "has started 2 tasks: (task 0123456789ab) (task 01).");
}

#[test]
fn moments_count_from_when_the_deployment_was_asked_for() {
    let view = view();
    assert_eq!(moment(view.created_at_ms + 12_345, Some(&view)), "   12.3 s");
    assert_eq!(moment(view.created_at_ms - 5, Some(&view)), "    0.0 s");
}
