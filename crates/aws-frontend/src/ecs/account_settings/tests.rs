//! The operations on account settings, and which value holds for whom.

use super::setting;
use crate::context::Context;
use crate::ecs::delete_account_setting::delete_account_setting;
use crate::ecs::list_account_settings::list_account_settings;
use crate::ecs::put_account_setting::put_account_setting;
use crate::ecs::put_account_setting_default::put_account_setting_default;
use crate::testing;
use crate::testing::stage::json;
use aws_api::ecs::Setting;
use aws_api::ecs::values::setting_name;
use aws_protocol::ServiceError;
use serde_json::{Value, json};

const ROOT: &str = "arn:aws:iam::000000000000:root";
const USER: &str = "arn:aws:iam::000000000000:user/ann";
const LOG_MODE: &str = setting_name::DEFAULT_LOG_DRIVER_MODE;

async fn put(context: &Context, input: Value) -> Result<Setting, ServiceError> {
    put_account_setting(context.clone(), json(input)).await.map(|answer| answer.setting.unwrap())
}

async fn list(context: &Context, input: Value) -> Vec<(String, String, String)> {
    let answer = list_account_settings(context.clone(), json(input)).await.unwrap();
    let shown = answer.settings.unwrap().into_iter();
    shown.map(|s| (s.name.unwrap(), s.value.unwrap(), s.principal_arn.unwrap())).collect()
}

fn holds(context: &Context, principal: &str, name: &str) -> String {
    setting(&context.records().current(), context.scope(), principal, name).to_owned()
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!((&*error.code, error.status), ("InvalidParameterException", 400), "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

#[tokio::test]
async fn every_setting_of_the_api_is_known_and_sorted() {
    let mut names: Vec<&str> = super::ALL.iter().map(|known| known.name).collect();
    assert!(names.is_sorted());
    let mut api = setting_name::VALUES.to_vec();
    names.sort_unstable();
    api.sort_unstable();
    assert_eq!(names, api);
    assert!(super::ALL.iter().all(|known| known.values.contains(&known.default)));
}

#[tokio::test]
async fn ones_own_setting_hides_the_accounts_which_hides_the_default() {
    let context = testing::context().await;
    assert_eq!(holds(&context, USER, LOG_MODE), "non-blocking");
    let default = json(json!({ "name": LOG_MODE, "value": "blocking" }));
    let shown = put_account_setting_default(context.clone(), default).await.unwrap().setting.unwrap();
    assert_eq!((shown.value.as_deref(), shown.principal_arn.as_deref()), (Some("blocking"), Some(ROOT)));
    assert_eq!(shown.r#type.as_deref(), Some("user"));
    assert_eq!(holds(&context, USER, LOG_MODE), "blocking");
    put(&context, json!({ "name": LOG_MODE, "value": "non-blocking", "principalArn": USER })).await.unwrap();
    assert_eq!(holds(&context, USER, LOG_MODE), "non-blocking");
    assert_eq!(holds(&context, ROOT, LOG_MODE), "blocking");
}

#[tokio::test]
async fn the_roots_own_setting_is_the_accounts_and_a_session_has_its_roles() {
    let context = testing::context().await;
    let name = setting_name::CONTAINER_INSIGHTS;
    put(&context, json!({ "name": name, "value": "enabled" })).await.unwrap();
    assert_eq!(holds(&context, USER, name), "enabled");
    let role = "arn:aws:iam::000000000000:role/app";
    put(&context, json!({ "name": name, "value": "enhanced", "principalArn": role })).await.unwrap();
    assert_eq!(holds(&context, "arn:aws:sts::000000000000:assumed-role/app/00ff", name), "enhanced");
    assert_eq!(holds(&context, "arn:aws:sts::000000000000:assumed-role/other/00ff", name), "enabled");
}

#[tokio::test]
async fn a_deleted_setting_gives_way_to_the_accounts() {
    let context = testing::context().await;
    put(&context, json!({ "name": LOG_MODE, "value": "blocking", "principalArn": USER })).await.unwrap();
    let delete = json!({ "name": LOG_MODE, "principalArn": USER });
    let answer = delete_account_setting(context.clone(), json(delete.clone())).await.unwrap().setting.unwrap();
    assert_eq!((answer.value.as_deref(), answer.principal_arn.as_deref()), (Some("non-blocking"), Some(USER)));
    assert!(context.records().current().settings.is_empty());
    delete_account_setting(context.clone(), json(delete)).await.unwrap();
}

#[tokio::test]
async fn only_what_was_set_is_listed_unless_effective_settings_are_asked_for() {
    let context = testing::context().await;
    assert_eq!(list(&context, json!({})).await, []);
    put(&context, json!({ "name": LOG_MODE, "value": "blocking", "principalArn": USER })).await.unwrap();
    let own = (LOG_MODE.to_owned(), "blocking".to_owned(), USER.to_owned());
    assert_eq!(list(&context, json!({ "principalArn": USER })).await, std::slice::from_ref(&own));
    let mut all = Vec::new();
    let mut input = json!({ "principalArn": USER, "effectiveSettings": true });
    loop {
        let answer = list_account_settings(context.clone(), json(input.clone())).await.unwrap();
        all.extend(answer.settings.unwrap());
        match answer.next_token {
            Some(token) => input["nextToken"] = token.into(),
            None => break,
        }
    }
    assert_eq!(all.len(), setting_name::VALUES.len());
    let of = |name: &str| all.iter().find(|s| s.name.as_deref() == Some(name)).unwrap();
    assert_eq!(of(LOG_MODE).principal_arn.as_deref(), Some(USER));
    assert_eq!(of(setting_name::TASK_LONG_ARN_FORMAT).principal_arn.as_deref(), Some(ROOT));
    assert_eq!(of(setting_name::GUARD_DUTY_ACTIVATE).r#type.as_deref(), Some("aws_managed"));
    let filter = json!({ "principalArn": USER, "name": LOG_MODE, "value": "blocking" });
    assert_eq!(list(&context, filter).await, [own]);
    let filter = json!({ "effectiveSettings": true, "name": LOG_MODE, "value": "blocking" });
    assert_eq!(list(&context, filter).await, []);
}

#[tokio::test]
async fn names_values_and_principals_that_ecs_does_not_take_are_refused() {
    let context = testing::context().await;
    for (input, sentence) in [
        (json!({ "name": "colour", "value": "red" }), "name should be one of [serviceLongArnFormat,"),
        (json!({ "value": "enabled" }), "name should be one of ["),
        (
            json!({ "name": "containerInsights", "value": "on" }),
            "must be one of [enabled, disabled, enhanced], not 'on'",
        ),
        (json!({ "name": "awsvpcTrunking", "value": "enhanced" }), "must be one of [enabled, disabled]"),
        (json!({ "name": "fargateTaskRetirementWaitPeriod", "value": "3" }), "must be one of [0, 7, 14]"),
        (json!({ "name": "tagResourceAuthorization", "value": "enabled" }), "must be one of [on, off]"),
        (json!({ "name": "defaultLogDriverMode", "value": "" }), "must be one of [blocking, non-blocking]"),
        (json!({ "name": "taskLongArnFormat", "value": "disabled" }), "must be one of [enabled], not 'disabled'"),
        (json!({ "name": "guardDutyActivate", "value": "on" }), "managed by GuardDuty"),
        (json!({ "name": "containerInsights" }), "must be one of"),
    ] {
        refused(put(&context, input.clone()).await, sentence);
        refused(put_account_setting_default(context.clone(), json(input)).await, sentence);
    }
    for principal in
        ["ann", "arn:aws:iam::111111111111:user/ann", "arn:aws:iam::000000000000:group/x", "arn:aws:s3:::x"]
    {
        let input = json!({ "name": "containerInsights", "value": "enabled", "principalArn": principal });
        refused(put(&context, input).await, "Invalid principal ARN");
    }
    for (input, sentence) in [
        (json!({ "maxResults": 11 }), "maxResults must be between 1 and 10"),
        (json!({ "value": "enabled" }), "needs a name too"),
        (json!({ "name": "colour" }), "name should be one of ["),
        (json!({ "nextToken": "x" }), "Invalid token"),
    ] {
        refused(list_account_settings(context.clone(), json(input)).await, sentence);
    }
    refused(
        delete_account_setting(context.clone(), json(json!({ "name": "colour" }))).await,
        "name should be one of [",
    );
    assert!(context.records().current().settings.is_empty());
}
