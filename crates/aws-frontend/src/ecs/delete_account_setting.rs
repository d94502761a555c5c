//! DeleteAccountSetting: takes back what a principal has set, so that the account's default holds for it again.

use super::{account_settings as settings, commit};
use crate::context::Context;
use aws_api::ecs::{DeleteAccountSettingInput, DeleteAccountSettingOutput};
use aws_protocol::ServiceError;

/// Answers with the value that holds from then on; a setting that was never made is none to take back, and no error.
pub(crate) async fn delete_account_setting(
    context: Context,
    input: DeleteAccountSettingInput,
) -> Result<DeleteAccountSettingOutput, ServiceError> {
    let principal = settings::whose(&context, input.principal_arn.as_deref())?;
    let known = settings::find(input.name.as_deref())?;
    let (key, _) = settings::record(context.scope(), &principal, known, "");
    let (_, snapshot) = commit::decide(context.records(), |snapshot, draft| {
        if let Some(seen) = snapshot.settings.get(&key) {
            draft.delete(&key, seen);
        }
        Ok(())
    })
    .await?;
    let default = settings::own(&snapshot, context.scope(), settings::EVERYBODY, known.name);
    let value = default.unwrap_or(known.default);
    Ok(DeleteAccountSettingOutput { setting: Some(settings::show(&context.caller, &principal, known, value)) })
}
