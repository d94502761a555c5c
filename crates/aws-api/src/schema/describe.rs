//! What a shape is, as data: its kind, members and constraints; no values.

/// One shape of a service model. All schemas are statics, so they may refer to each other freely.
#[derive(Debug)]
pub struct Schema {
    /// The shape's name in the service model, for example `CreateClusterRequest`.
    pub name: &'static str,
    pub kind: Kind,
    /// Length of strings (in characters), lists and maps; value of numbers. Both ends inclusive.
    pub bounds: Bounds,
    /// The model's regular expression; the whole string must match.
    pub pattern: Option<&'static str>,
    /// The values that an enumeration allows; empty for any other shape.
    pub values: &'static [&'static str],
    /// The value must not be logged.
    pub sensitive: bool,
}

/// Inclusive limits; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

/// The type of a shape, with what it is made of.
#[derive(Debug)]
pub enum Kind {
    Boolean,
    Integer,
    Long,
    Double,
    String,
    Timestamp,
    Blob,
    /// Any JSON value.
    Document,
    Structure {
        members: &'static [Member],
        /// Exactly one member may be present.
        union: bool,
    },
    List {
        element: &'static Schema,
        /// The element's name in XML and in forms, `member` unless the model says otherwise.
        element_name: &'static str,
        /// Elements stand directly in the parent, without a wrapping element.
        flattened: bool,
    },
    Map {
        /// A string, with its constraints.
        key: &'static Schema,
        value: &'static Schema,
    },
}

/// One member of a structure, with its name in each wire format.
#[derive(Debug)]
pub struct Member {
    /// The model's name, used by JSON and CBOR and in error paths.
    pub name: &'static str,
    /// The element's name in XML answers.
    pub xml: &'static str,
    /// The parameter's name in form requests.
    pub form: &'static str,
    pub schema: &'static Schema,
    pub required: bool,
    /// Clients fill this member with a random token when the user gives none.
    pub idempotency_token: bool,
}

impl Schema {
    const fn plain(name: &'static str, kind: Kind) -> Self {
        let bounds = Bounds { min: None, max: None };
        Self { name, kind, bounds, pattern: None, values: &[], sensitive: false }
    }

    pub(crate) const fn scalar(name: &'static str, kind: Kind) -> Self {
        Self::plain(name, kind)
    }

    pub(crate) const fn structure(name: &'static str, members: &'static [Member]) -> Self {
        Self::plain(name, Kind::Structure { members, union: false })
    }

    pub(crate) const fn union(name: &'static str, members: &'static [Member]) -> Self {
        Self::plain(name, Kind::Structure { members, union: true })
    }

    pub(crate) const fn list(name: &'static str, element: &'static Self) -> Self {
        Self::plain(name, Kind::List { element, element_name: "member", flattened: false })
    }

    pub(crate) const fn list_of(
        name: &'static str,
        element: &'static Self,
        element_name: &'static str,
        flattened: bool,
    ) -> Self {
        Self::plain(name, Kind::List { element, element_name, flattened })
    }

    pub(crate) const fn map(name: &'static str, key: &'static Self, value: &'static Self) -> Self {
        Self::plain(name, Kind::Map { key, value })
    }

    pub(crate) const fn enumeration(name: &'static str, values: &'static [&'static str]) -> Self {
        let mut schema = Self::plain(name, Kind::String);
        schema.values = values;
        schema
    }

    pub(crate) const fn min(mut self, min: i64) -> Self {
        self.bounds.min = Some(min);
        self
    }

    pub(crate) const fn max(mut self, max: i64) -> Self {
        self.bounds.max = Some(max);
        self
    }

    pub(crate) const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    pub(crate) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The members of a structure; empty for any other shape.
    pub const fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }
}

impl Member {
    pub(crate) const fn new(name: &'static str, schema: &'static Schema) -> Self {
        Self { name, xml: name, form: name, schema, required: false, idempotency_token: false }
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn idempotency_token(mut self) -> Self {
        self.idempotency_token = true;
        self
    }

    pub(crate) const fn xml(mut self, name: &'static str) -> Self {
        self.xml = name;
        self
    }

    pub(crate) const fn form(mut self, name: &'static str) -> Self {
        self.form = name;
        self
    }
}
