//! ListTasks: the ARNs of a cluster's tasks by instance, service, family, starter, status and launch type, in pages.

use super::task::{self, reference};
use super::{arn, errors, instance, service};
use crate::context::Context;
use crate::page;
use aws_api::ecs::values::desired_status;
use aws_api::ecs::{ListTasksInput, ListTasksOutput};
use aws_protocol::ServiceError;
use model::unit::Unit;
use model::{ClusterId, NodeId, ServiceId, Snapshot};

/// ECS API: at most 100 a page, which is also the default.
const PAGE_MAX: i32 = 100;

pub(crate) async fn list_tasks(context: Context, input: ListTasksInput) -> Result<ListTasksOutput, ServiceError> {
    if let Some(violation) = aws_protocol::validate(&input).first() {
        return Err(errors::invalid_parameter(format!("{violation}.")));
    }
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let filter = Filter::new(&snapshot, cluster, &input)?;
    let units = snapshot.units_of_cluster(cluster).filter(|(_, unit)| filter.admits(unit));
    let ids = units.map(|(name, _)| name.short().to_owned());
    let page =
        page::cut(&filter.scope(cluster, &input), ids, Clone::clone, input.next_token.as_deref(), limit as usize)
            .map_err(|_| errors::bad_token())?;
    let arns = page.items.iter().map(|id| arn::task(cluster, id)).collect();
    Ok(ListTasksOutput { task_arns: Some(arns), next_token: page.next_token })
}

/// What a task has to be to be listed.
struct Filter<'a> {
    node: Option<NodeId>,
    family: Option<&'a str>,
    started_by: Option<&'a str>,
    desired_status: &'a str,
    launch_type: Option<&'a str>,
    service: Option<ServiceId>,
    /// Of a managed daemon, of which there is none.
    nothing: bool,
}

impl<'a> Filter<'a> {
    fn new(snapshot: &Snapshot, cluster: &ClusterId, input: &'a ListTasksInput) -> Result<Self, ServiceError> {
        let said = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let (family, started_by) = (said(&input.family), said(&input.started_by));
        let others = [family, said(&input.container_instance), said(&input.service_name), said(&input.daemon_name)];
        // ECS API, ListTasks: it must be the only filter.
        if started_by.is_some() && (others.iter().any(Option::is_some) || input.launch_type.is_some()) {
            return Err(errors::invalid_parameter("cannot specify startedBy with other arguments"));
        }
        let service = said(&input.service_name).map(|reference| {
            let found = service::find(snapshot, cluster, reference).map(|service| service.id.clone());
            found.ok_or_else(errors::service_not_found)
        });
        let node = said(&input.container_instance).map(|reference| {
            let found = instance::find(snapshot, cluster, reference).map(|node| node.id.clone());
            found.ok_or_else(|| errors::invalid_parameter("The referenced container instance was not found."))
        });
        Ok(Self {
            node: node.transpose()?,
            family,
            started_by,
            desired_status: input.desired_status.as_deref().unwrap_or(desired_status::RUNNING),
            launch_type: input.launch_type.as_deref(),
            service: service.transpose()?,
            nothing: said(&input.daemon_name).is_some(),
        })
    }

    fn admits(&self, unit: &Unit) -> bool {
        let face = task::face(unit);
        !self.nothing
            && reference::is_task(unit)
            // ECS API, ListTasks: no task ever has the desired status PENDING.
            && task::desired_status(unit) == self.desired_status
            && self.service.as_ref().is_none_or(|id| unit.owner.as_ref().is_some_and(|owner| owner.service() == id))
            && self.family.is_none_or(|family| &*face.task_definition.family == family)
            && self.started_by.is_none_or(|by| face.started_by.as_deref() == Some(by))
            && self.launch_type.is_none_or(|wanted| task::launch(face.launch_type) == wanted)
            && self.node.as_ref().is_none_or(|node| unit.placement.node() == Some(node) && !task::on_fargate(face))
    }

    /// What has to stay the same from page to page.
    fn scope(&self, cluster: &ClusterId, input: &ListTasksInput) -> String {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let filters =
            [&input.container_instance, &input.service_name, &input.family, &input.started_by, &input.launch_type];
        let filters = filters.map(part);
        format!("ListTasks/{}/{}/{}", cluster.name, self.desired_status, filters.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;
    use crate::testing::stage::{Stage, awsvpc, call, json, network};
    use aws_api::ecs::{RunTaskInput, StopTaskInput};
    use model::unit::Lifecycle;
    use serde_json::{Value, json};

    async fn list(stage: &Stage, input: Value) -> Result<Vec<String>, ServiceError> {
        Ok(list_tasks(stage.context.clone(), json(input)).await?.task_arns.unwrap())
    }

    /// Two tasks of `web`, one of them started by `cron`; one of `vpc` on Fargate; one of `web` that is stopped.
    async fn four_tasks() -> (Stage, [String; 4]) {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        stage.register(awsvpc("vpc")).await;
        let calls = [
            call("web"),
            RunTaskInput { started_by: Some("cron".to_owned()), ..call("web") },
            RunTaskInput { launch_type: Some("FARGATE".to_owned()), network_configuration: network(), ..call("vpc") },
            call("web"),
        ];
        let mut arns = Vec::new();
        for call in calls {
            arns.push(stage.run(call).await.unwrap().tasks.unwrap().remove(0).task_arn.unwrap());
        }
        let stop = StopTaskInput { task: Some(arns[3].clone()), ..Default::default() };
        super::super::stop_task::stop_task(stage.context.clone(), stop).await.unwrap();
        (stage, arns.try_into().unwrap())
    }

    #[tokio::test]
    async fn each_filter_lists_what_it_says_and_running_is_the_default() {
        let (stage, [plain, cron, fargate, stopped]) = four_tasks().await;
        let node = stage.context.records().current().nodes.keys().next().unwrap().clone();
        let instance = instance::instance_id(&stage.cluster("default"), &node);
        for (input, mut expected) in [
            (json!({}), vec![&plain, &cron, &fargate]),
            (json!({"desiredStatus": "STOPPED"}), vec![&stopped]),
            (json!({"desiredStatus": "PENDING"}), vec![]),
            (json!({"family": "vpc"}), vec![&fargate]),
            (json!({"family": "nothing"}), vec![]),
            (json!({"startedBy": "cron"}), vec![&cron]),
            (json!({"launchType": "EC2"}), vec![&plain, &cron]),
            (json!({"launchType": "FARGATE"}), vec![&fargate]),
            (json!({"launchType": "EXTERNAL"}), vec![]),
            (json!({"containerInstance": instance}), vec![&plain, &cron]),
            (json!({"containerInstance": instance, "desiredStatus": "STOPPED", "family": "web"}), vec![&stopped]),
            (json!({"daemonName": "nothing"}), vec![]),
        ] {
            expected.sort();
            let listed = list(&stage, input.clone()).await.unwrap();
            assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{input}");
        }
    }

    #[tokio::test]
    async fn a_services_tasks_are_its_own() {
        let (stage, [plain, ..]) = four_tasks().await;
        let input = json!({"serviceName": "shop", "taskDefinition": "web", "desiredCount": 2});
        let service = stage.create_service(input).await.unwrap();
        stage.take_up("shop").await;
        let tasks = stage.start_tasks("shop", 2, Lifecycle::Running).await;
        stage.advance(&tasks[1], Lifecycle::Stopped).await;
        for reference in ["shop", service.service_arn.as_deref().unwrap()] {
            let listed = list(&stage, json!({"serviceName": reference})).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert!(listed[0].ends_with(&tasks[0]));
            let stopped = list(&stage, json!({"serviceName": reference, "desiredStatus": "STOPPED"})).await.unwrap();
            assert!(stopped[0].ends_with(&tasks[1]));
        }
        let set = service.deployments.unwrap().remove(0).id;
        assert_eq!(list(&stage, json!({"startedBy": set})).await.unwrap().len(), 1);
        assert!(list(&stage, json!({})).await.unwrap().contains(&plain));
    }

    #[tokio::test]
    async fn pages_join_to_the_whole_list_and_a_token_is_good_for_its_own_list_only() {
        let (stage, _) = four_tasks().await;
        let whole = list(&stage, json!({})).await.unwrap();
        let (mut walked, mut token) = (Vec::new(), None);
        loop {
            let input = json(json!({"maxResults": 1, "nextToken": token}));
            let page = list_tasks(stage.context.clone(), input).await.unwrap();
            walked.extend(page.task_arns.unwrap());
            token = page.next_token;
            let Some(token) = &token else { break };
            let error = list(&stage, json!({"nextToken": token, "family": "web"})).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
        }
        assert_eq!(walked, whole);
    }

    #[tokio::test]
    async fn what_cannot_be_listed_is_refused() {
        let (stage, _) = four_tasks().await;
        for (input, code, sentence) in [
            (json!({"cluster": "nowhere"}), "ClusterNotFoundException", "Cluster not found."),
            (json!({"serviceName": "web"}), "ServiceNotFoundException", "Service not found."),
            (json!({"startedBy": "a", "family": "b"}), "InvalidParameterException", "cannot specify startedBy"),
            (json!({"startedBy": "a", "launchType": "EC2"}), "InvalidParameterException", "cannot specify startedBy"),
            (json!({"containerInstance": "nothing"}), "InvalidParameterException", "was not found"),
            (json!({"maxResults": 0}), "InvalidParameterException", "between 1 and 100"),
            (json!({"maxResults": 101}), "InvalidParameterException", "between 1 and 100"),
            (json!({"desiredStatus": "ASLEEP"}), "InvalidParameterException", "desiredStatus"),
            (json!({"nextToken": "x"}), "InvalidParameterException", "Invalid token"),
        ] {
            let error = list(&stage, input.clone()).await.unwrap_err();
            assert_eq!(error.code, code, "{input}");
            assert!(error.message.contains(sentence), "{error}");
        }
    }
}
