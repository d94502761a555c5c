//! What is said of a deployment, line by line; every line is a function of what the server told.

use super::super::output::table;
use crate::roles::admin::rollout::view::{EventView, View};
use crate::roles::admin::services::{SetView, Tasks};
use model::ecs::deployment::HookAction;
use model::ecs::service::SetRole;
use serde::Serialize;

/// Longest run of hex digits that is shown of a task's id.
const ID_SHOWN: usize = 12;
const ID_LENGTH: usize = 32;

/// From what to what, and within which bounds.
pub(super) fn header(view: &View) -> Vec<String> {
    let names = |of: fn(&crate::roles::admin::rollout::view::Revision) -> &String| {
        let from: Vec<&str> = view.from.iter().map(|revision| of(revision).as_str()).collect();
        match from.is_empty() {
            true => of(&view.to).clone(),
            false => format!("{} -> {}", from.join(", "), of(&view.to)),
        }
    };
    vec![
        format!("Service {} in cluster {}: {}", view.service, view.cluster, names(|r| &r.task_definition)),
        format!("  deployment {}, revision {}", view.deployment, names(|r| &r.revision)),
        format!("  {}, {}; {}", view.strategy, bounds(view), breaker(view)),
    ]
}

fn bounds(view: &View) -> String {
    match view.max_tasks {
        Some(max) => format!("at least {} healthy, at most {}", view.min_healthy, plural(max, "task")),
        None => format!("both revisions keep {} until the traffic has moved", plural(view.desired, "task")),
    }
}

fn breaker(view: &View) -> String {
    match &view.breaker {
        None => "the circuit breaker is off".to_owned(),
        Some(breaker) => {
            let then = if breaker.rolls_back { "rolls back" } else { "stops it" };
            format!("the circuit breaker {then} after {}", plural(breaker.threshold, "failure"))
        }
    }
}

/// All that is worth a line, in the order in which it is shown: those of `after` that are not of `before` are news.
pub(super) fn changes(before: Option<&View>, after: &View) -> Vec<String> {
    let known = before.map(facts).unwrap_or_default();
    facts(after).into_iter().filter(|fact| !known.contains(fact)).collect()
}

fn facts(view: &View) -> Vec<String> {
    let sets = view.sets.iter().map(set);
    [status(view)].into_iter().chain(sets).chain(notes(view)).collect()
}

/// The block that is drawn anew in a terminal.
pub(super) fn block(view: &View) -> Vec<String> {
    let rows: Vec<Vec<String>> = view.sets.iter().map(row).collect();
    let head = ["SET", "DEFINITION", "DESIRED", "WAITING", "PENDING", "RUNNING", "HEALTHY", "STOPPING"];
    let table = table(&head, &rows);
    let lines = table.lines().map(|line| format!("  {line}"));
    let notes = notes(view).into_iter().map(|note| format!("  {note}"));
    lines.chain([format!("  {}", status(view))]).chain(notes).collect()
}

fn row(set: &SetView) -> Vec<String> {
    let Tasks { waiting, pending, running, healthy, stopping } = set.tasks;
    let counts = [set.desired as usize, waiting, pending, running, healthy, stopping];
    let names = [role(set).to_owned(), set.task_definition.clone()];
    names.into_iter().chain(counts.map(|count| count.to_string())).collect()
}

fn role(set: &SetView) -> &'static str {
    match set.role {
        Some(SetRole::Primary) => "primary",
        Some(SetRole::Active) => "active",
        None => "leaving",
    }
}

/// One set in a line, without what it has none of.
fn set(set: &SetView) -> String {
    let Tasks { waiting, pending, running, healthy, stopping } = set.tasks;
    let kinds = [
        (waiting, "waiting"),
        (pending, "pending"),
        (running, "running"),
        (healthy, "healthy"),
        (stopping, "stopping"),
    ];
    let there: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    let there = if there.is_empty() { "no task".to_owned() } else { there.join(", ") };
    format!("{} {}: {} desired; {there}", role(set), set.task_definition, set.desired)
}

pub(super) fn status(view: &View) -> String {
    match &view.stage {
        Some(stage) if !view.status.is_final() => format!("{} at {}", word(&view.status), word(stage)),
        _ => word(&view.status),
    }
}

/// What stands in the way, or is waited for.
fn notes(view: &View) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(failures(view));
    if let Some(rollback) = &view.rollback {
        notes.push(format!("goes back to {}: {}", rollback.to.task_definition, rollback.reason));
    }
    if let Some(until) = view.throttled_until_ms {
        let at = seconds(until.saturating_sub(view.created_at_ms));
        notes.push(format!("no task is started before {at}: those before did not come up or did not stay"));
    }
    notes.extend(view.shortage.as_ref().map(|shortage| without_subject(shortage, &view.service)));
    notes.extend(view.traffic_permille.map(|share| format!("{}.{} % of the traffic", share / 10, share % 10)));
    for hook in &view.hooks {
        let otherwise = match hook.on_timeout {
            HookAction::Continue => "goes on",
            HookAction::Rollback => "rolls back",
        };
        let until = seconds(hook.expires_at_ms.saturating_sub(view.created_at_ms));
        notes.push(format!("waits for a hook's answer until {until}, then {otherwise}:"));
        notes.push(format!("  {}", hook.command));
    }
    notes
}

/// Failures count anew once the breaker has tripped.
fn failures(view: &View) -> Option<String> {
    let count = plural(view.failures, "failure");
    match &view.breaker {
        Some(breaker) if breaker.triggered => {
            Some(format!("the circuit breaker has tripped after {}", plural(breaker.threshold, "failure")))
        }
        _ if view.failures == 0 => None,
        Some(breaker) => Some(format!("{count}; the circuit breaker trips at {}", breaker.threshold)),
        None => Some(format!("{count}; the circuit breaker is off")),
    }
}

/// An event without what the header says, and with ids as short as `ps` shows them.
pub(super) fn event(event: &EventView, view: Option<&View>) -> String {
    let service = view.map(|view| view.service.as_str()).unwrap_or_default();
    shorten(&without_subject(&event.message, service))
}

fn without_subject(message: &str, service: &str) -> String {
    message.strip_prefix(&format!("(service {service}) ")).unwrap_or(message).to_owned()
}

fn shorten(message: &str) -> String {
    let mut short = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find("(task ") {
        let (before, task) = rest.split_at(start + "(task ".len());
        let digits = task.bytes().take_while(u8::is_ascii_hexdigit).count();
        short.push_str(before);
        short.push_str(if digits == ID_LENGTH { &task[..ID_SHOWN] } else { &task[..digits] });
        rest = &task[digits..];
    }
    short + rest
}

/// The moment of a line, in seconds since the deployment was asked for.
pub(super) fn moment(at_ms: u64, view: Option<&View>) -> String {
    let since = at_ms.saturating_sub(view.map_or(at_ms, |view| view.created_at_ms));
    format!("{:>9}", seconds(since))
}

pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

pub(super) fn plural(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// ECS's word for a value that is spelled as ECS does.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
