//! Filters of EC2's Describe operations: all of them have to hold, each by one of its values, which may have wildcards.

use super::errors;
use aws_api::ec2::Filter;
use aws_protocol::ServiceError;

/// EC2 API: filters of a request, and values of a filter.
const FILTERS_MAX: usize = 50;
const VALUES_MAX: usize = 200;

/// One property of a resource by the name of its filter; a property may have several values.
pub(super) type Property = (&'static str, Vec<String>);

/// The filters of a request, checked.
pub(super) struct Filters<'a>(Vec<(&'a str, &'a [String])>);

impl<'a> Filters<'a> {
    /// `names` are the filters that the operation knows; `tag-key` and `tag:<key>` are always known, and nothing has tags.
    ///
    /// # Errors
    /// InvalidParameterValue for an unknown filter, and for one without values.
    pub(super) fn of(filters: Option<&'a [Filter]>, names: &[&str]) -> Result<Self, ServiceError> {
        let filters = filters.unwrap_or_default();
        if filters.len() > FILTERS_MAX {
            return Err(errors::invalid_value(format!("A request can have at most {FILTERS_MAX} filters.")));
        }
        let mut checked = Vec::with_capacity(filters.len());
        for filter in filters {
            let name = filter.name.as_deref().unwrap_or_default();
            let values = filter.values.as_deref().unwrap_or_default();
            if !names.contains(&name) && name != "tag-key" && !name.starts_with("tag:") {
                return Err(errors::invalid_value(format!("The filter '{name:.200}' is invalid")));
            }
            if values.is_empty() || values.len() > VALUES_MAX {
                let message = format!("The filter '{name:.200}' must have from 1 to {VALUES_MAX} values.");
                return Err(errors::invalid_value(message));
            }
            checked.push((name, values));
        }
        Ok(Self(checked))
    }

    /// Whether a resource with these properties passes.
    pub(super) fn hold(&self, properties: &[Property]) -> bool {
        self.0.iter().all(|(name, values)| {
            let mut found = properties.iter().filter(|(property, _)| property == name).flat_map(|(_, found)| found);
            found.any(|found| values.iter().any(|value| matches(value.as_bytes(), found.as_bytes())))
        })
    }
}

/// Whether a text fits a pattern in which `*` stands for any text, `?` for one byte, and `\` takes the meaning off the next.
/// It walks once, going back to the last `*` only: the cost is bounded by the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let (literal, width) = match pattern.get(p) {
            Some(b'\\') if p + 1 < pattern.len() => (Some(pattern[p + 1]), 2),
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => (Some(text[t]), 1),
            Some(byte) => (Some(*byte), 1),
            None => (None, 0),
        };
        if literal == Some(text[t]) {
            (p, t) = (p + width, t + 1);
        } else if let Some((after, from)) = star {
            (p, t) = (after, from + 1);
            star = Some((after, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_whole_text() {
        for (pattern, text, fits) in [
            ("vpc-1", "vpc-1", true),
            ("vpc-1", "vpc-12", false),
            ("vpc-*", "vpc-12", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("v?c-1", "vpc-1", true),
            ("*-*-1a", "us-east-1a", true),
            ("*ab", "aab", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("10.\\*", "10.*", true),
            ("10.\\*", "10.1", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn filters_are_joined_by_and_and_their_values_by_or() {
        let filter = |name: &str, values: &[&str]| Filter {
            name: Some(name.to_owned()),
            values: Some(values.iter().map(|v| (*v).to_owned()).collect()),
        };
        let resource: [Property; 2] = [("zone", vec!["a".to_owned()]), ("cidr", vec!["x".to_owned(), "y".to_owned()])];
        let hold = |filters: &[Filter]| Filters::of(Some(filters), &["zone", "cidr"]).unwrap().hold(&resource);
        assert!(hold(&[]));
        assert!(hold(&[filter("zone", &["b", "a"]), filter("cidr", &["y"])]));
        assert!(!hold(&[filter("zone", &["a"]), filter("cidr", &["z"])]));
        assert!(!hold(&[filter("tag:team", &["*"])]), "nothing has tags");
    }
}
