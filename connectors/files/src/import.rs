use crate::{
    dialect::Dialect,
    pending::{Pending, key_of},
    settings::Settings,
    sheet::{Cells, Sheet, guard, name_of, ranks},
    snapshot::Snapshot,
    value::cell,
};
use contract::{Id, Kind, field};
use std::collections::BTreeMap;

/// Conversions to carry out.
pub(crate) const CONVERTS: &str = "leads-convert.csv";
/// Notes to make.
pub(crate) const NOTES: &str = "notes-create.csv";
/// What Data Loader takes for "clear this field".
const CLEAR: &str = "#N/A";

/// The file of records to make.
pub(crate) fn creates_file(kind: Kind) -> String {
    format!("{}-create.csv", plural(kind))
}

/// The file of records to change.
pub(crate) fn updates_file(kind: Kind) -> String {
    format!("{}-update.csv", plural(kind))
}

fn plural(kind: Kind) -> String {
    if kind == Kind::Opportunity {
        "opportunities".to_owned()
    } else {
        format!("{kind}s")
    }
}

/// Makes import files from what is pending.
pub(crate) struct Importer<'a> {
    /// The connection's settings.
    pub settings: &'a Settings,
    /// The exports.
    pub snapshot: &'a Snapshot,
    /// What is pending, settled.
    pub pending: &'a Pending,
}

impl Importer<'_> {
    /// Every import file that is not empty, with its content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for (kind, creates) in &self.pending.creates {
            let sheet = Sheet::new(self, *kind);
            let open = creates
                .iter()
                .filter(|(_, create)| !create.taken && create.shown.is_none());
            let rows = open.map(|(key, create)| {
                let mut cells = Cells::from([(sheet.key(), key.clone())]);
                sheet.fields(&mut cells, &create.fields);
                for (relation, ids) in create.relations.iter() {
                    sheet.relation(&mut cells, relation, ids);
                }
                cells
            });
            sheet.put(&mut files, creates_file(*kind), rows.collect());
        }
        for (kind, updates) in &self.pending.updates {
            let sheet = Sheet::new(self, *kind);
            let mut rows = Vec::new();
            for (id, update) in updates {
                let mut cells = Cells::new();
                for (name, changed) in update.fields.iter().filter(|(_, changed)| !changed.taken) {
                    cells.insert(
                        sheet.heading(name),
                        changed
                            .to
                            .as_ref()
                            .map_or_else(|| CLEAR.to_owned(), |value| guard(&cell(value))),
                    );
                }
                for (relation, changed) in update
                    .relations
                    .iter()
                    .filter(|(_, changed)| !changed.taken)
                {
                    sheet.relation(&mut cells, *relation, &changed.to);
                }
                if !cells.is_empty() {
                    sheet.identity(&mut cells, &Id(id.clone()));
                    rows.push(cells);
                }
            }
            sheet.put(&mut files, updates_file(*kind), rows);
        }
        self.converts(&mut files);
        self.notes(&mut files);
        files
    }

    fn converts(&self, files: &mut BTreeMap<String, Vec<u8>>) {
        let status = self.converted_status();
        let mut sheet = Sheet::new(self, Kind::Lead);
        sheet.ranks = ranks(&[
            "LeadId",
            "AccountId",
            "Account.Leadloop_Key__c",
            "AccountName",
            "ContactId",
            "OwnerId",
            "ConvertedStatus",
        ]);
        let open = self
            .pending
            .converts
            .iter()
            .filter(|(_, convert)| !convert.taken && convert.shown.is_none());
        let rows = open.map(|(lead, convert)| {
            let mut cells = Cells::from([
                ("LeadId".to_owned(), guard(lead)),
                ("ConvertedStatus".to_owned(), guard(&status)),
            ]);
            let account = self.pending.resolve(Kind::Account, &convert.account);
            match key_of(&account) {
                Some(key) => cells.insert("Account.Leadloop_Key__c".to_owned(), key.to_owned()),
                None if account.0.starts_with("account:") => {
                    cells.insert("AccountName".to_owned(), guard(name_of(&account)))
                }
                None => cells.insert("AccountId".to_owned(), guard(&account.0)),
            };
            for (heading, id) in [("ContactId", &convert.contact), ("OwnerId", &convert.owner)] {
                cells.insert(
                    heading.to_owned(),
                    id.as_ref().map(|id| guard(&id.0)).unwrap_or_default(),
                );
            }
            // Whoever converts by hand wants to see whom.
            for name in [field::EMAIL, field::FIRST_NAME, field::LAST_NAME] {
                cells.insert(
                    sheet.heading(name),
                    convert
                        .person
                        .get(name)
                        .map(|value| guard(&cell(value)))
                        .unwrap_or_default(),
                );
            }
            cells
        });
        sheet.put(files, CONVERTS.to_owned(), rows.collect());
    }

    /// The status that is set, or what most converted leads of the exports have, or the vendor's first.
    fn converted_status(&self) -> String {
        if let Some(status) = &self.settings.converted_status {
            return status.clone();
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let leads = self
            .snapshot
            .records
            .get(&Kind::Lead)
            .into_iter()
            .flat_map(BTreeMap::values);
        for status in leads
            .filter(|held| held.record.is_converted())
            .filter_map(|held| held.record.fields.text(field::STATUS))
        {
            *counts.entry(status).or_default() += 1;
        }
        counts
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map_or("Closed - Converted", |(status, _)| status)
            .to_owned()
    }

    fn notes(&self, files: &mut BTreeMap<String, Vec<u8>>) {
        let sheet = Sheet::new(self, Kind::Note);
        let salesforce = sheet.dialect == Dialect::Salesforce;
        let open = self.pending.notes.iter().filter(|(_, note)| !note.taken);
        let rows = open.map(|(key, note)| {
            let about = self.pending.resolve(note.kind, &note.about);
            let is_person = matches!(note.kind, Kind::Lead | Kind::Contact);
            let mut cells = Cells::from([(sheet.key(), key.clone())]);
            let mut put = |heading: &str, text: &str| cells.insert(heading.to_owned(), guard(text));
            if salesforce {
                let (heading, object, role) = match note.kind {
                    Kind::Contact => ("WhoId", "Contact", "Who"),
                    Kind::Account => ("WhatId", "Account", "What"),
                    Kind::Opportunity => ("WhatId", "Opportunity", "What"),
                    _ => ("WhoId", "Lead", "Who"),
                };
                match key_of(&about) {
                    Some(key) => put(&format!("{object}:{role}.Leadloop_Key__c"), key),
                    None => put(heading, &about.0),
                };
                put("Subject", &note.subject);
                put("Description", &note.body);
                put("ActivityDate", &note.at.strftime("%Y-%m-%d").to_string());
                put("Status", "Completed");
            } else if sheet.dialect == Dialect::Hubspot {
                let heading = match about.0.strip_prefix("email:") {
                    Some(_) => "Email",
                    None if key_of(&about).is_some() => "Associated leadloop_key",
                    None if is_person => "Contact Record ID",
                    None => "Company Record ID",
                };
                put(
                    heading,
                    about
                        .0
                        .strip_prefix("email:")
                        .or_else(|| key_of(&about))
                        .unwrap_or(&about.0),
                );
                put(
                    "Activity date",
                    &note.at.strftime("%Y-%m-%d %H:%M").to_string(),
                );
                put("Note body", &format!("{}\n{}", note.subject, note.body));
            } else {
                put("kind", &note.kind.to_string());
                put("about", &about.0);
                put("at", &note.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
                put("subject", &note.subject);
                put("body", &note.body);
            }
            cells
        });
        sheet.put(files, NOTES.to_owned(), rows.collect());
    }
}
