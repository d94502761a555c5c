//! DescribeTasks: up to 100 tasks of a cluster, each found or reported MISSING; all from one snapshot.

use super::errors;
use super::task::{self, Tags, reference};
use crate::context::Context;
use aws_api::ecs::values::task_field;
use aws_api::ecs::{DescribeTasksInput, DescribeTasksOutput};
use aws_protocol::ServiceError;

/// ECS API.
const TASKS_MAX: usize = 100;

pub(crate) async fn describe_tasks(
    context: Context,
    input: DescribeTasksInput,
) -> Result<DescribeTasksOutput, ServiceError> {
    let references = input.tasks.unwrap_or_default();
    if references.is_empty() {
        return Err(errors::invalid_parameter("Tasks cannot be empty."));
    }
    if references.len() > TASKS_MAX {
        return Err(errors::invalid_parameter(format!("tasks can have at most {TASKS_MAX} items.")));
    }
    let include = input.include.unwrap_or_default();
    if let Some(part) = include.iter().find(|part| *part != task_field::TAGS) {
        let message = format!("include can only have {}, not '{part:.100}'.", task_field::TAGS);
        return Err(errors::invalid_parameter(message));
    }
    let tags = if include.is_empty() { Tags::Hidden } else { Tags::Shown };
    let snapshot = context.records().current();
    let cluster = &reference::cluster(&snapshot, context.scope(), input.cluster.as_deref())?.id;
    let (mut tasks, mut failures) = (Vec::with_capacity(references.len()), Vec::new());
    for reference in references {
        match reference::task(&snapshot, cluster, &reference) {
            Ok(unit) => tasks.push(task::convert(&snapshot, unit, unit.version, tags)),
            Err(_) => failures.push(reference::missing(cluster, &reference)),
        }
    }
    Ok(DescribeTasksOutput { tasks: Some(tasks), failures: Some(failures) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stage::{Stage, call, pairs};
    use crate::testing::{self, definition};
    use aws_api::ecs::{RunTaskInput, Tag};
    use model::unit::placement::Shortage;
    use model::unit::{Placement, Refusal};
    use records::{Draft, units};

    async fn describe(stage: &Stage, tasks: &[&str], include: &[&str]) -> Result<DescribeTasksOutput, ServiceError> {
        let owned = |texts: &[&str]| Some(texts.iter().map(|text| text.to_string()).collect());
        let input = DescribeTasksInput { tasks: owned(tasks), include: owned(include), cluster: None };
        describe_tasks(stage.context.clone(), input).await
    }

    #[tokio::test]
    async fn ids_and_arns_name_the_same_task_and_the_rest_is_missing() {
        let stage = Stage::new().await;
        let task = stage.run_one("web").await;
        let arn = task.task_arn.as_deref().unwrap();
        let id = arn.rsplit('/').next().unwrap();
        let old_form = arn.replace("default/", "");
        let foreign = [
            arn.replace("/default/", "/other/"),
            arn.replace("us-east-1", "eu-west-1"),
            arn.replace(":task/", ":service/"),
            "00".repeat(16),
        ];
        let mut references = vec![id, arn, &old_form];
        references.extend(foreign.iter().map(String::as_str));
        let answer = describe(&stage, &references, &[]).await.unwrap();
        let tasks = answer.tasks.unwrap();
        assert_eq!(tasks.len(), 3);
        assert!(tasks.iter().all(|found| *found == task));
        let failures = answer.failures.unwrap();
        assert!(failures.iter().all(|failure| failure.reason.as_deref() == Some("MISSING")));
        let arns: Vec<_> = failures.iter().map(|failure| failure.arn.as_deref().unwrap()).collect();
        assert_eq!(arns[..3], foreign[..3]);
        assert_eq!(arns[3], format!("arn:aws:ecs:us-east-1:000000000000:task/default/{}", foreign[3]));
    }

    #[tokio::test]
    async fn tags_are_shown_on_request() {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let tag = Tag { key: Some("a".to_owned()), value: Some("1".to_owned()) };
        let task =
            stage.run(RunTaskInput { tags: Some(vec![tag]), ..call("web") }).await.unwrap().tasks.unwrap().remove(0);
        let arn = task.task_arn.as_deref().unwrap();
        let shown = describe(&stage, &[arn], &["TAGS"]).await.unwrap().tasks.unwrap().remove(0);
        assert_eq!(pairs(shown.tags)["a"], "1");
        let hidden = describe(&stage, &[arn], &[]).await.unwrap().tasks.unwrap().remove(0);
        assert_eq!(hidden.tags.unwrap(), []);
        let error = describe(&stage, &[arn], &["SECRETS"]).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
    }

    #[tokio::test]
    async fn a_task_that_no_node_took_is_missing_even_while_its_record_is_there() {
        let context = testing::context().await;
        crate::ecs::ensure_default_cluster(context.records(), context.scope()).await.unwrap();
        testing::register(&context, "web").await;
        let name = testing::run(&context, "web").await;
        let snapshot = context.records().current();
        let mut draft = Draft::new();
        let refusal = Refusal { nodes: Vec::new(), main: Shortage::NoNode };
        units::place(&mut draft, snapshot.units.get(&name).unwrap(), Placement::Refused(refusal));
        context.records().commit(draft).await.unwrap();
        let input = DescribeTasksInput { tasks: Some(vec![name.short().to_owned()]), ..Default::default() };
        let answer = describe_tasks(context, input).await.unwrap();
        assert_eq!((answer.tasks.unwrap().len(), answer.failures.unwrap().len()), (0, 1));
    }

    #[tokio::test]
    async fn none_too_many_and_a_cluster_that_is_not_there_are_refused() {
        let stage = Stage::new().await;
        let error = describe(&stage, &[], &[]).await.unwrap_err();
        assert_eq!((&*error.code, error.message.as_str()), ("InvalidParameterException", "Tasks cannot be empty."));
        let error = describe(&stage, &["a"; 101], &[]).await.unwrap_err();
        assert!(error.message.contains("at most 100"), "{error}");
        let input = DescribeTasksInput {
            cluster: Some("nowhere".to_owned()),
            tasks: Some(vec!["a".to_owned()]),
            ..Default::default()
        };
        let error = describe_tasks(stage.context.clone(), input).await.unwrap_err();
        assert_eq!(error.code, "ClusterNotFoundException");
    }

    #[tokio::test]
    async fn a_hundred_tasks_are_one_call() {
        let stage = Stage::new().await;
        stage.register(definition("web")).await;
        let mut arns = Vec::new();
        for _ in 0..10 {
            let tasks = stage.run(RunTaskInput { count: Some(10), ..call("web") }).await.unwrap().tasks.unwrap();
            arns.extend(tasks.into_iter().map(|task| task.task_arn.unwrap()));
        }
        let references: Vec<&str> = arns.iter().map(String::as_str).collect();
        let tasks = describe(&stage, &references, &[]).await.unwrap().tasks.unwrap();
        assert_eq!(tasks.into_iter().map(|task| task.task_arn.unwrap()).collect::<Vec<_>>(), arns);
    }
}
