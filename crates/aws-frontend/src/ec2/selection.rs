//! What the Describe operations do with their list: the ids that were asked for, the filters, then a page.

use super::errors;
use super::filter::{Filters, Property};
use crate::page::{self, Page};
use aws_protocol::ServiceError;

/// EC2 API: resources of a page.
const PAGE_MIN: i32 = 5;
const PAGE_MAX: i32 = 1000;

/// A resource that can be chosen.
pub(super) struct Candidate<T> {
    pub id: String,
    pub properties: Vec<Property>,
    pub shown: T,
}

/// What a request says of the choice.
pub(super) struct Asked<'a> {
    pub operation: &'static str,
    /// The wire's name of the list of ids.
    pub ids_field: &'static str,
    pub ids: &'a [String],
    /// The error's code and the resource's name for an id that there is not.
    pub missing: (&'static str, &'static str),
    pub filters: Filters<'a>,
    pub max_results: Option<i32>,
    pub next_token: Option<&'a str>,
}

/// The resources of a page. Ids that are named and filtered out are no error; ids that there are not are one.
///
/// # Errors
/// The kind's NotFound, and what EC2 says of wrong page sizes and tokens.
pub(super) fn select<T>(
    candidates: Vec<Candidate<T>>,
    asked: &Asked<'_>,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    for id in asked.ids {
        if !candidates.iter().any(|candidate| candidate.id == *id) {
            let (code, what) = asked.missing;
            return Err(errors::not_found(code, what, id));
        }
    }
    let limit = limit(asked)?;
    let mut chosen: Vec<Candidate<T>> = candidates
        .into_iter()
        .filter(|candidate| asked.ids.is_empty() || asked.ids.contains(&candidate.id))
        .filter(|candidate| asked.filters.hold(&candidate.properties))
        .collect();
    chosen.sort_by(|a, b| a.id.cmp(&b.id));
    let Page { items, next_token } =
        page::cut(asked.operation, chosen, |candidate| candidate.id.clone(), asked.next_token, limit)
            .map_err(|_| errors::bad_token())?;
    Ok((items.into_iter().map(|candidate| candidate.shown).collect(), next_token))
}

fn limit(asked: &Asked<'_>) -> Result<usize, ServiceError> {
    let Some(max) = asked.max_results else { return Ok(PAGE_MAX.unsigned_abs() as usize) };
    if !asked.ids.is_empty() {
        let message = format!("The parameter {} cannot be used with the parameter maxResults", asked.ids_field);
        return Err(errors::invalid_combination(message));
    }
    let wrong = |expected: String| {
        Err(errors::invalid_value(format!("Value ( {max} ) for parameter maxResults is invalid. {expected}")))
    };
    match max {
        max if max < PAGE_MIN => wrong(format!("Expecting a value greater than {PAGE_MIN}.")),
        max if max > PAGE_MAX => wrong(format!("Expecting a value less than {PAGE_MAX}.")),
        max => Ok(max.unsigned_abs() as usize),
    }
}

/// A property with one value.
pub(super) fn one(name: &'static str, value: impl ToString) -> Property {
    (name, vec![value.to_string()])
}
