//! One page of a sorted list: the token names the last item of the page before, so that pages stay right while items come and go.

use aws_protocol::page::{BadToken, decode, encode};

/// A page of items and where the next one begins.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

/// Cuts one page out of `items`, which must be sorted by `key`, ascending and unique.
///
/// `scope` names the operation and the filters that have to stay the same from page to page; `limit` is the most items
/// of a page, at least 1.
pub(crate) fn cut<T>(
    scope: &str,
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    limit: usize,
) -> Result<Page<T>, BadToken> {
    let after = token.map(|t| decode(scope, t)).transpose()?;
    let mut rest = items.into_iter().skip_while(|item| after.as_ref().is_some_and(|a| key(item) <= *a));
    let items: Vec<T> = rest.by_ref().take(limit.max(1)).collect();
    let more = rest.next().is_some();
    let next_token = items.last().filter(|_| more).map(|last| encode(scope, &key(last)));
    Ok(Page { items, next_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(items: &[&str], limit: usize) -> Vec<Vec<String>> {
        let (mut pages, mut token) = (Vec::new(), None);
        loop {
            let page = cut("t", items.iter().map(|s| s.to_string()), Clone::clone, token.as_deref(), limit).unwrap();
            pages.push(page.items);
            match page.next_token {
                Some(next) => token = Some(next),
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_are_full_and_the_last_one_has_no_token() {
        assert_eq!(walk(&["a", "b", "c", "d", "e"], 2), [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
        assert_eq!(walk(&["a", "b"], 2), [vec!["a", "b"]]);
        assert_eq!(walk(&[], 2), [Vec::<String>::new()]);
    }

    #[test]
    fn an_item_that_goes_away_between_pages_costs_no_other_one() {
        let first = cut("t", ["a", "b", "c"].map(String::from), Clone::clone, None, 2).unwrap();
        let second = cut("t", ["a", "c"].map(String::from), Clone::clone, first.next_token.as_deref(), 2).unwrap();
        assert_eq!(second.items, ["c"]);
    }

    #[test]
    fn a_token_of_somebody_elses_is_refused() {
        for token in ["", "!", "bm9wZQ", &encode("other", "a")] {
            assert_eq!(cut("t", ["a".to_string()], Clone::clone, Some(token), 2), Err(BadToken));
        }
    }
}
