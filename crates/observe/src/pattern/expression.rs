//! Conditions joined by `&&`, `||` and parentheses, whatever the single condition is.

use super::PatternError;
use super::cursor::Cursor;

/// Deeper nesting is refused: parsing and matching recurse.
const MAX_DEPTH: usize = 32;

#[derive(Debug)]
pub(super) enum Expression<T> {
    All(Vec<Expression<T>>),
    Any(Vec<Expression<T>>),
    One(T),
}

impl<T> Expression<T> {
    /// `||` binds less than `&&`.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        one: &mut impl FnMut(&mut Cursor<'_>) -> Result<T, PatternError>,
        depth: usize,
    ) -> Result<Self, PatternError> {
        let mut any = vec![Self::parse_all(cursor, one, depth)?];
        while cursor.take("||") {
            any.push(Self::parse_all(cursor, one, depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expression::Any(any) })
    }

    fn parse_all(
        cursor: &mut Cursor<'_>,
        one: &mut impl FnMut(&mut Cursor<'_>) -> Result<T, PatternError>,
        depth: usize,
    ) -> Result<Self, PatternError> {
        let mut all = Vec::new();
        loop {
            cursor.skip_spaces();
            if depth == MAX_DEPTH {
                return Err(cursor.error(format!("parentheses nest deeper than {MAX_DEPTH}")));
            }
            all.push(if cursor.take("(") {
                let inner = Self::parse(cursor, one, depth + 1)?;
                cursor.expect(")", "a parenthesis is not closed")?;
                inner
            } else {
                Expression::One(one(cursor)?)
            });
            cursor.skip_spaces();
            if !cursor.take("&&") {
                break;
            }
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    pub(super) fn holds(&self, one: &impl Fn(&T) -> bool) -> bool {
        match self {
            Expression::All(all) => all.iter().all(|e| e.holds(one)),
            Expression::Any(any) => any.iter().any(|e| e.holds(one)),
            Expression::One(condition) => one(condition),
        }
    }
}
