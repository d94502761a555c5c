//! ARNs of ECS objects, and the short names that stand for them; nothing is looked up here.

use model::{ClusterId, Scope, ServiceId, TaskDefinitionId};

fn arn(scope: &Scope, resource: &str) -> String {
    format!("arn:aws:ecs:{}:{}:{resource}", scope.region, scope.account)
}

pub(crate) fn cluster(id: &ClusterId) -> String {
    arn(&id.scope, &format!("cluster/{}", id.name))
}

pub(crate) fn task(cluster: &ClusterId, id: &str) -> String {
    arn(&cluster.scope, &format!("task/{}/{id}", cluster.name))
}

pub(crate) fn container(cluster: &ClusterId, task: &str, id: &str) -> String {
    arn(&cluster.scope, &format!("container/{}/{task}/{id}", cluster.name))
}

pub(crate) fn container_instance(cluster: &ClusterId, id: &str) -> String {
    arn(&cluster.scope, &format!("container-instance/{}/{id}", cluster.name))
}

pub(crate) fn capacity_provider(scope: &Scope, name: &str) -> String {
    arn(scope, &format!("capacity-provider/{name}"))
}

pub(crate) fn task_definition(id: &TaskDefinitionId) -> String {
    arn(&id.scope, &format!("task-definition/{}:{}", id.family, id.revision))
}

pub(crate) fn service(id: &ServiceId) -> String {
    of_service("service", id)
}

/// What StopServiceDeployment and ContinueServiceDeployment name.
pub fn service_deployment(service: &ServiceId, id: &str) -> String {
    format!("{}/{id}", of_service("service-deployment", service))
}

pub(crate) fn service_revision(service: &ServiceId, number: &str) -> String {
    format!("{}/{number}", of_service("service-revision", service))
}

/// The id has the form `ecs-svc/<number>`.
pub(crate) fn task_set(service: &ServiceId, id: &str) -> String {
    format!("{}/{id}", of_service("task-set", service))
}

fn of_service(kind: &str, id: &ServiceId) -> String {
    arn(&id.cluster.scope, &format!("{kind}/{}/{}", id.cluster.name, id.name))
}

/// A reference is another account's or region's, or of another kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

/// The part of a reference behind `kind/`: of an ARN of this scope, or the reference itself when it is a short name.
///
/// `resource(scope, "cluster", "arn:aws:ecs:r:a:cluster/blue")` and `resource(scope, "cluster", "blue")` are both `blue`;
/// of a task's ARN the whole `blue/<id>` comes back.
pub(crate) fn resource<'a>(scope: &Scope, kind: &str, reference: &'a str) -> Result<&'a str, Foreign> {
    let Some(rest) = reference.strip_prefix("arn:") else { return Ok(reference) };
    let mut parts = rest.splitn(5, ':');
    let (_partition, service, region, account, resource) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    if service != Some("ecs") || region != Some(&*scope.region) || account != Some(&*scope.account) {
        return Err(Foreign);
    }
    resource.and_then(|r| r.strip_prefix(kind)).and_then(|r| r.strip_prefix('/')).ok_or(Foreign)
}

/// The cluster that a request names; `default` without a name.
pub(crate) fn cluster_reference(scope: &Scope, reference: Option<&str>) -> Result<ClusterId, Foreign> {
    let name = resource(scope, "cluster", reference.filter(|r| !r.is_empty()).unwrap_or("default"))?;
    Ok(ClusterId { scope: scope.clone(), name: name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_and_its_short_name_are_one_reference() {
        let scope = Scope::new("000000000000", "us-east-1");
        let id = cluster_reference(&scope, Some("blue")).unwrap();
        assert_eq!(cluster(&id), "arn:aws:ecs:us-east-1:000000000000:cluster/blue");
        assert_eq!(cluster_reference(&scope, Some(&cluster(&id))), Ok(id.clone()));
        assert_eq!(resource(&scope, "task", &task(&id, "00ff")), Ok("blue/00ff"));
        assert_eq!(&*cluster_reference(&scope, None).unwrap().name, "default");
    }

    #[test]
    fn another_regions_accounts_or_kinds_arn_is_foreign() {
        let scope = Scope::new("000000000000", "us-east-1");
        for reference in [
            "arn:aws:ecs:eu-west-1:000000000000:cluster/blue",
            "arn:aws:ecs:us-east-1:111111111111:cluster/blue",
            "arn:aws:ecs:us-east-1:000000000000:service/blue",
            "arn:aws:iam::000000000000:role/blue",
            "arn:",
        ] {
            assert_eq!(cluster_reference(&scope, Some(reference)), Err(Foreign), "{reference}");
        }
    }
}
