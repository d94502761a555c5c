//! The client's side of XML answers: an element read as a tree, led by the schema.

use std::borrow::Cow;

use aws_api::schema::{Kind, Node, Schema};
use quick_xml::Reader;
use quick_xml::events::Event;

#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    text: String,
    children: Vec<Element>,
}

/// The root element of a document.
pub(crate) fn parse(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            }
            Event::Text(text) => open.last_mut().unwrap().text += &text,
            Event::GeneralRef(entity) => {
                let letter = match &*entity {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    other => panic!("the entity {other}"),
                };
                open.last_mut().unwrap().text.push(letter);
            }
            Event::Eof => return open.pop().unwrap().children.pop().unwrap(),
            _ => {}
        }
    }
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> &Element {
        self.children.iter().find(|child| child.name == name).unwrap_or_else(|| panic!("{name} in {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn node(&self, schema: &'static Schema) -> Node<'static> {
        match schema.kind {
            Kind::Structure { members, .. } => {
                let mut entries = Vec::new();
                for member in members {
                    if self.children.iter().any(|child| child.name == member.xml) {
                        entries.push((Cow::Borrowed(member.name), self.child(member.xml).node(member.schema)));
                    }
                }
                Node::Map(entries)
            }
            Kind::List { element, element_name, flattened } => {
                assert!(!flattened, "no answer we know has a flattened list");
                assert!(self.children.iter().all(|child| child.name == element_name), "{self:?}");
                Node::List(self.children.iter().map(|child| child.node(element)).collect())
            }
            Kind::Boolean => Node::Boolean(self.text.parse().unwrap()),
            Kind::Integer | Kind::Long => Node::Integer(self.text.parse().unwrap()),
            Kind::Double => Node::Double(self.text.parse().unwrap()),
            Kind::Timestamp => {
                let time: jiff::Timestamp = self.text.parse().unwrap();
                Node::Double(time.as_millisecond() as f64 / 1_000.0)
            }
            _ => Node::Text(Cow::Owned(self.text.clone())),
        }
    }
}
