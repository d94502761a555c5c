//! The client's side of form requests: a tree written as pairs, by the rules of botocore's query and EC2 serializers.

use aws_api::schema::{Kind, Node, Schema, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) struct FormWriter {
    ec2: bool,
    out: String,
}

/// A whole form body.
pub(crate) fn body(action: &str, ec2: bool, schema: &'static Schema, node: &Node<'_>) -> String {
    let mut writer = FormWriter { ec2, out: format!("Action={action}") };
    writer.write("", schema, node);
    writer.out
}

impl FormWriter {
    fn pair(&mut self, name: &str, value: &str) {
        self.out += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    }

    fn write(&mut self, name: &str, schema: &'static Schema, node: &Node<'_>) {
        match (&schema.kind, node) {
            (Kind::Structure { members, .. }, Node::Map(entries)) => {
                for (key, value) in entries {
                    let member = members.iter().find(|member| member.name == key).unwrap();
                    self.write(&under(name, member.form), member.schema, value);
                }
            }
            (Kind::List { element, element_name, flattened }, Node::List(items)) => {
                let base = if self.ec2 || *flattened { name.to_owned() } else { under(name, element_name) };
                for (at, item) in items.iter().enumerate() {
                    self.write(&format!("{base}.{}", at + 1), element, item);
                }
            }
            (Kind::Map { value, .. }, Node::Map(entries)) => {
                for (at, (key, item)) in entries.iter().enumerate() {
                    let base = format!("{name}.entry.{}", at + 1);
                    self.pair(&format!("{base}.key"), key);
                    self.write(&format!("{base}.value"), value, item);
                }
            }
            (Kind::Timestamp, Node::Double(seconds)) => {
                let time = Timestamp::from_seconds(*seconds).unwrap();
                let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap();
                self.pair(name, &time.to_string());
            }
            (_, Node::Boolean(value)) => self.pair(name, &value.to_string()),
            (_, Node::Integer(value)) => self.pair(name, &value.to_string()),
            (_, Node::Double(value)) => self.pair(name, &value.to_string()),
            (_, Node::Text(value)) => self.pair(name, value),
            (kind, node) => panic!("{name}: {node:?} is no {kind:?}"),
        }
    }
}

fn under(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}
