//! ECS's errors, each with the sentence that its users know.

use aws_api::ecs::errors as shapes;
use aws_protocol::ServiceError;
use records::CommitError;

/// The request cannot be carried out as it stands: the caller's fault.
pub(crate) fn client(message: impl Into<String>) -> ServiceError {
    ServiceError::of(&shapes::CLIENT, message)
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    ServiceError::of(&shapes::INVALID_PARAMETER, message)
}

pub(crate) fn cluster_not_found() -> ServiceError {
    ServiceError::of(&shapes::CLUSTER_NOT_FOUND, "Cluster not found.")
}

/// The cluster was deleted.
pub(crate) fn cluster_inactive() -> ServiceError {
    ServiceError::of(&shapes::CLUSTER_NOT_FOUND, "The referenced cluster was inactive.")
}

pub(crate) fn task_not_found() -> ServiceError {
    invalid_parameter("The referenced task was not found.")
}

pub(crate) fn service_not_found() -> ServiceError {
    ServiceError::of(&shapes::SERVICE_NOT_FOUND, "Service not found.")
}

pub(crate) fn service_not_active() -> ServiceError {
    ServiceError::of(&shapes::SERVICE_NOT_ACTIVE, "Service was not ACTIVE.")
}

pub(crate) fn service_deployment_not_found() -> ServiceError {
    let message =
        "The service deployment was not found. ListServiceDeployments tells the ARNs of a service's deployments.";
    ServiceError::of(&shapes::SERVICE_DEPLOYMENT_NOT_FOUND, message)
}

pub(crate) fn task_set_not_found() -> ServiceError {
    let message = "The specified task set wasn't found. You can view your available task sets with DescribeTaskSets. Task \
         sets are specific to each cluster, service and Region.";
    ServiceError::of(&shapes::TASK_SET_NOT_FOUND, message)
}

pub(crate) fn namespace_not_found() -> ServiceError {
    ServiceError::of(&shapes::NAMESPACE_NOT_FOUND, "The specified namespace was not found.")
}

/// There is another one of the name, or one that was made with the token.
pub(crate) fn not_idempotent(what: &str) -> ServiceError {
    invalid_parameter(format!("Creation of {what} was not idempotent."))
}

/// The token was used for another call, which made `resources`.
pub(crate) fn conflict(message: impl Into<String>, resources: Vec<String>) -> ServiceError {
    ServiceError::of(&shapes::CONFLICT, message).with("resourceIds", resources)
}

pub(crate) fn platform_unknown() -> ServiceError {
    ServiceError::of(&shapes::PLATFORM_UNKNOWN, "The specified platform does not exist.")
}

/// No such task definition, as every operation on one but RunTask says it.
pub(crate) fn no_task_definition() -> ServiceError {
    client("Unable to describe task definition.")
}

/// Bayplan does not have what the request is about, and does not pretend to.
pub(crate) fn unsupported(message: impl Into<String>) -> ServiceError {
    ServiceError::of(&shapes::UNSUPPORTED_FEATURE, message)
}

/// Something of ours is broken; the log says what.
pub(crate) fn server(message: impl Into<String>) -> ServiceError {
    ServiceError::of(&shapes::SERVER, message)
}

/// The store did not take the change.
pub(crate) fn store(error: CommitError) -> ServiceError {
    tracing::error!(%error, "a commit of the ECS front-end failed");
    ServiceError::of(&shapes::SERVER, format!("The change was not stored: {error}. Nothing was changed; try again."))
}

pub(crate) fn bad_token() -> ServiceError {
    invalid_parameter("Invalid token. Use the nextToken of the previous page, unchanged.")
}
