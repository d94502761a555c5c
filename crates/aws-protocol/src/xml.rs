//! XML answers of query services and EC2.

use std::borrow::Cow;

use aws_api::schema::{Document, Kind, Member, Operation, Schema, Structure, Timestamp, Value, Writer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;

use crate::error::ServiceError;
use crate::time;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A query service's answer: the result in its wrapper, then the request's id.
pub(crate) fn query<T: Structure>(operation: &Operation, namespace: &str, output: &T, request_id: &str) -> String {
    let name = operation.name;
    let start = format!("{DECLARATION}<{name}Response xmlns=\"{}\">", escape(namespace));
    let mut writer = XmlWriter { out: start, ..XmlWriter::default() };
    if let Some(wrapper) = operation.result_wrapper {
        writer.content(wrapper, output);
    }
    let id = escape(request_id);
    writer.out + &format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{name}Response>")
}

/// EC2's answer: the request's id and the members side by side.
pub(crate) fn ec2<T: Structure>(operation: &Operation, namespace: &str, output: &T, request_id: &str) -> String {
    let name = operation.name;
    let id = escape(request_id);
    let start = format!("{DECLARATION}<{name}Response xmlns=\"{}\"><requestId>{id}</requestId>", escape(namespace));
    let mut writer = XmlWriter { out: start, ..XmlWriter::default() };
    output.write_members(&mut writer);
    writer.out + &format!("</{name}Response>")
}

pub(crate) fn query_error(namespace: &str, error: &ServiceError, request_id: &str) -> String {
    let fault = match error.fault {
        aws_api::schema::Fault::Sender => "Sender",
        aws_api::schema::Fault::Receiver => "Receiver",
    };
    let attribute = if namespace.is_empty() { String::new() } else { format!(" xmlns=\"{}\"", escape(namespace)) };
    format!(
        "{DECLARATION}<ErrorResponse{attribute}><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{}</RequestId></ErrorResponse>",
        text(error.xml_code()),
        text(&error.message),
        escape(request_id)
    )
}

pub(crate) fn ec2_error(error: &ServiceError, request_id: &str) -> String {
    format!(
        "{DECLARATION}<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>\
         <RequestID>{}</RequestID></Response>",
        text(error.xml_code()),
        text(&error.message),
        escape(request_id)
    )
}

/// Escaped text. What XML 1.0 cannot carry at all becomes the replacement character.
fn text(value: &str) -> Cow<'_, str> {
    let allowed = |letter: char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if value.chars().all(allowed) {
        return escape(value);
    }
    let clean: String = value.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect();
    Cow::Owned(escape(clean.as_str()).into_owned())
}

/// XML text in the making. An element is opened when its content begins, since the content decides what opens.
#[derive(Debug, Default)]
struct XmlWriter {
    out: String,
    /// The element the next value stands in.
    next: Cow<'static, str>,
    open: Vec<Open>,
}

/// What `end_*` has to close.
#[derive(Debug)]
struct Open {
    /// Nothing, for a flattened list.
    element: Option<Cow<'static, str>>,
    /// The name that elements of a list get.
    item: Cow<'static, str>,
    /// A map's entry waits for its end.
    entry: bool,
}

impl XmlWriter {
    fn content<T: Structure>(&mut self, name: &'static str, value: &T) {
        self.next = Cow::Borrowed(name);
        value.write(T::SCHEMA, self);
    }

    fn tag(&mut self, prefix: &str, name: &str) {
        self.out.push_str(prefix);
        self.out.push_str(name);
        self.out.push('>');
    }

    fn leaf(&mut self, content: &str) {
        let name = std::mem::take(&mut self.next);
        self.tag("<", &name);
        self.out.push_str(content);
        self.tag("</", &name);
    }

    fn begin(&mut self, item: Cow<'static, str>) {
        let element = std::mem::take(&mut self.next);
        self.tag("<", &element);
        self.open.push(Open { element: Some(element), item, entry: false });
    }

    /// Closes the entry before this one, if any: a value's end is not announced.
    fn end_entry(&mut self) {
        if self.open.last().is_some_and(|open| open.entry) {
            self.out.push_str("</entry>");
        }
    }

    fn end(&mut self) {
        if let Some(Open { element: Some(element), .. }) = self.open.pop() {
            self.tag("</", &element);
        }
    }
}

impl Writer for XmlWriter {
    fn boolean(&mut self, _: &'static Schema, value: bool) {
        self.leaf(if value { "true" } else { "false" });
    }
    fn integer(&mut self, _: &'static Schema, value: i64) {
        self.leaf(&value.to_string());
    }
    fn double(&mut self, _: &'static Schema, value: f64) {
        self.leaf(&value.to_string());
    }
    fn string(&mut self, _: &'static Schema, value: &str) {
        self.leaf(&text(value));
    }
    fn timestamp(&mut self, _: &'static Schema, value: Timestamp) {
        self.leaf(&time::format(value));
    }
    fn blob(&mut self, _: &'static Schema, value: &[u8]) {
        self.leaf(&STANDARD.encode(value));
    }
    fn document(&mut self, _: &'static Schema, value: &Document) {
        self.leaf(&text(&value.to_string()));
    }
    fn begin_structure(&mut self, _: &'static Schema) {
        self.begin(Cow::Borrowed(""));
    }
    fn member(&mut self, member: &'static Member) {
        self.next = Cow::Borrowed(member.xml);
    }
    fn end_structure(&mut self) {
        self.end();
    }
    fn begin_list(&mut self, schema: &'static Schema, _: usize) {
        let Kind::List { element_name, flattened, .. } = schema.kind else {
            unreachable!("lists are shown with the schema of a list")
        };
        if flattened {
            let own = std::mem::take(&mut self.next);
            let item = if element_name == "member" { own } else { Cow::Borrowed(element_name) };
            self.open.push(Open { element: None, item, entry: false });
        } else {
            self.begin(Cow::Borrowed(element_name));
        }
    }
    fn element(&mut self) {
        if let Some(open) = self.open.last() {
            self.next = open.item.clone();
        }
    }
    fn end_list(&mut self) {
        self.end();
    }
    fn begin_map(&mut self, _: &'static Schema, _: usize) {
        self.begin(Cow::Borrowed("entry"));
    }
    fn key(&mut self, key: &str) {
        self.end_entry();
        self.out.push_str("<entry><key>");
        self.out.push_str(&text(key));
        self.out.push_str("</key>");
        if let Some(open) = self.open.last_mut() {
            open.entry = true;
        }
        self.next = Cow::Borrowed("value");
    }
    fn end_map(&mut self) {
        self.end_entry();
        self.end();
    }
}
