use super::{
    Agreement, Blanks, Definition, Dispositions, Feedback, FieldRule, FirstMeeting, Flow, Matching,
    Rule, TieBreaker,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// What is wrong with an agreement.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Error {
    /// Where, counted from 1.
    pub line: usize,
    /// What, and the remedy.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<u32>,
    arbiter: Spanned<String>,
    lead: Lead,
    #[serde(default)]
    matching: Matching,
    fields: Spanned<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    dispositions: Dispositions,
    #[serde(default)]
    feedback: Feedback,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lead {
    mql: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    marketing: Option<String>,
    #[serde(default)]
    lead: Name,
    #[serde(default)]
    contact: Name,
    #[serde(default)]
    flow: Flow,
    #[serde(default)]
    rule: Rule,
    #[serde(default)]
    blanks: Blanks,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
}

/// A name, `false` for "not there", or nothing for "the same name".
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Name {
    #[default]
    Same,
    Here(bool),
    Named(String),
}

impl Name {
    fn or(self, name: &str) -> Option<String> {
        match self {
            Name::Same | Name::Here(true) => Some(name.to_owned()),
            Name::Here(false) => None,
            Name::Named(named) => Some(named),
        }
    }
}

/// Reads an agreement.
///
/// # Errors
/// Names the line, what is wrong there, and what would be right.
pub fn parse(text: &str) -> Result<Agreement, Error> {
    let file: File = toml::from_str(text).map_err(|error| Error {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: crate::suggest::with_suggestion(error.message()),
    })?;
    let at = |span: std::ops::Range<usize>, message: String| Error {
        line: line_of(text, span.start),
        message,
    };
    if *file.version.get_ref() == 0 {
        return Err(at(file.version.span(), "version starts at 1".to_owned()));
    }
    if file.arbiter.get_ref().trim().is_empty() {
        return Err(at(
            file.arbiter.span(),
            "the arbiter must have a name: somebody has to decide".to_owned(),
        ));
    }
    let mql = Definition::compile(file.lead.mql.get_ref())
        .map_err(|error| at(file.lead.mql.span(), format!("lead.mql: {error}")))?;
    check_tie_breakers(&file.matching.tie_breakers).map_err(|message| Error {
        line: line_with(text, "tie_breakers"),
        message,
    })?;
    let mut first_meeting = FirstMeeting::default();
    let mut fields = Vec::new();
    for (name, value) in file.fields.into_inner() {
        let line = line_with(text, &format!("[fields.{name}]"));
        let wrong = |error: toml::de::Error| Error {
            line,
            message: format!(
                "fields.{name}: {}",
                crate::suggest::with_suggestion(error.message())
            ),
        };
        if name == "first_meeting" {
            first_meeting = value.try_into().map_err(|error: toml::de::Error| Error {
                line: line_with(text, "first_meeting"),
                ..wrong(error)
            })?;
            continue;
        }
        fields.push(
            field_rule(&name, value.try_into().map_err(wrong)?)
                .map_err(|message| Error { line, message })?,
        );
    }
    Ok(Agreement {
        version: file.version.into_inner(),
        arbiter: file.arbiter.into_inner(),
        mql,
        matching: file.matching,
        first_meeting,
        fields,
        dispositions: lower_case(file.dispositions),
        feedback: file.feedback,
    })
}

fn field_rule(name: &str, field: Field) -> Result<FieldRule, String> {
    if name == contract::field::OPT_OUT {
        return Err("fields.opt_out: the opt-out has a rule of its own that cannot be changed (opted out on either side means both); remove it".to_owned());
    }
    let rule = FieldRule {
        name: name.to_owned(),
        marketing: field.marketing.unwrap_or_else(|| name.to_owned()),
        lead: field.lead.or(name),
        contact: field.contact.or(name),
        flow: field.flow,
        rule: field.rule,
        blanks: field.blanks,
        aliases: field.aliases,
    };
    if rule.lead.is_none() && rule.contact.is_none() {
        return Err(format!(
            "fields.{name}: kept in step with neither leads nor contacts; remove it, or name its field on one of them"
        ));
    }
    Ok(rule)
}

fn check_tie_breakers(tie_breakers: &[TieBreaker]) -> Result<(), String> {
    for (place, tie_breaker) in tie_breakers.iter().enumerate() {
        if tie_breakers[..place].contains(tie_breaker) {
            return Err(format!(
                "matching.tie_breakers: \"{tie_breaker}\" stands there twice"
            ));
        }
    }
    Ok(())
}

fn lower_case(dispositions: Dispositions) -> Dispositions {
    let lower = |map: BTreeMap<String, super::Disposition>| {
        map.into_iter()
            .map(|(value, disposition)| (value.trim().to_lowercase(), disposition))
            .collect()
    };
    Dispositions {
        lead_status: lower(dispositions.lead_status),
        contact_status: lower(dispositions.contact_status),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

fn line_with(text: &str, needle: &str) -> usize {
    text.lines()
        .position(|line| line.trim_start().starts_with(needle))
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_an_agreement() {
        let agreement = parse(super::super::TEMPLATE).expect("the template parses");
        assert_eq!(agreement.version, 1);
        assert_eq!(agreement.fields.len(), 11);
        let company = agreement
            .fields
            .iter()
            .find(|field| field.name == "company")
            .expect("company is mapped");
        assert_eq!(
            (company.lead.as_deref(), company.contact.as_deref()),
            (Some("company"), None)
        );
    }

    #[test]
    fn sales_words_compare_in_any_letter_case() {
        let agreement = parse(super::super::TEMPLATE).expect("the template parses");
        assert!(
            agreement
                .dispositions
                .lead_status
                .contains_key("working - contacted")
        );
    }

    #[test]
    fn each_mistake_is_told_with_its_line_and_remedy() {
        let template = super::super::TEMPLATE;
        for (from, to, line_text, expected) in [
            (
                "version = 1",
                "version = 0",
                "version = 0",
                "version starts at 1",
            ),
            (
                "no_company = \"lead\"",
                "no_compnay = \"lead\"",
                "no_compnay",
                "did you mean `no_company`",
            ),
            (
                "no_company = \"lead\"",
                "no_company = \"leed\"",
                "no_company",
                "did you mean `lead`",
            ),
            (
                "rule = \"newest\"",
                "rule = \"newst\"",
                "[fields.title]",
                "did you mean `newest`",
            ),
            (
                "lead.email != \"\"",
                "lead.email != 3 +",
                "mql = '''",
                "lead.mql: not a CEL expression",
            ),
            (
                "[fields.city]",
                "[fields.opt_out]",
                "[fields.opt_out]",
                "cannot be changed",
            ),
            (
                "\"Recycled\" = \"recycled\"",
                "\"Recycled\" = \"recylced\"",
                "\"Recycled\" = \"recylced\"",
                "did you mean `recycled`",
            ),
        ] {
            let text = template.replacen(from, to, 1);
            assert_ne!(text, template, "{from} stands in the template");
            let error = parse(&text).expect_err(to);
            assert!(error.message.contains(expected), "{to}: {error}");
            assert_eq!(error.line, line_with(&text, line_text), "{to}: {error}");
        }
    }
}
