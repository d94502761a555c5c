//! The account settings of ECS: their names, values and defaults, and which one holds for whom; no operation.

#[cfg(test)]
mod tests;

use super::errors;
use crate::context::{Caller, Context};
use aws_api::ecs::{Setting, values::setting_name, values::setting_type};
use aws_protocol::ServiceError;
use model::ecs::AccountSetting;
use model::{Scope, Snapshot};
use std::sync::Arc;

/// One setting that an account has.
pub(super) struct Known {
    pub name: &'static str,
    pub values: &'static [&'static str],
    /// What holds while nobody has said otherwise.
    pub default: &'static str,
}

const fn known(name: &'static str, values: &'static [&'static str], default: &'static str) -> Known {
    Known { name, values, default }
}

const SWITCH: &[&str] = &["enabled", "disabled"];

/// Sorted by name. ECS API, PutAccountSetting; what a new account has. The long ARN formats cannot be switched off: this
/// installation makes no other ARNs.
pub(super) const ALL: [Known; 11] = [
    known(setting_name::AWSVPC_TRUNKING, SWITCH, "disabled"),
    known(setting_name::CONTAINER_INSIGHTS, &["enabled", "disabled", "enhanced"], "disabled"),
    known(setting_name::CONTAINER_INSTANCE_LONG_ARN_FORMAT, &["enabled"], "enabled"),
    known(setting_name::DEFAULT_LOG_DRIVER_MODE, &["blocking", "non-blocking"], "non-blocking"),
    known(setting_name::FARGATE_EVENT_WINDOWS, SWITCH, "disabled"),
    known(setting_name::FARGATE_FIPS_MODE, SWITCH, "disabled"),
    known(setting_name::FARGATE_TASK_RETIREMENT_WAIT_PERIOD, &["0", "7", "14"], "7"),
    known(setting_name::GUARD_DUTY_ACTIVATE, &["on", "off"], "off"),
    known(setting_name::SERVICE_LONG_ARN_FORMAT, &["enabled"], "enabled"),
    known(setting_name::TAG_RESOURCE_AUTHORIZATION, &["on", "off"], "on"),
    known(setting_name::TASK_LONG_ARN_FORMAT, &["enabled"], "enabled"),
];

/// The principal under which the default of the whole account is stored.
pub(super) const EVERYBODY: &str = "";

/// The value that holds for a principal: its own, else the account's, else ECS's. `name` is one of [`setting_name`].
pub(crate) fn setting<'s>(snapshot: &'s Snapshot, scope: &Scope, principal: &str, name: &str) -> &'s str {
    let who = principal_of(scope, principal).unwrap_or_default();
    let stored = own(snapshot, scope, &who, name).or_else(|| own(snapshot, scope, EVERYBODY, name));
    stored.unwrap_or_else(|| ALL.iter().find(|known| known.name == name).map_or("", |known| known.default))
}

/// What a principal itself has set.
pub(super) fn own<'s>(snapshot: &'s Snapshot, scope: &Scope, principal: &str, name: &str) -> Option<&'s str> {
    let key: (Scope, Arc<str>, Arc<str>) = (scope.clone(), principal.into(), name.into());
    snapshot.settings.get(&key).map(|stored| stored.value.value.as_str())
}

/// # Errors
/// InvalidParameterException for a name that ECS does not know.
pub(super) fn find(name: Option<&str>) -> Result<&'static Known, ServiceError> {
    let name = name.unwrap_or_default();
    ALL.iter()
        .find(|known| known.name == name)
        .ok_or_else(|| errors::invalid_parameter(format!("name should be one of [{}]", setting_name::VALUES.join(","))))
}

/// A value that a client may set.
///
/// # Errors
/// InvalidParameterException for a value that the setting does not take, and for a setting that is not ECS's to set.
pub(super) fn check(known: &Known, value: Option<&str>) -> Result<String, ServiceError> {
    if known.name == setting_name::GUARD_DUTY_ACTIVATE {
        return Err(errors::invalid_parameter(format!(
            "The setting {} is managed by GuardDuty and can only be read.",
            known.name
        )));
    }
    match value {
        Some(value) if known.values.contains(&value) => Ok(value.to_owned()),
        value => Err(errors::invalid_parameter(format!(
            "The value of {} must be one of [{}], not '{:.100}'.",
            known.name,
            known.values.join(", "),
            value.unwrap_or_default()
        ))),
    }
}

/// Whose settings a request is about, as they are stored: the caller's own unless it names a principal.
///
/// # Errors
/// InvalidParameterException for what is no ARN of the root user, a user or a role of this account.
pub(super) fn whose(context: &Context, principal: Option<&str>) -> Result<String, ServiceError> {
    let arn = principal.unwrap_or(&context.caller.arn);
    principal_of(context.scope(), arn).ok_or_else(|| {
        errors::invalid_parameter(format!(
            "Invalid principal ARN '{arn:.200}'. Name the root user, a user or a role of the account {}.",
            context.scope().account
        ))
    })
}

/// [`EVERYBODY`] for the root user, whose settings are the account's; a role's ARN for one of its sessions.
fn principal_of(scope: &Scope, arn: &str) -> Option<String> {
    let (service, resource) = match arn.strip_prefix("arn:aws:")?.split(':').collect::<Vec<_>>()[..] {
        [service, "", account, resource] if *account == *scope.account => (service, resource),
        _ => return None,
    };
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => Some(EVERYBODY.to_owned()),
        ("iam", Some(("user" | "role", name))) if !name.is_empty() => Some(arn.to_owned()),
        ("sts", Some(("assumed-role", session))) => {
            let (role, _) = session.split_once('/')?;
            Some(format!("arn:aws:iam::{}:role/{role}", scope.account))
        }
        _ => None,
    }
}

/// A setting as ECS shows it.
pub(super) fn show(caller: &Caller, principal: &str, known: &Known, value: &str) -> Setting {
    let arn = match principal {
        EVERYBODY => format!("arn:aws:iam::{}:root", caller.account),
        principal => principal.to_owned(),
    };
    let managed = known.name == setting_name::GUARD_DUTY_ACTIVATE;
    Setting {
        name: Some(known.name.to_owned()),
        value: Some(value.to_owned()),
        principal_arn: Some(arn),
        r#type: Some(if managed { setting_type::AWS_MANAGED } else { setting_type::USER }.to_owned()),
    }
}

/// The record of a setting with its key.
pub(super) fn record(
    scope: &Scope,
    principal: &str,
    known: &Known,
    value: &str,
) -> ((Scope, Arc<str>, Arc<str>), AccountSetting) {
    let setting =
        AccountSetting { principal: principal.to_owned(), name: known.name.to_owned(), value: value.to_owned() };
    ((scope.clone(), principal.into(), known.name.into()), setting)
}
