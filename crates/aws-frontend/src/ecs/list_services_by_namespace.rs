//! ListServicesByNamespace: of Cloud Map's namespaces, of which there is none.

use super::errors;
use crate::context::Context;
use aws_api::ecs::{ListServicesByNamespaceInput, ListServicesByNamespaceOutput};
use aws_protocol::ServiceError;

pub(crate) async fn list_services_by_namespace(
    _: Context,
    input: ListServicesByNamespaceInput,
) -> Result<ListServicesByNamespaceOutput, ServiceError> {
    match input.namespace.as_deref() {
        None | Some("") => Err(errors::invalid_parameter("Namespace can not be blank.")),
        Some(_) => Err(errors::namespace_not_found()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn no_namespace_is_found() {
        for (namespace, code) in [
            (None, "InvalidParameterException"),
            (Some(""), "InvalidParameterException"),
            (Some("shop"), "NamespaceNotFoundException"),
        ] {
            let input = ListServicesByNamespaceInput { namespace: namespace.map(str::to_owned), ..Default::default() };
            let error = list_services_by_namespace(testing::context().await, input).await.unwrap_err();
            assert_eq!(error.code, code, "{namespace:?}");
        }
    }
}
