//! PutAccountSetting: a setting of one principal; the root user's own are the account's.

use super::{account_settings as settings, commit};
use crate::context::Context;
use aws_api::ecs::{PutAccountSettingInput, PutAccountSettingOutput, Setting};
use aws_protocol::ServiceError;

pub(crate) async fn put_account_setting(
    context: Context,
    input: PutAccountSettingInput,
) -> Result<PutAccountSettingOutput, ServiceError> {
    let principal = settings::whose(&context, input.principal_arn.as_deref())?;
    let setting = put(&context, &principal, input.name.as_deref(), input.value.as_deref()).await?;
    Ok(PutAccountSettingOutput { setting: Some(setting) })
}

/// Sets it for a principal as it is stored.
pub(super) async fn put(
    context: &Context,
    principal: &str,
    name: Option<&str>,
    value: Option<&str>,
) -> Result<Setting, ServiceError> {
    let known = settings::find(name)?;
    let value = settings::check(known, value)?;
    let (key, record) = settings::record(context.scope(), principal, known, &value);
    commit::decide(context.records(), |snapshot, draft| {
        let seen = snapshot.settings.get(&key);
        if seen.is_none_or(|seen| *seen.value != record) {
            draft.upsert(&key, seen, &record);
        }
        Ok(())
    })
    .await?;
    Ok(settings::show(&context.caller, principal, known, &value))
}
