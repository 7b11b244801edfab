//! The envelope of `convertLead`, the one operation that REST lacks: written and read, with no IO.

use crate::{
    answer::{VendorError, clean},
    wire,
};
use contract::Id;
use quick_xml::{
    Reader, Writer,
    escape::unescape,
    events::{BytesText, Event},
};
use std::io;

/// One lead to convert.
#[derive(Clone, Debug)]
pub(crate) struct Conversion {
    pub(crate) lead: Id,
    pub(crate) account: Id,
    pub(crate) contact: Option<Id>,
    pub(crate) owner: Option<Id>,
}

/// What became of one lead.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Converted {
    pub(crate) lead: Option<Id>,
    pub(crate) account: Option<Id>,
    pub(crate) contact: Option<Id>,
    pub(crate) opportunity: Option<Id>,
    pub(crate) success: Option<bool>,
    pub(crate) errors: Vec<VendorError>,
}

/// A readable answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// One result for each lead, in order.
    Results(Vec<Converted>),
    /// The call as a whole failed.
    Fault(VendorError),
}

/// Writes the request. Elements stand in the order of the partner WSDL, which the server insists
/// on.
pub(crate) fn request(session_id: &str, status: &str, conversions: &[Conversion]) -> String {
    let mut writer = Writer::new(Vec::new());
    envelope(&mut writer, session_id, status, conversions)
        .expect("writing to memory does not fail");
    String::from_utf8(writer.into_inner()).expect("only text was written")
}

fn envelope(
    writer: &mut Writer<Vec<u8>>,
    session_id: &str,
    status: &str,
    conversions: &[Conversion],
) -> io::Result<()> {
    let namespaces = [
        ("xmlns:soapenv", "http://schemas.xmlsoap.org/soap/envelope/"),
        ("xmlns", "urn:partner.soap.sforce.com"),
    ];
    writer
        .create_element("soapenv:Envelope")
        .with_attributes(namespaces)
        .write_inner_content(|writer| {
            writer
                .create_element("soapenv:Header")
                .write_inner_content(|writer| {
                    writer
                        .create_element("SessionHeader")
                        .write_inner_content(|writer| leaf(writer, "sessionId", session_id))?;
                    writer
                        .create_element("CallOptions")
                        .write_inner_content(|writer| leaf(writer, "client", "leadloop"))?;
                    Ok(())
                })?;
            writer
                .create_element("soapenv:Body")
                .write_inner_content(|writer| {
                    writer
                        .create_element("convertLead")
                        .write_inner_content(|writer| {
                            for conversion in conversions {
                                writer.create_element("leadConverts").write_inner_content(
                                    |writer| lead(writer, status, conversion),
                                )?;
                            }
                            Ok(())
                        })?;
                    Ok(())
                })?;
            Ok(())
        })?;
    Ok(())
}

fn lead(writer: &mut Writer<Vec<u8>>, status: &str, conversion: &Conversion) -> io::Result<()> {
    leaf(writer, "accountId", &conversion.account.0)?;
    if let Some(contact) = &conversion.contact {
        leaf(writer, "contactId", &contact.0)?;
    }
    leaf(writer, "convertedStatus", status)?;
    leaf(writer, "doNotCreateOpportunity", "true")?;
    leaf(writer, "leadId", &conversion.lead.0)?;
    leaf(writer, "overwriteLeadSource", "false")?;
    if let Some(owner) = &conversion.owner {
        leaf(writer, "ownerId", &owner.0)?;
    }
    leaf(writer, "sendNotificationEmail", "false")
}

fn leaf(writer: &mut Writer<Vec<u8>>, name: &str, text: &str) -> io::Result<()> {
    writer
        .create_element(name)
        .write_text_content(BytesText::new(text))
        .map(|_| ())
}

/// Reads the answer; `Err` says what is odd about it. Prefixes and unknown elements do not matter.
pub(crate) fn reply(text: &str) -> Result<Reply, String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut content = String::new();
    let mut results: Vec<Converted> = Vec::new();
    let mut fault: Option<VendorError> = None;
    let mut answered = false;
    loop {
        match reader
            .read_event()
            .map_err(|error| format!("not XML: {error}"))?
        {
            Event::Start(start) => {
                let name = local(start.local_name().as_ref());
                open(&name, &path, &mut results, &mut fault);
                answered |= name == "convertLeadResponse";
                path.push(name);
                content.clear();
            }
            Event::Empty(start) => {
                let name = local(start.local_name().as_ref());
                open(&name, &path, &mut results, &mut fault);
                answered |= name == "convertLeadResponse";
            }
            Event::Text(part) => content.push_str(&part.xml10_content()),
            Event::CData(part) => content.push_str(&part.xml10_content()),
            Event::GeneralRef(part) => {
                let entity = format!("&{};", part.xml10_content());
                content.push_str(&unescape(&entity).map_err(|error| format!("not XML: {error}"))?);
            }
            Event::End(_) => {
                if let Some(name) = path.pop() {
                    close(
                        &name,
                        &path,
                        content.trim(),
                        results.last_mut(),
                        fault.as_mut(),
                    );
                }
                content.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match (fault, answered && path.is_empty()) {
        (Some(fault), _) => Ok(Reply::Fault(fault)),
        (None, true) => Ok(Reply::Results(results)),
        (None, false) => Err("neither a result nor a fault".to_owned()),
    }
}

fn open(
    name: &str,
    path: &[String],
    results: &mut Vec<Converted>,
    fault: &mut Option<VendorError>,
) {
    match (name, path.last().map(String::as_str)) {
        ("result", Some("convertLeadResponse")) => results.push(Converted::default()),
        ("errors", Some("result")) => {
            if let Some(result) = results.last_mut() {
                result.errors.push(VendorError::default());
            }
        }
        ("Fault", Some("Body")) => *fault = Some(VendorError::default()),
        _ => {}
    }
}

fn close(
    name: &str,
    path: &[String],
    text: &str,
    result: Option<&mut Converted>,
    fault: Option<&mut VendorError>,
) {
    let parent = path.last().map_or("", String::as_str);
    let id = || wire::is_id(text).then(|| wire::id(text));
    match (parent, result, fault) {
        ("Fault", _, Some(fault)) => match name {
            // `sf:INVALID_SESSION_ID`
            "faultcode" => fault.code = text.rsplit(':').next().unwrap_or(text).to_owned(),
            "faultstring" => fault.message = clean(text),
            _ => {}
        },
        ("result", Some(result), _) => match name {
            "accountId" => result.account = id(),
            "contactId" => result.contact = id(),
            "leadId" => result.lead = id(),
            "opportunityId" => result.opportunity = id(),
            "success" => result.success = text.parse().ok(),
            _ => {}
        },
        ("errors", Some(result), _) => {
            if let Some(error) = result.errors.last_mut() {
                match name {
                    "statusCode" => error.code = text.to_owned(),
                    "message" => error.message = clean(text),
                    "fields" if !text.is_empty() => error.fields.push(text.to_owned()),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn local(name: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(name.as_ref()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_cannot_break_out() {
        let conversion = Conversion {
            lead: "00Q000000000001AAA".into(),
            account: "001000000000001AAA".into(),
            contact: None,
            owner: Some("005000000000001AAA".into()),
        };
        let text = request(
            "00D!<token>&",
            "Closed </convertedStatus> & \"won\"",
            &[conversion],
        );
        assert!(
            text.contains("<sessionId>00D!&lt;token&gt;&amp;</sessionId>"),
            "{text}"
        );
        assert!(
            text.contains("<convertedStatus>Closed &lt;/convertedStatus&gt; &amp; "),
            "{text}"
        );
        assert!(text.contains("<doNotCreateOpportunity>true</doNotCreateOpportunity><leadId>00Q000000000001AAA</leadId>"), "{text}");
        assert!(text.contains("<ownerId>005000000000001AAA</ownerId><sendNotificationEmail>false</sendNotificationEmail>"), "{text}");
        assert!(!text.contains("contactId"));
    }

    #[test]
    fn results_are_read_one_by_one() {
        let text = r#"<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Header><LimitInfoHeader><limitInfo><current>3</current></limitInfo></LimitInfoHeader>
            </soapenv:Header><soapenv:Body><convertLeadResponse><result><accountId>001000000000001AAA</accountId><contactId>003000000000001AAA</contactId>
            <leadId>00Q000000000001AAA</leadId><opportunityId xsi:nil="true"/><success>true</success></result><result><accountId xsi:nil="true"/>
            <contactId xsi:nil="true"/><errors><fields>Status</fields><message>can&apos;t &lt;do&gt; &#x41;</message><statusCode>INVALID_STATUS</statusCode></errors>
            <leadId>00Q000000000002AAA</leadId><success>false</success></result></convertLeadResponse></soapenv:Body></soapenv:Envelope>"#;
        let Ok(Reply::Results(results)) = reply(text) else {
            panic!("no results")
        };
        assert_eq!(results[0].contact, Some("003000000000001AAA".into()));
        assert_eq!(
            (results[0].success, results[0].opportunity.as_ref()),
            (Some(true), None)
        );
        assert_eq!(results[1].errors[0].words(), "INVALID_STATUS: can't <do> A");
        assert_eq!(results[1].errors[0].fields, vec!["Status".to_owned()]);
        assert_eq!(results[1].account, None);
    }

    #[test]
    fn a_fault_is_a_fault_and_half_an_answer_is_none() {
        let text = "<s:Envelope xmlns:s='x'><s:Body><s:Fault><faultcode>sf:INVALID_SESSION_ID</faultcode><faultstring>Invalid Session</faultstring></s:Fault></s:Body></s:Envelope>";
        assert!(
            matches!(reply(text), Ok(Reply::Fault(fault)) if fault.code == "INVALID_SESSION_ID")
        );
        assert!(reply("<html><body>busy</body></html>").is_err());
        assert!(
            reply("<e:Envelope><e:Body><convertLeadResponse><result><success>true</success>")
                .is_err()
        );
        assert!(reply("").is_err());
    }
}
