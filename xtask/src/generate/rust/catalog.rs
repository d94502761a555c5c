//! What the emitters ask about a model: Rust names and types of shapes, and which operation uses them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};

use crate::generate::model::{Model, Shape};
use crate::generate::names;

pub(super) struct Catalog<'m> {
    pub(super) service: &'m str,
    pub(super) model: &'m Model,
    /// Rust name of each structure.
    types: BTreeMap<&'m str, String>,
    /// The only operation that uses a structure, or `None` for a shared one.
    owners: BTreeMap<&'m str, Option<&'m str>>,
}

impl<'m> Catalog<'m> {
    pub(super) fn new(service: &'m str, model: &'m Model) -> anyhow::Result<Self> {
        let mut catalog = Self { service, model, types: BTreeMap::new(), owners: BTreeMap::new() };
        catalog.name_shapes()?;
        catalog.find_owners()?;
        catalog.refuse_recursion()?;
        Ok(catalog)
    }

    fn name_shapes(&mut self) -> anyhow::Result<()> {
        for (operation, model) in &self.model.operations {
            for (reference, end) in [(&model.input, "Input"), (&model.output, "Output")] {
                if let Some(reference) = reference {
                    let earlier = self.types.insert(&reference.shape, format!("{operation}{end}"));
                    ensure!(earlier.is_none(), "{} is the input or output of two operations", reference.shape);
                }
            }
        }
        let mut used: BTreeMap<String, &str> = BTreeMap::new();
        for name in self.model.shapes.keys() {
            let chosen = self.types.entry(name).or_insert_with(|| names::camel(name));
            let earlier = used.insert(names::constant(chosen), name);
            ensure!(earlier.is_none(), "{name} and {earlier:?} get the same Rust name");
        }
        let clash = self.model.operations.keys().find(|operation| used.contains_key(&names::constant(operation)));
        ensure!(clash.is_none(), "operation {clash:?} has the name of a shape");
        Ok(())
    }

    fn find_owners(&mut self) -> anyhow::Result<()> {
        for (operation, model) in &self.model.operations {
            let mut reached = BTreeSet::new();
            for reference in [&model.input, &model.output].into_iter().flatten() {
                self.model.reach(&reference.shape, &mut reached)?;
            }
            for name in reached {
                let (name, _) = self.model.shapes.get_key_value(&name).context("reached shapes exist")?;
                self.owners.entry(name).and_modify(|owner| *owner = None).or_insert(Some(operation));
            }
        }
        Ok(())
    }

    /// A struct that contains itself would need a box, which no service we list asks for yet.
    fn refuse_recursion(&self) -> anyhow::Result<()> {
        for (name, shape) in &self.model.shapes {
            let mut reached = BTreeSet::new();
            for part in shape.parts() {
                self.model.reach(part, &mut reached)?;
            }
            ensure!(!reached.contains(name), "{name} contains itself: teach the generator to box it");
        }
        Ok(())
    }

    pub(super) fn shape(&self, name: &str) -> &'m Shape {
        &self.model.shapes[name]
    }

    pub(super) fn source(&self) -> String {
        format!("models/aws/{}.json", self.service)
    }

    /// The structures of one operation, or the shared ones, in the model's order.
    pub(super) fn structures_of(&self, owner: Option<&str>) -> Vec<&'m str> {
        let mine = |name: &&'m String| {
            let shape = self.shape(name);
            self.owners.get(name.as_str()).is_some_and(|found| *found == owner) && shape.is_struct()
        };
        let mut names: Vec<&str> = self.model.shapes.keys().filter(mine).map(String::as_str).collect();
        names.sort_by_key(|name| !self.is_io(name));
        names
    }

    /// An input or output is made of it; some shapes serve errors only.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.owners.contains_key(name)
    }

    fn is_io(&self, name: &str) -> bool {
        let io = |model: &crate::generate::model::Operation| {
            [&model.input, &model.output].into_iter().flatten().any(|reference| reference.shape == name)
        };
        self.model.operations.values().any(io)
    }

    /// The file of a shared shape: its first word, or `others` where only one shape begins so.
    pub(super) fn group(&self, shape: &str) -> String {
        let word = names::first_word(shape);
        let alike = self.structures_of(None).into_iter().filter(|other| names::first_word(other) == word).count();
        if alike < 3 { "others".to_owned() } else { word }
    }

    /// The struct's name.
    pub(super) fn type_name(&self, shape: &str) -> String {
        self.types[shape].clone()
    }

    /// The name of the static that describes a shape.
    pub(super) fn schema_name(&self, shape: &str) -> String {
        names::constant(&self.types[shape])
    }

    /// The Rust type that holds a value of the shape, and the struct in it, if any.
    pub(super) fn rust_type(&self, name: &str) -> (String, Option<String>) {
        let shape = self.shape(name);
        let inner = |reference: &Option<crate::generate::model::Reference>| {
            reference.as_ref().map(|reference| self.rust_type(&reference.shape)).unwrap_or_default()
        };
        match shape.kind.as_str() {
            "boolean" => ("bool".to_owned(), None),
            "integer" => ("i32".to_owned(), None),
            "long" => ("i64".to_owned(), None),
            "double" | "float" => ("f64".to_owned(), None),
            "timestamp" => ("Timestamp".to_owned(), None),
            "blob" => ("Blob".to_owned(), None),
            "structure" if shape.document => ("Document".to_owned(), None),
            "structure" => (self.type_name(name), Some(self.type_name(name))),
            "list" => {
                let (element, item) = inner(&shape.member);
                (format!("Vec<{element}>"), item)
            }
            "map" => {
                let (value, item) = inner(&shape.value);
                (format!("BTreeMap<String, {value}>"), item)
            }
            _ => ("String".to_owned(), None),
        }
    }
}

impl Shape {
    /// Becomes a Rust struct, if an input or output reaches it.
    pub(super) fn is_struct(&self) -> bool {
        self.kind == "structure" && !self.document
    }
}
