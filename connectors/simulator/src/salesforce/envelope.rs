//! SOAP envelopes, read and written.

use super::{Failure, call::Reply};
use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::Event,
};

/// Deeper documents than any client writes.
const DEEPEST: usize = 50;

/// An element, by its name without prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) nil: bool,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child, unless it is empty or nil.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let child = self.child(name).filter(|child| !child.nil)?;
        Some(child.text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|text| text == "true" || text == "1")
    }
}

pub(super) fn nillable(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("<{name}>{}</{name}>", escape(value)),
        None => format!("<{name} xsi:nil=\"true\"/>"),
    }
}

pub(super) fn errors(failure: &Failure) -> String {
    let fields: String = failure
        .fields
        .iter()
        .map(|field| format!("<fields>{}</fields>", escape(field.as_str())))
        .collect();
    format!(
        "<errors>{fields}<message>{}</message><statusCode>{}</statusCode></errors>",
        escape(failure.message.as_str()),
        failure.code
    )
}

pub(super) fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

pub(super) fn fault(failure: &Failure) -> Reply {
    let message = escape(failure.message.as_str());
    let kind = match failure.code {
        "INVALID_LOGIN" => "LoginFault",
        _ => "UnexpectedErrorFault",
    };
    let code = failure.code;
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>\
         <detail><sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault></soapenv:Body>\
         </soapenv:Envelope>"
    );
    Reply::text(500, "text/xml; charset=utf-8", text)
}

/// Reads an envelope. Document types are passed over, so that no entity can be declared.
pub(super) fn parsed(body: &[u8]) -> Result<Element, Failure> {
    let broken = |complaint: String| Failure::new("XML_PARSER_ERROR", complaint);
    let text = std::str::from_utf8(body).map_err(|error| broken(error.to_string()))?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let event = reader
            .read_event()
            .map_err(|error| broken(error.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.len() > DEEPEST {
                    return Err(broken("the document is nested too deeply".to_owned()));
                }
                open.push(element(&start));
            }
            Event::Empty(start) => {
                let element = element(&start);
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
            }
            Event::End(_) => {
                if let Some(element) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(element);
                }
            }
            Event::Text(content) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(content.as_ref());
                }
            }
            Event::CData(content) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(content.as_ref());
                }
            }
            Event::GeneralRef(reference) => {
                let character = reference
                    .resolve_char_ref()
                    .map_err(|error| broken(error.to_string()))?;
                let name: &str = reference.as_ref();
                let known = character
                    .map(String::from)
                    .or_else(|| resolve_predefined_entity(name).map(str::to_owned));
                let known = known.ok_or_else(|| broken(format!("unknown entity {name}")))?;
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&known);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let root = open
        .into_iter()
        .next()
        .and_then(|top| top.children.into_iter().next());
    root.filter(|root| root.name == "Envelope")
        .ok_or_else(|| broken("not an envelope".to_owned()))
}

fn element(start: &quick_xml::events::BytesStart<'_>) -> Element {
    let name = start.local_name().as_ref().to_owned();
    let nil = start.attributes().flatten().any(|attribute| {
        attribute.key.local_name().as_ref() == "nil"
            && matches!(attribute.value.as_ref(), "true" | "1")
    });
    Element {
        name,
        nil,
        ..Element::default()
    }
}
