//! Tags of log groups, whichever operation brings them.

use super::{arn, errors, group};
use crate::context::Context;
use aws_protocol::ServiceError;
use std::collections::BTreeMap;

const MOST: usize = 50;

/// The group that a tagging operation names by its ARN.
pub(super) fn resource<'a>(context: &Context, arn: Option<&'a str>) -> Result<&'a str, ServiceError> {
    let arn = arn.unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Err(errors::invalid(format!("The resourceArn must be the ARN of a log group, not '{arn:.100}'.")));
    }
    arn::group_of(context.scope(), arn).ok_or_else(errors::no_group)
}

/// Refuses tags that no group may have.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let reserved = |key: &&String| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    match tags.keys().find(reserved) {
        Some(key) => Err(errors::invalid(format!("The tag key '{key}' starts with aws:, which is reserved."))),
        None if tags.len() > MOST => Err(errors::too_many_tags()),
        None => Ok(()),
    }
}

pub(super) async fn add(context: &Context, name: &str, tags: BTreeMap<String, String>) -> Result<(), ServiceError> {
    check(&tags)?;
    group::change(context, name, |group| {
        group.tags.extend(tags.clone());
        if group.tags.len() > MOST { Err(errors::too_many_tags()) } else { Ok(()) }
    })
    .await
    .map(drop)
}

pub(super) async fn remove(context: &Context, name: &str, keys: Vec<String>) -> Result<(), ServiceError> {
    group::change(context, name, |group| {
        group.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await
    .map(drop)
}

pub(super) fn of(context: &Context, name: &str) -> Result<BTreeMap<String, String>, ServiceError> {
    Ok(group::find(&context.frontend, name)?.tags.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::list_tags_for_resource::list_tags_for_resource;
    use crate::logs::list_tags_log_group::list_tags_log_group;
    use crate::logs::tag_log_group::tag_log_group;
    use crate::logs::tag_resource::tag_resource;
    use crate::logs::testing;
    use crate::logs::untag_log_group::untag_log_group;
    use crate::logs::untag_resource::untag_resource;
    use crate::testing::context;
    use aws_api::logs::{
        ListTagsForResourceInput, ListTagsLogGroupInput, TagLogGroupInput, TagResourceInput, UntagLogGroupInput,
        UntagResourceInput,
    };

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[tokio::test]
    async fn old_and_new_operations_see_the_same_tags() {
        let context = context().await;
        testing::make_group(&context, "g").await;
        let (name, arn) = (Some("g".to_owned()), Some(arn::group(context.scope(), "g")));
        let tags = Some(pairs(&[("a", "1"), ("b", "2")]));
        tag_resource(context.clone(), TagResourceInput { resource_arn: arn.clone(), tags }).await.unwrap();
        let tags = Some(pairs(&[("b", "3"), ("c", "")]));
        tag_log_group(context.clone(), TagLogGroupInput { log_group_name: name.clone(), tags }).await.unwrap();
        let listed = list_tags_for_resource(context.clone(), ListTagsForResourceInput { resource_arn: arn.clone() });
        assert_eq!(listed.await.unwrap().tags, Some(pairs(&[("a", "1"), ("b", "3"), ("c", "")])));
        let keys = |key: &str| Some(vec![key.to_owned(), "unknown".to_owned()]);
        let input = UntagResourceInput { resource_arn: arn, tag_keys: keys("a") };
        untag_resource(context.clone(), input).await.unwrap();
        let input = UntagLogGroupInput { log_group_name: name.clone(), tags: keys("b") };
        untag_log_group(context.clone(), input).await.unwrap();
        let listed = list_tags_log_group(context.clone(), ListTagsLogGroupInput { log_group_name: name });
        assert_eq!(listed.await.unwrap().tags, Some(pairs(&[("c", "")])));
    }

    #[tokio::test]
    async fn a_group_has_at_most_fifty_tags_and_none_of_awss() {
        let context = context().await;
        testing::make_group(&context, "g").await;
        let arn = Some(arn::group(context.scope(), "g"));
        let many = (0..50).map(|n| (n.to_string(), "v".to_owned())).collect();
        let tag =
            |tags| tag_resource(context.clone(), TagResourceInput { resource_arn: arn.clone(), tags: Some(tags) });
        tag(many).await.unwrap();
        assert_eq!(tag(pairs(&[("one more", "v")])).await.unwrap_err().code, "TooManyTagsException");
        assert_eq!(tag(pairs(&[("AWS:x", "v")])).await.unwrap_err().code, "InvalidParameterException");
        assert_eq!(tag(pairs(&[])).await.unwrap_err().code, "InvalidParameterException");
        for (arn, code) in
            [("g", "InvalidParameterException"), ("arn:aws:logs:x:y:log-group:g", "ResourceNotFoundException")]
        {
            let input = TagResourceInput { resource_arn: Some(arn.to_owned()), tags: Some(pairs(&[("a", "b")])) };
            assert_eq!(tag_resource(context.clone(), input).await.unwrap_err().code, code);
        }
    }
}
