use crate::{
    dialect::{Target, columns},
    export::finding,
    folder::{Folder, State},
    recognise::{Recognised, Slot, slot_of},
    settings::Missing,
    sheet::shape,
    value::type_of,
};
use contract::{FieldInfo, FieldType, Finding, Kind, Severity, field};
use kit::Side;
use std::collections::BTreeMap;

/// What the exports show, and what import files can carry besides.
pub(crate) fn describe(folder: &Folder, state: &State, kind: Kind) -> Vec<FieldInfo> {
    let writable = matches!(kind, Kind::Lead | Kind::Contact | Kind::Account)
        && (folder.side == Side::Crm || kind == Kind::Lead);
    let mut fields: BTreeMap<String, FieldInfo> = BTreeMap::new();
    let mut add = |name: String, native: String, field_type: FieldType| {
        let unique = name == field::KEY;
        fields.entry(name.clone()).or_insert(FieldInfo {
            name,
            native,
            field_type,
            max_length: None,
            options: Vec::new(),
            restricted: false,
            required: false,
            writable,
            unique,
        });
    };
    for (file, recognised) in state.snapshot.of(kind) {
        for (heading, slot) in file.header.iter().zip(&recognised.slots) {
            match slot {
                Some(Slot::Field(name)) => add(name.clone(), heading.clone(), type_of(name)),
                None if !heading.is_empty() => {
                    add(heading.clone(), heading.clone(), FieldType::Text)
                }
                _ => {}
            }
        }
    }
    let (dialect, native) = shape(&folder.settings, &state.snapshot, kind);
    if writable {
        for column in columns(dialect, native) {
            if let Target::Field(name) = column.target {
                add(name.to_owned(), column.names[0].to_owned(), type_of(name));
            }
        }
        for name in folder.extra.get(&kind).into_iter().flatten() {
            add(name.clone(), name.clone(), FieldType::Text);
        }
    }
    fields.into_values().collect()
}

/// What a probe tells: what was made of each file, and what is missing.
pub(crate) fn findings(folder: &Folder, state: &State) -> Vec<Finding> {
    let mut findings = state.findings.clone();
    for file in &state.snapshot.files {
        if let Some(recognised) = &file.recognised {
            findings.push(finding(
                Severity::Note,
                mapping(&file.name, file.records.len(), &file.header, recognised),
                "to read other columns, name them under `columns`",
            ));
            if !recognised.unknown.is_empty() {
                let what = format!(
                    "{}: {} columns are not read: {}",
                    file.name,
                    recognised.unknown.len(),
                    recognised.unknown.join(", ")
                );
                findings.push(finding(
                    Severity::Note,
                    what,
                    "name those that matter under `columns`",
                ));
            }
        }
        if let Some(first) = file.unreadable.first() {
            let what = format!(
                "{} rows of {} cannot be read; first: {}",
                file.unreadable.len(),
                file.name,
                first.reason
            );
            findings.push(finding(
                Severity::Warning,
                what,
                "correct them at their source and export again",
            ));
        }
        findings.extend(file.findings.iter().cloned());
    }
    let needed: &[(Kind, Severity, &str)] = match folder.side {
        Side::Marketing => &[(Kind::Lead, Severity::Error, "there is nobody to hand over")],
        Side::Crm => &[
            (
                Kind::Account,
                Severity::Warning,
                "leads cannot be matched to accounts",
            ),
            (
                Kind::Contact,
                Severity::Warning,
                "leads that are contacts already are not known again",
            ),
            (
                Kind::Opportunity,
                Severity::Note,
                "no revenue comes back to marketing",
            ),
        ],
    };
    for (kind, severity, without) in needed {
        if state.snapshot.of(*kind).next().is_none() {
            findings.push(finding(
                *severity,
                format!("no file holds records of the kind {kind}: {without}"),
                "export them into the folder",
            ));
        } else if *kind != Kind::Opportunity && !state.snapshot.shows_keys(*kind) {
            let what = format!(
                "exports of the kind {kind} have no column for leadloop's key: what was imported is known again by its e-mail address or domain only"
            );
            findings.push(finding(Severity::Note, what, "make a field leadloop_key (text, unique, external id) at the vendor and export it too"));
        }
    }
    for (kind, word) in folder
        .settings
        .columns
        .iter()
        .flat_map(|(kind, words)| words.keys().map(move |word| (kind, word)))
    {
        let slot = slot_of(word);
        if state
            .snapshot
            .of(*kind)
            .all(|(_, recognised)| recognised.place(&slot).is_none())
        {
            let what =
                format!("columns.{kind}.{word} names a heading that no file of that kind has");
            findings.push(finding(
                Severity::Warning,
                what,
                "correct the heading, letter for letter",
            ));
        }
    }
    if folder.settings.missing == Missing::Deleted {
        let what = "missing = \"deleted\": a record that is no longer exported counts as deleted"
            .to_owned();
        findings.push(finding(Severity::Note, what, "keep to complete exports"));
    }
    findings
}

fn mapping(name: &str, rows: usize, header: &[String], recognised: &Recognised) -> String {
    let pairs = header
        .iter()
        .zip(&recognised.slots)
        .filter_map(|(heading, slot)| {
            let target = match slot.as_ref()? {
                Slot::Id => "id".to_owned(),
                Slot::Modified => "modified".to_owned(),
                Slot::FullName => "first_name and last_name".to_owned(),
                Slot::Deleted => "deleted".to_owned(),
                Slot::Master => "merged into".to_owned(),
                Slot::Field(name) => name.clone(),
                Slot::Relation(relation) => format!("{relation:?}").to_lowercase(),
            };
            Some(format!("{heading} → {target}"))
        });
    let pairs: Vec<String> = pairs.collect();
    format!(
        "{name}: {rows} records of the kind {} by {} headings: {}",
        recognised.kind,
        recognised.dialect,
        pairs.join(", ")
    )
}
