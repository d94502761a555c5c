//! What is said when a task's image is not on the node.

use crate::reference::Reference;

/// ECS's stopped reason for an image that is not here, with the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "CannotPullContainerError: image {} is not on this node and pulling from registries is not built yet; import it with: bayplan image import FILE --name {}",
    .0.familiar(),
    .0.without_digest().familiar()
)]
pub struct MissingImage(pub Reference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_command_to_type() {
        let missing = MissingImage(Reference::parse("docker.io/library/app:1").unwrap());
        assert_eq!(
            missing.to_string(),
            "CannotPullContainerError: image app:1 is not on this node and pulling from registries is not built yet; \
             import it with: bayplan image import FILE --name app:1"
        );
    }
}
