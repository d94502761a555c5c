//! The errors of CloudWatch Logs, each with the sentence that its users know.

use aws_api::logs::errors as shapes;
use aws_api::schema::Structure;
use aws_protocol::ServiceError;
use observe::LogError;
use records::CommitError;

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::of(&shapes::INVALID_PARAMETER, message)
}

pub(super) fn no_group() -> ServiceError {
    ServiceError::of(&shapes::RESOURCE_NOT_FOUND, "The specified log group does not exist.")
}

pub(super) fn no_stream() -> ServiceError {
    ServiceError::of(&shapes::RESOURCE_NOT_FOUND, "The specified log stream does not exist.")
}

pub(super) fn group_exists() -> ServiceError {
    ServiceError::of(&shapes::RESOURCE_ALREADY_EXISTS, "The specified log group already exists")
}

pub(super) fn too_many_tags() -> ServiceError {
    ServiceError::of(&shapes::TOO_MANY_TAGS, "A resource can have no more than 50 tags.")
}

pub(super) fn bad_token() -> ServiceError {
    invalid("The specified nextToken is invalid.")
}

/// The record changed faster than it could be decided on.
pub(super) fn aborted() -> ServiceError {
    let message = "Multiple concurrent requests to update the same resource were in conflict. Try again.";
    ServiceError::of(&shapes::OPERATION_ABORTED, message)
}

/// The store did not take the change.
pub(super) fn store(error: CommitError) -> ServiceError {
    tracing::error!(%error, "a commit of the Logs front-end failed");
    let message = format!("The change was not stored: {error}. Nothing was changed; try again.");
    ServiceError::of(&shapes::SERVICE_UNAVAILABLE, message)
}

/// What the streams on disk say, in the API's words.
pub(super) fn stream(error: LogError) -> ServiceError {
    match error {
        LogError::NoSuchStream(_) => no_stream(),
        LogError::StreamExists(_) => {
            ServiceError::of(&shapes::RESOURCE_ALREADY_EXISTS, "The specified log stream already exists")
        }
        LogError::GroupDeleted => no_group(),
        LogError::BadToken => bad_token(),
        LogError::BatchTooLarge { .. } | LogError::BadTimestamp(_) | LogError::BadProducer => {
            invalid(error.to_string())
        }
        LogError::BadGroup(_) | LogError::InUse(_) | LogError::Io { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "log streams cannot be used");
            ServiceError::of(&shapes::SERVICE_UNAVAILABLE, format!("{error}. The log of the server says more."))
        }
    }
}

/// Refuses an input that breaks a constraint of the model.
pub(super) fn check<T: Structure>(input: &T) -> Result<(), ServiceError> {
    let violations = aws_protocol::validate(input);
    if violations.is_empty() {
        return Ok(());
    }
    let (count, plural) = (violations.len(), if violations.len() == 1 { "" } else { "s" });
    let words: Vec<String> = violations.iter().take(10).map(ToString::to_string).collect();
    Err(invalid(format!("{count} validation error{plural} detected: {}", words.join("; "))))
}
