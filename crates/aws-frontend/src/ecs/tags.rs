//! Tags: what they may be, and how a request's list becomes what is stored and back; which resource has them is told elsewhere.

use super::errors;
use aws_api::ecs::Tag;
use aws_protocol::ServiceError;
use model::ecs::Tags;

/// ECS API: tags of a resource.
pub(crate) const TAGS_MAX: usize = 50;
/// ECS API, Tag: characters.
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// The tags of a request.
///
/// # Errors
/// InvalidParameterException for a key that is empty, AWS's own or given twice, for lengths and characters that ECS does
/// not take, and for too many.
pub(crate) fn convert(tags: &[Tag]) -> Result<Tags, ServiceError> {
    let mut converted = Tags::new();
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        check_key(key)?;
        if value.chars().count() > VALUE_MAX {
            return refuse(format!("The value of the tag '{key}' has more than {VALUE_MAX} characters."));
        }
        if !value.chars().all(is_tag_char) {
            return refuse(format!("The value of the tag '{key}' {ALLOWED}"));
        }
        if converted.insert(key.to_owned(), value.to_owned()).is_some() {
            return refuse(format!("Duplicate tag key '{key}'."));
        }
    }
    check_count(&converted)?;
    Ok(converted)
}

/// # Errors
/// InvalidParameterException for more than [`TAGS_MAX`], not counting AWS's own.
pub(crate) fn check_count(tags: &Tags) -> Result<(), ServiceError> {
    let count = tags.keys().filter(|key| !is_reserved(key)).count();
    if count > TAGS_MAX {
        return refuse(format!("A resource can have at most {TAGS_MAX} tags, not {count}."));
    }
    Ok(())
}

/// # Errors
/// InvalidParameterException for a key that no client may write.
pub(crate) fn check_key(key: &str) -> Result<(), ServiceError> {
    if key.is_empty() {
        return refuse("A tag's key should not be null or empty.".to_owned());
    }
    if is_reserved(key) {
        return refuse(format!("The tag key '{key}' begins with 'aws:', which only AWS may use."));
    }
    if key.chars().count() > KEY_MAX {
        return refuse(format!("A tag's key has more than {KEY_MAX} characters."));
    }
    if !key.chars().all(is_tag_char) {
        return refuse(format!("The tag key '{key}' {ALLOWED}"));
    }
    Ok(())
}

/// Tags as ECS shows them, by key.
pub(crate) fn show(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

const ALLOWED: &str = "has a character that is no letter, digit, space or one of _ . : / = + - @.";

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

fn refuse<T>(message: String) -> Result<T, ServiceError> {
    Err(errors::invalid_parameter(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
    }

    #[test]
    fn fine_tags_are_kept_by_key_and_a_missing_value_is_empty() {
        let tags = [tag("b", "2"), Tag { key: Some("a".to_owned()), value: None }, tag("Ünï code", "x@y.z:/=+-_")];
        assert_eq!(show(&convert(&tags).unwrap()), [tag("a", ""), tag("b", "2"), tag("Ünï code", "x@y.z:/=+-_")]);
    }

    #[test]
    fn what_ecs_does_not_take_is_refused_with_what_is_wrong() {
        for (tags, sentence) in [
            (vec![tag("", "x")], "null or empty"),
            (vec![tag("aws:x", "x")], "only AWS"),
            (vec![tag("AWS:x", "x")], "only AWS"),
            (vec![tag("k", "1"), tag("k", "2")], "Duplicate tag key 'k'"),
            (vec![tag(&"k".repeat(129), "")], "more than 128"),
            (vec![tag("k", &"v".repeat(257))], "more than 256"),
            (vec![tag("k#", "")], "no letter"),
            (vec![tag("k", "a|b")], "no letter"),
            ((0..51).map(|n| tag(&format!("k{n}"), "")).collect(), "at most 50 tags, not 51"),
        ] {
            let error = convert(&tags).unwrap_err();
            assert_eq!(error.code, "InvalidParameterException");
            assert!(error.message.contains(sentence), "{error}");
        }
    }
}
