use crate::{
    dialect::{Dialect, long_id},
    labels::internal,
    recognise::{Context, Recognised, Slot, Unfit, recognise},
    settings::Encoding,
    table::{self, Row, Table},
    value::{Reading, truth},
};
use contract::{Fields, Finding, Id, Kind, Record, Relation, Relations, Severity, Value, field};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// A record and whether its time of change was told rather than taken from the file's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// The record.
    pub record: Record,
    /// Whether `modified` says something about the record itself.
    pub dated: bool,
}

/// A row that could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// Its id, where one could be read.
    pub id: Option<Id>,
    /// File, line and what is wrong.
    pub reason: String,
}

/// One file of exports, read.
#[derive(Debug)]
pub(crate) struct ExportFile {
    /// Its name in the folder.
    pub name: String,
    /// What it was taken for; absent where it is not read.
    pub recognised: Option<Recognised>,
    /// Its headings.
    pub header: Vec<String>,
    /// Its records.
    pub records: Vec<Arc<Held>>,
    /// Rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Records that the export itself calls deleted, each with the one it was merged into.
    pub gone: Vec<(Id, Option<Id>)>,
    /// What is worth knowing about it.
    pub findings: Vec<Finding>,
}

/// A file as it lies in the folder.
pub(crate) struct Raw<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// When it was last changed: the time of change of records that tell none.
    pub modified: Timestamp,
}

pub(crate) fn finding(severity: Severity, what: String, remedy: impl Into<String>) -> Finding {
    Finding {
        severity,
        what,
        remedy: remedy.into(),
    }
}

/// Reads one file.
///
/// # Errors
/// What makes the file as a whole unreadable, with the remedy.
pub(crate) fn read(
    raw: &Raw<'_>,
    context: &Context<'_>,
    reading: &Reading,
) -> Result<ExportFile, table::TableError> {
    let mut file = ExportFile {
        name: raw.name.to_owned(),
        recognised: None,
        header: Vec::new(),
        records: Vec::new(),
        unreadable: Vec::new(),
        gone: Vec::new(),
        findings: Vec::new(),
    };
    let table = match table::read(
        raw.bytes,
        context.settings.delimiter(),
        context.settings.encoding,
    ) {
        Err(error @ (table::TableError::Empty | table::TableError::Header { .. })) => {
            file.findings.push(finding(
                Severity::Warning,
                format!("{} is not read: {error}", raw.name),
                "export it again, or take it away",
            ));
            return Ok(file);
        }
        table => table?,
    };
    match recognise(raw.name, &table.header, context) {
        Ok(recognised) => {
            Reader {
                file: &mut file,
                recognised: &recognised,
                reading,
                modified: raw.modified,
            }
            .all(&table);
            file.recognised = Some(recognised);
        }
        Err(unfit) => file
            .findings
            .push(unfit_finding(raw.name, &table.header, &unfit)),
    }
    if let (Some(line), Encoding::Auto) = (table.not_utf8.first(), context.settings.encoding) {
        let what = format!(
            "{}: {} rows are not UTF-8 (first on line {line}) and were read as Windows-1252",
            raw.name,
            table.not_utf8.len()
        );
        file.findings
            .push(finding(Severity::Note, what, "export it as UTF-8"));
    }
    file.header = table.header;
    Ok(file)
}

fn unfit_finding(name: &str, header: &[String], unfit: &Unfit) -> Finding {
    match unfit {
        Unfit::NotNeeded(kind) => finding(
            Severity::Note,
            format!(
                "{name} holds records of the kind {kind}, which the marketing side does not need; it is ignored"
            ),
            "take it away",
        ),
        Unfit::Ambiguous(kinds) => {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind}s")).collect();
            let what = format!(
                "{name} is ignored: by its headings it could hold {}",
                kinds.join(" or ")
            );
            finding(
                Severity::Warning,
                what,
                format!(
                    "put what it holds into its name: {}.csv",
                    kinds.join(".csv or ")
                ),
            )
        }
        Unfit::Unknown => {
            let shown: Vec<&str> = header.iter().take(6).map(String::as_str).collect();
            let what = format!(
                "{name} is ignored: nothing is known by its headings ({})",
                shown.join(", ")
            );
            finding(
                Severity::Warning,
                what,
                "export ids and e-mail addresses too, or name its headings under `columns`",
            )
        }
    }
}

struct Reader<'a> {
    file: &'a mut ExportFile,
    recognised: &'a Recognised,
    reading: &'a Reading,
    modified: Timestamp,
}

impl Reader<'_> {
    fn all(mut self, table: &Table) {
        let name = self.file.name.clone();
        for bad in &table.bad {
            self.file.unreadable.push(Unreadable {
                id: None,
                reason: format!("{name} line {}: {}", bad.line, bad.reason),
            });
        }
        let mut lines: BTreeMap<Id, (u64, usize)> = BTreeMap::new();
        let mut odd: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
        for row in &table.rows {
            match self.record(row, &mut odd) {
                Err((id, reason)) => self.file.unreadable.push(Unreadable {
                    id,
                    reason: format!("{name} line {}: {reason}", row.line),
                }),
                Ok(None) => {}
                Ok(Some(held)) => match lines.get(&held.record.id) {
                    // Joined reports repeat a row as it is.
                    Some((_, place)) if *self.file.records[*place] == held => {}
                    Some((line, _)) => {
                        let reason = format!(
                            "{name} line {}: the id {} stands on line {line} already, with other values",
                            row.line, held.record.id
                        );
                        self.file.unreadable.push(Unreadable {
                            id: Some(held.record.id),
                            reason,
                        });
                    }
                    None => {
                        lines.insert(held.record.id.clone(), (row.line, self.file.records.len()));
                        self.file.records.push(Arc::new(held));
                    }
                },
            }
        }
        for (place, (count, line)) in odd {
            let what = format!(
                "{name}: {count} values in the column {:?} do not look like what it should hold (first on line {line})",
                table.header[place]
            );
            self.file.findings.push(finding(
                Severity::Warning,
                what,
                "correct them, or set day_first or time_zone if they are dates",
            ));
        }
        if self.recognised.place(&Slot::Id).is_none() && self.recognised.kind != Kind::Role {
            let by = if self.recognised.kind == Kind::Account {
                "name and domain"
            } else {
                "e-mail address"
            };
            let what = format!(
                "{name} has no id column: its records are known by their {by}, and changing that makes another record"
            );
            self.file.findings.push(finding(
                Severity::Warning,
                what,
                "export the record id as well",
            ));
        }
    }

    /// `None` for a row that the export itself calls deleted.
    fn record(
        &mut self,
        row: &Row,
        odd: &mut BTreeMap<usize, (usize, u64)>,
    ) -> Result<Option<Held>, (Option<Id>, String)> {
        let mut fields = Fields::default();
        let mut relations = Relations::default();
        let mut id = None;
        let mut modified = None;
        let mut deleted = false;
        let mut master = None;
        let mut unclear = None;
        let cells = row
            .cells
            .iter()
            .zip(&self.recognised.slots)
            .enumerate()
            .filter(|(_, (cell, _))| !cell.is_empty());
        for (place, (cell, slot)) in cells {
            let understood = match slot {
                None => true,
                Some(Slot::Id) => {
                    id = Some(self.id(cell));
                    true
                }
                Some(Slot::Modified) => {
                    modified = self.reading.time(cell);
                    modified.is_some()
                }
                Some(Slot::Deleted) => {
                    deleted = truth(cell).unwrap_or(false);
                    true
                }
                Some(Slot::Master) => {
                    master = Some(self.id(cell));
                    true
                }
                Some(Slot::FullName) => {
                    full_name(&mut fields, cell);
                    true
                }
                Some(Slot::Relation(relation)) => {
                    for part in cell
                        .split(';')
                        .map(str::trim)
                        .filter(|part| !part.is_empty())
                    {
                        relations.add(*relation, self.id(part));
                    }
                    true
                }
                Some(Slot::Field(name)) => {
                    let value = self.reading.value(name, cell);
                    let understood = value.is_some();
                    if !understood && name == field::OPT_OUT {
                        unclear = Some(format!(
                            "cannot tell whether the opt-out {cell:?} means yes or no"
                        ));
                    }
                    // What does not look like its type is kept as it stands: dropping it would look like a cleared field.
                    let value = value.unwrap_or_else(|| Value::from(cell.as_str()));
                    fields.set(
                        name.as_str(),
                        internal(self.recognised.dialect, name, value),
                    );
                    understood
                }
            };
            if !understood {
                let (count, _) = odd.entry(place).or_insert((0, row.line));
                *count += 1;
            }
        }
        self.complete(&mut fields);
        let id = id.or_else(|| derived(self.recognised.kind, &fields, &relations));
        // An opt-out that is misread as "no" mails somebody who must not be mailed.
        if let Some(reason) = unclear {
            return Err((id, reason));
        }
        let Some(id) = id else {
            return Err((None, "it has no id".to_owned()));
        };
        if deleted {
            self.file.gone.push((id, master));
            return Ok(None);
        }
        let record = Record {
            kind: self.recognised.kind,
            id,
            modified: modified.unwrap_or(self.modified),
            fields,
            relations,
        };
        Ok(Some(Held {
            record,
            dated: modified.is_some(),
        }))
    }

    fn id(&self, cell: &str) -> Id {
        Id(if self.recognised.dialect == Dialect::Salesforce {
            long_id(cell)
        } else {
            cell.to_owned()
        })
    }

    /// What follows from other columns where an export leaves it out.
    fn complete(&self, fields: &mut Fields) {
        if self.recognised.kind == Kind::User && fields.get(field::NAME).is_none() {
            let parts = [
                fields.text(field::FIRST_NAME),
                fields.text(field::LAST_NAME),
            ];
            let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            fields.put(field::NAME, Value::text(name));
        }
        if self.recognised.kind == Kind::Opportunity && fields.get(field::IS_CLOSED).is_none() {
            let stage = fields
                .text(field::STAGE)
                .map(crate::dialect::plain)
                .unwrap_or_default();
            if let Some(won) = [("closedwon", true), ("closedlost", false)]
                .into_iter()
                .find(|(name, _)| *name == stage)
                .map(|(_, won)| won)
            {
                fields.set(field::IS_CLOSED, true);
                fields.set(field::IS_WON, won);
            }
        }
    }
}

fn full_name(fields: &mut Fields, name: &str) {
    let (first, last) = name
        .rsplit_once(' ')
        .map_or(("", name), |(first, last)| (first, last));
    if fields.get(field::FIRST_NAME).is_none() {
        fields.put(field::FIRST_NAME, Value::text(first));
    }
    if fields.get(field::LAST_NAME).is_none() {
        fields.put(field::LAST_NAME, Value::text(last));
    }
}

/// A stable id for a record whose export has none.
fn derived(kind: Kind, fields: &Fields, relations: &Relations) -> Option<Id> {
    let email = || {
        fields
            .text(field::EMAIL)
            .map(|email| Id(format!("email:{}", email.to_lowercase())))
    };
    match kind {
        Kind::Lead | Kind::Contact | Kind::User => email(),
        Kind::Account => {
            let name = fields.text(field::NAME)?.to_lowercase();
            Some(Id(format!(
                "account:{name}|{}",
                domain(fields).unwrap_or_default()
            )))
        }
        Kind::Role => Some(Id(format!(
            "{}:{}",
            relations.one(Relation::Opportunity)?,
            relations.one(Relation::Contact)?
        ))),
        Kind::Opportunity | Kind::Note => None,
    }
}

/// The bare domain of an account, for telling accounts of one name apart.
pub(crate) fn domain(fields: &Fields) -> Option<String> {
    let text = fields
        .text(field::WEBSITE)
        .or_else(|| fields.text(field::DOMAINS))?
        .to_lowercase();
    let text = text.split(';').next().unwrap_or_default().trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    Some(text.strip_prefix("www.").unwrap_or(text).to_owned())
}
