//! One page of a sorted list: the token names the last item of the page before, so that pages stay right while items come and go.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A page of items and where the next one begins.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

/// The token is not one that a list answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadToken;

/// Cuts one page out of `items`, which must be sorted by `key`, ascending and unique.
///
/// `limit` is the most items of a page, at least 1.
pub(crate) fn cut<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    limit: usize,
) -> Result<Page<T>, BadToken> {
    let after = token.map(decode).transpose()?;
    let mut rest = items.into_iter().skip_while(|item| after.as_ref().is_some_and(|a| key(item) <= *a));
    let items: Vec<T> = rest.by_ref().take(limit.max(1)).collect();
    let more = rest.next().is_some();
    let next_token = items.last().filter(|_| more).map(|last| encode(&key(last)));
    Ok(Page { items, next_token })
}

fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{key}"))
}

fn decode(token: &str) -> Result<String, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let text = String::from_utf8(bytes).map_err(|_| BadToken)?;
    text.strip_prefix("1:").map(str::to_owned).ok_or(BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(items: &[&str], limit: usize) -> Vec<Vec<String>> {
        let (mut pages, mut token) = (Vec::new(), None);
        loop {
            let page = cut(items.iter().map(|s| s.to_string()), Clone::clone, token.as_deref(), limit).unwrap();
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
        let first = cut(["a", "b", "c"].map(String::from), Clone::clone, None, 2).unwrap();
        let second = cut(["a", "c"].map(String::from), Clone::clone, first.next_token.as_deref(), 2).unwrap();
        assert_eq!(second.items, ["c"]);
    }

    #[test]
    fn a_token_of_somebody_elses_is_refused() {
        for token in ["", "!", "bm9wZQ", "eA"] {
            assert_eq!(cut(["a".to_string()], Clone::clone, Some(token), 2), Err(BadToken));
        }
    }
}
