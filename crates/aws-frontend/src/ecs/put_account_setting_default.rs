//! PutAccountSettingDefault: a setting of everybody in the account who has not set it for himself.

use super::{account_settings, put_account_setting};
use crate::context::Context;
use aws_api::ecs::{PutAccountSettingDefaultInput, PutAccountSettingDefaultOutput};
use aws_protocol::ServiceError;

pub(crate) async fn put_account_setting_default(
    context: Context,
    input: PutAccountSettingDefaultInput,
) -> Result<PutAccountSettingDefaultOutput, ServiceError> {
    let (name, value) = (input.name.as_deref(), input.value.as_deref());
    let setting = put_account_setting::put(&context, account_settings::EVERYBODY, name, value).await?;
    Ok(PutAccountSettingDefaultOutput { setting: Some(setting) })
}
