//! What a user means by a word: a task by its whole id, the beginning of one or an ARN; a service by its name or ARN.

use super::Refusal;
use super::services::is_over;
use model::Snapshot;
use model::ecs::Service;
use model::snapshot::Versioned;
use model::unit::Unit;

/// Something that can be explained.
pub(super) enum Subject<'a> {
    Task(&'a Versioned<Unit>),
    Service(&'a Versioned<Service>),
}

/// The one task or service that `reference` stands for; `task/…` and `service/…` say which of both.
pub(super) fn subject<'a>(
    snapshot: &'a Snapshot,
    reference: &str,
    cluster: Option<&str>,
) -> Result<Subject<'a>, Refusal> {
    let named = Named::read(reference);
    match named.kind {
        Some("service") => return service(snapshot, reference, cluster).map(Subject::Service),
        Some(_) => return unit(snapshot, reference).map(Subject::Task),
        None => {}
    }
    let is_task = matches!(tasks(snapshot, named.name), Tasks::One(_) | Tasks::Several(_));
    let is_service = snapshot.services.keys().any(|id| *id.name == *named.name);
    match (is_task, is_service) {
        (true, true) => Err(Refusal::not_found(format!(
            "{reference} is the name of a service and the beginning of a task's id; say service/{reference} or task/{reference}"
        ))),
        (true, false) => unit(snapshot, reference).map(Subject::Task),
        (false, true) => service(snapshot, reference, cluster).map(Subject::Service),
        (false, false) => Err(Refusal::not_found(format!(
            "there is no task and no service {reference}; `bayplan ps --all` and `bayplan ps --services` list them"
        ))),
    }
}

/// The one Unit that `reference` stands for.
pub(super) fn unit<'a>(snapshot: &'a Snapshot, reference: &str) -> Result<&'a Versioned<Unit>, Refusal> {
    match tasks(snapshot, Named::read(reference).name) {
        Tasks::One(unit) => Ok(unit),
        Tasks::None => Err(Refusal::not_found(format!("there is no task {reference}; `bayplan ps --all` lists them"))),
        Tasks::Several(count) => {
            Err(Refusal::not_found(format!("{count} tasks begin with {reference}; give more of the id")))
        }
    }
}

/// The one service that `reference` stands for: in a cluster, or in whichever has one of the name.
pub(super) fn service<'a>(
    snapshot: &'a Snapshot,
    reference: &str,
    cluster: Option<&str>,
) -> Result<&'a Versioned<Service>, Refusal> {
    let named = Named::read(reference);
    let cluster = cluster.map(|cluster| Named::read(cluster).name).or(named.cluster);
    let fits = |service: &&Versioned<Service>| {
        *service.id.name == *named.name && cluster.is_none_or(|cluster| *service.id.cluster.name == *cluster)
    };
    let mut found: Vec<&Versioned<Service>> = snapshot.services.values().filter(fits).collect();
    if found.iter().any(|service| !is_over(snapshot, service)) {
        found.retain(|service| !is_over(snapshot, service));
    }
    match (found.as_slice(), cluster) {
        ([service], _) => Ok(service),
        ([], Some(cluster)) => {
            Err(Refusal::not_found(format!("there is no service {} in cluster {cluster}", named.name)))
        }
        ([], None) => {
            Err(Refusal::not_found(format!("there is no service {}; `bayplan ps --services` lists them", named.name)))
        }
        (several, _) => {
            let clusters: Vec<&str> = several.iter().map(|service| &*service.id.cluster.name).collect();
            Err(Refusal::not_found(format!(
                "the clusters {} each have a service {}; say which with --cluster",
                clusters.join(", "),
                named.name
            )))
        }
    }
}

enum Tasks<'a> {
    None,
    One(&'a Versioned<Unit>),
    Several(usize),
}

fn tasks<'a>(snapshot: &'a Snapshot, id: &str) -> Tasks<'a> {
    if let Some(unit) = snapshot.unit_by_uid(&model::UnitUid::new(id)) {
        return Tasks::One(unit);
    }
    let mut starting = snapshot.units.values().filter(|u| !id.is_empty() && u.uid.as_str().starts_with(id));
    match (starting.next(), starting.count()) {
        (None, _) => Tasks::None,
        (Some(unit), 0) => Tasks::One(unit),
        (Some(_), others) => Tasks::Several(others + 1),
    }
}

/// A reference taken apart: `web`, `service/web`, `service/blue/web`, `arn:aws:ecs:…:service/blue/web`.
struct Named<'a> {
    kind: Option<&'a str>,
    cluster: Option<&'a str>,
    name: &'a str,
}

impl<'a> Named<'a> {
    fn read(reference: &'a str) -> Self {
        let resource = match reference.starts_with("arn:") {
            true => reference.rsplit(':').next().unwrap_or(reference),
            false => reference,
        };
        let parts: Vec<&str> = resource.split('/').collect();
        match parts.as_slice() {
            [kind, cluster, name] => Self { kind: Some(kind), cluster: Some(cluster), name },
            [kind, name] => Self { kind: Some(kind), cluster: None, name },
            _ => Self { kind: None, cluster: None, name: resource },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NEW, World, running, web};
    use super::*;
    use model::ServiceId;
    use test_support::cluster_id;

    fn found(world: &World, reference: &str, cluster: Option<&str>) -> Result<String, String> {
        match subject(&world.snapshot, reference, cluster) {
            Ok(Subject::Task(unit)) => Ok(format!("task {}", unit.name.short())),
            Ok(Subject::Service(service)) => Ok(format!("service {}/{}", service.id.cluster.name, service.id.name)),
            Err(Refusal(_, words)) => Err(words),
        }
    }

    /// A service of the same name in another cluster.
    fn twin(world: &mut World) {
        let id = ServiceId { cluster: cluster_id("blue"), name: "web".into() };
        let mut service = world.snapshot.services[&web()].clone();
        std::sync::Arc::make_mut(&mut service.value).id = id.clone();
        world.snapshot.services.insert(id, service);
    }

    #[test]
    fn a_service_is_found_by_its_name_and_by_its_arn() {
        let world = World::new();
        for reference in
            ["web", "service/web", "service/default/web", "arn:aws:ecs:us-east-1:000000000000:service/default/web"]
        {
            assert_eq!(found(&world, reference, None), Ok("service default/web".to_owned()), "{reference}");
        }
    }

    #[test]
    fn a_name_that_several_clusters_have_needs_one() {
        let mut world = World::new();
        twin(&mut world);
        assert!(found(&world, "web", None).unwrap_err().contains("blue, default"));
        assert_eq!(found(&world, "web", Some("blue")), Ok("service blue/web".to_owned()));
        assert_eq!(found(&world, "service/blue/web", None), Ok("service blue/web".to_owned()));
        let arn = "arn:aws:ecs:us-east-1:000000000000:cluster/blue";
        assert_eq!(found(&world, "web", Some(arn)), Ok("service blue/web".to_owned()));
    }

    #[test]
    fn of_several_services_of_a_name_the_one_that_is_there_is_meant() {
        let mut world = World::new();
        twin(&mut world);
        world.service(|service| service.deleted_at = Some(service.created_at));
        assert_eq!(found(&world, "web", None), Ok("service blue/web".to_owned()));
    }

    #[test]
    fn a_name_that_is_also_a_tasks_needs_to_say_which() {
        let mut world = World::new();
        world.task("1", NEW, |unit| {
            running(unit);
            unit.uid = model::UnitUid::new("webbed");
        });
        assert!(found(&world, "web", None).unwrap_err().contains("say service/web or task/web"));
        assert_eq!(found(&world, "service/web", None), Ok("service default/web".to_owned()));
        assert_eq!(found(&world, "task/web", None), Ok("task 1".to_owned()));
    }

    #[test]
    fn what_is_neither_is_said_with_where_to_look() {
        let world = World::new();
        assert!(found(&world, "db", None).unwrap_err().contains("ps --services"));
        assert!(found(&world, "service/db", None).unwrap_err().contains("no service db"));
        assert!(found(&world, "web", Some("blue")).unwrap_err().contains("in cluster blue"));
    }
}
