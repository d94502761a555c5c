//! ARNs of log groups and streams; nothing is looked up here.

use super::errors;
use aws_protocol::ServiceError;
use model::Scope;

/// Without the trailing `:*` that policies want.
pub(super) fn group(scope: &Scope, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", scope.region, scope.account)
}

pub(super) fn stream(scope: &Scope, group_name: &str, stream: &str) -> String {
    format!("{}:log-stream:{stream}", group(scope, group_name))
}

/// The group that an ARN of this scope names, with or without `:*`.
pub(super) fn group_of<'a>(scope: &Scope, arn: &'a str) -> Option<&'a str> {
    let name = arn.strip_prefix(&group(scope, ""))?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    (!name.is_empty() && !name.contains(':')).then_some(name)
}

/// The group of a request that takes a name or an identifier, which is a name or an ARN.
pub(super) fn named<'a>(
    scope: &Scope,
    name: Option<&'a str>,
    identifier: Option<&'a str>,
) -> Result<&'a str, ServiceError> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(arn)) if arn.starts_with("arn:") => group_of(scope, arn).ok_or_else(errors::no_group),
        (None, Some(name)) => Ok(name),
        (Some(_), Some(_)) => Err(errors::invalid("logGroupName and logGroupIdentifier cannot both be specified.")),
        (None, None) => Err(errors::invalid("Either logGroupName or logGroupIdentifier must be specified.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_its_name_or_by_either_form_of_its_arn() {
        let scope = Scope::new("000000000000", "us-east-1");
        let arn = group(&scope, "/ecs/web");
        assert_eq!(arn, "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web");
        for identifier in ["/ecs/web", arn.as_str(), &format!("{arn}:*")] {
            assert_eq!(named(&scope, None, Some(identifier)).unwrap(), "/ecs/web");
        }
        for foreign in ["arn:aws:logs:eu-west-1:000000000000:log-group:/ecs/web", &stream(&scope, "g", "s"), "arn:x"] {
            assert_eq!(named(&scope, None, Some(foreign)).unwrap_err().code, "ResourceNotFoundException");
        }
        assert_eq!(named(&scope, Some("a"), Some("a")).unwrap_err().code, "InvalidParameterException");
        assert_eq!(named(&scope, None, None).unwrap_err().code, "InvalidParameterException");
    }
}
