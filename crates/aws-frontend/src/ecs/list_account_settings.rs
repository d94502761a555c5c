//! ListAccountSettings: what a principal has set, or what holds for it, by name and in pages.

use super::{account_settings as settings, errors};
use crate::context::Context;
use crate::page;
use aws_api::ecs::{ListAccountSettingsInput, ListAccountSettingsOutput, Setting};
use aws_protocol::ServiceError;

/// ECS API: at most 10 a page, which is also the default.
const PAGE_MAX: i32 = 10;

pub(crate) async fn list_account_settings(
    context: Context,
    input: ListAccountSettingsInput,
) -> Result<ListAccountSettingsOutput, ServiceError> {
    let limit = input.max_results.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(errors::invalid_parameter(format!("maxResults must be between 1 and {PAGE_MAX}, not {limit}.")));
    }
    let only = input.name.as_deref().map(|name| settings::find(Some(name))).transpose()?;
    if input.value.is_some() && only.is_none() {
        return Err(errors::invalid_parameter("A filter by value needs a name too."));
    }
    let principal = settings::whose(&context, input.principal_arn.as_deref())?;
    let effective = input.effective_settings.unwrap_or(false);
    let (snapshot, scope) = (context.records().current(), context.scope());
    let listed = settings::ALL.iter().filter(|known| only.is_none_or(|only| only.name == known.name));
    let listed = listed.filter_map(|known| {
        let own = settings::own(&snapshot, scope, &principal, known.name).map(|value| (principal.as_str(), value));
        let inherited = || {
            let account = settings::own(&snapshot, scope, settings::EVERYBODY, known.name).unwrap_or(known.default);
            effective.then_some((settings::EVERYBODY, account))
        };
        let (whose, value) = own.or_else(inherited)?;
        Some(settings::show(&context.caller, whose, known, value))
    });
    let listed = listed.filter(|setting| input.value.is_none() || setting.value == input.value);
    let token_scope = format!(
        "ListAccountSettings {principal} {effective} {} {}",
        input.name.as_deref().unwrap_or_default(),
        input.value.as_deref().unwrap_or_default()
    );
    let key = |setting: &Setting| setting.name.clone().unwrap_or_default();
    let page = page::cut(&token_scope, listed, key, input.next_token.as_deref(), limit.unsigned_abs() as usize)
        .map_err(|_| errors::bad_token())?;
    Ok(ListAccountSettingsOutput { settings: Some(page.items), next_token: page.next_token })
}
