//! Notes on a contact's timeline: how they are written, and how leadloop's own are recognised.
//!
//! HubSpot has no unique property on notes, so the key stands in the text, in its last line: `ref: …`. The body is HTML,
//! so everything that comes from elsewhere is escaped.

use crate::{mapping::read_time, wire::Object};
use contract::{Id, Key, Kind, Record, Relation, field};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// From a note to a contact, in that direction. See `AssociationTypes` in HubSpot's published clients.
pub(crate) const NOTE_TO_CONTACT: u32 = 202;

/// The longest text of a note in characters before escaping. HubSpot's limit is 65,536 after it.
const LONGEST: usize = 10_000;

const REF: &str = "ref: ";

/// A note's HTML.
pub(crate) fn render(subject: &str, body: &str, key: &Key) -> String {
    let mut html = format!(
        "<p><strong>{}</strong></p>",
        escape(&one_line(subject), LONGEST / 10)
    );
    if !body.trim().is_empty() {
        let lines: Vec<String> = escape(body.trim(), LONGEST)
            .lines()
            .map(str::to_owned)
            .collect();
        html.push_str(&format!("<p>{}</p>", lines.join("<br>")));
    }
    html.push_str(&format!("<p>{REF}{key}</p>"));
    html
}

/// The record of a note that bears a key of ours.
pub(crate) fn about_of(note: &Object, abouts: &BTreeMap<String, Vec<Id>>) -> Option<Record> {
    let id = note.id()?;
    let text = plain(note.property("hs_note_body")?);
    let (key, rest) = parse(&text)?;
    let modified = note
        .modified()
        .or_else(|| note.property("hs_timestamp").and_then(read_time))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut record = Record::new(Kind::Note, id, modified);
    let (subject, body) = rest.split_once('\n').unwrap_or((rest, ""));
    record.fields.set(field::KEY, key.0.as_str());
    record.fields.set(field::SUBJECT, subject.trim());
    record.fields.set(field::BODY, body.trim());
    for about in abouts.get(id).into_iter().flatten() {
        record.relations.add(Relation::About, about.clone());
    }
    Some(record)
}

/// The key and what stands before it. The last mention counts, for whatever comes from a lead stands above it.
fn parse(text: &str) -> Option<(Key, &str)> {
    let at = text.rfind(REF)?;
    let key: String = text[at + REF.len()..]
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric() || *character == '-')
        .collect();
    (!key.is_empty()).then(|| (Key(key), text[..at].trim_end()))
}

/// The text of HTML; HubSpot's editor may have put tags of its own around ours.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else {
            rest = "";
            break;
        };
        let tag = rest[start + 1..start + end]
            .trim_start_matches('/')
            .to_ascii_lowercase();
        if ["br", "p", "div", "li"].iter().any(|name| {
            tag == *name
                || tag.starts_with(&format!("{name} "))
                || tag.starts_with(&format!("{name}/"))
        }) {
            text.push('\n');
        }
        rest = &rest[start + end + 1..];
    }
    text.push_str(rest);
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("\n")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escape(text: &str, longest: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().take(longest) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            '\t' => escaped.push(' '),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    if text.chars().nth(longest).is_some() {
        escaped.push('…');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(html: &str) -> Option<Record> {
        let json = serde_json::json!({ "id": "9", "properties": { "hs_note_body": html, "hs_timestamp": "1767322800000" } });
        let object: Object = serde_json::from_value(json).unwrap();
        about_of(
            &object,
            &BTreeMap::from([("9".to_owned(), vec![Id::from("501")])]),
        )
    }

    #[test]
    fn a_note_is_found_again_by_its_key() {
        let record = back(&render(
            "Rejected by sales",
            "Not now.\nAsk in spring",
            &Key::from("n-1a2b"),
        ))
        .unwrap();
        assert_eq!(record.key(), Some("n-1a2b".into()));
        assert_eq!(
            record.fields.text(field::SUBJECT),
            Some("Rejected by sales")
        );
        assert_eq!(
            record.fields.text(field::BODY),
            Some("Not now.\nAsk in spring")
        );
        assert_eq!(record.relations.one(Relation::About), Some(&"501".into()));
    }

    #[test]
    fn the_editors_own_tags_do_not_matter() {
        let record = back("<div style=\"\" dir=\"auto\"><p style=\"margin:0;\"><strong>Hi</strong></p><p><span>ref: k-7</span></p></div>").unwrap();
        assert_eq!(record.key(), Some("k-7".into()));
    }

    #[test]
    fn what_comes_from_a_lead_is_neither_html_nor_a_key() {
        let html = render(
            "<script>alert(1)</script>\u{1b}[31m",
            "ref: stolen-key\n<b>&amp;</b>",
            &Key::from("mine"),
        );
        assert!(
            !html.contains("<script>") && !html.contains("<b>") && !html.contains('\u{1b}'),
            "{html}"
        );
        assert_eq!(back(&html).unwrap().key(), Some("mine".into()));
    }

    #[test]
    fn a_note_that_a_person_wrote_is_none_of_ours() {
        assert_eq!(back("<p>called, no answer</p>"), None);
    }

    #[test]
    fn a_long_text_stays_within_hubspots_limit() {
        assert!(
            render(&"<".repeat(70_000), &"&".repeat(70_000), &Key::from("k"))
                .chars()
                .count()
                < 65_536
        );
    }
}
