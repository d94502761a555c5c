//! Form requests of query services and EC2: parsing the pairs, and building a tree from their dotted names.

mod tree;

use std::borrow::Cow;

use aws_api::schema::{Structure, Value};
use percent_encoding::percent_decode;

/// The pairs of a form, decoded, in order.
#[derive(Debug, Default)]
pub(crate) struct Form<'r> {
    pairs: Vec<(Cow<'r, str>, Cow<'r, str>)>,
}

/// Which naming rules the form follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `Name.member.1`, unless the model flattens the list.
    Query,
    /// `Name.1` always.
    Ec2,
}

impl<'r> Form<'r> {
    /// Takes the pairs of the URL's query and of the body together, as presigned requests spread them.
    ///
    /// # Errors
    /// A name or value is not UTF-8; the text is for the user.
    pub(crate) fn parse(query: &'r str, body: &'r [u8]) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for part in query.as_bytes().split(|&byte| byte == b'&').chain(body.split(|&byte| byte == b'&')) {
            if part.is_empty() {
                continue;
            }
            let at = part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
            let name = decode(&part[..at])?;
            let value = decode(part.get(at + 1..).unwrap_or_default())?;
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The first value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_ref())
    }

    /// Reads a shape.
    ///
    /// # Errors
    /// A parameter does not fit its type; the text names it.
    pub(crate) fn decode<T: Structure>(&self, dialect: Dialect) -> Result<T, String> {
        let tree = tree::Tree::grow(&self.pairs)?;
        let node = tree.structure(T::SCHEMA, dialect)?;
        T::read(node).map_err(|error| error.to_string())
    }
}

/// Percent escapes, and plus for space.
fn decode(text: &[u8]) -> Result<Cow<'_, str>, String> {
    let wrong = || "the form has a name or value that is not UTF-8".to_owned();
    if !text.contains(&b'+') {
        return percent_decode(text).decode_utf8().map_err(|_| wrong());
    }
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8().map(|text| Cow::Owned(text.into_owned())).map_err(|_| wrong())
}
