//! EC2's errors, which its model does not declare; codes and sentences as its users know them.

use aws_api::schema::Fault;
use aws_protocol::ServiceError;

pub(super) fn invalid_value(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("InvalidParameterValue", message)
}

pub(super) fn invalid_combination(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("InvalidParameterCombination", message)
}

pub(super) fn bad_token() -> ServiceError {
    ServiceError::sender("InvalidNextToken", "The token is not one of this request's pages; start again without it.")
}

/// Something of a kind that there is not, for example a vpc: `InvalidVpcID.NotFound`.
pub(super) fn not_found(code: &'static str, what: &str, id: &str) -> ServiceError {
    ServiceError::sender(code, format!("The {what} '{id:.200}' does not exist"))
}

/// The answer to a dry run that would have been answered.
///
/// # Errors
/// DryRunOperation if it was one.
pub(super) fn dry_run(asked: Option<bool>) -> Result<(), ServiceError> {
    if asked == Some(true) {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(ServiceError::new("DryRunOperation", 412, Fault::Sender, message));
    }
    Ok(())
}
