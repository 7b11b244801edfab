use crate::{
    dialect::{Dialect, Target, columns, native},
    import::Importer,
    overlay::points_to,
    pending::key_of,
    settings::{Format, Settings},
    snapshot::Snapshot,
    value::cell,
};
use contract::{Fields, Id, Kind, Relation, field};
use std::collections::BTreeMap;

/// One row, by heading.
pub(crate) type Cells = BTreeMap<String, String>;

/// In whose headings, and as which of the vendor's kinds, records of a kind are written.
pub(crate) fn shape(settings: &Settings, snapshot: &Snapshot, kind: Kind) -> (Dialect, Kind) {
    if let Some((_, recognised)) = snapshot.of(kind).last() {
        return (recognised.dialect, recognised.native);
    }
    let dialect = match settings.format {
        Format::Hubspot => Dialect::Hubspot,
        Format::Salesforce => Dialect::Salesforce,
        Format::Canonical => Dialect::Canonical,
        Format::Auto => snapshot
            .files
            .iter()
            .rev()
            .find_map(|file| Some(file.recognised.as_ref()?.dialect))
            .unwrap_or(Dialect::Canonical),
    };
    (dialect, kind)
}

/// The headings of one file.
pub(crate) struct Sheet<'a> {
    importer: &'a Importer<'a>,
    pub dialect: Dialect,
    native: Kind,
    kind: Kind,
    pub ranks: BTreeMap<String, usize>,
}

pub(crate) fn ranks(headings: &[&str]) -> BTreeMap<String, usize> {
    headings
        .iter()
        .enumerate()
        .map(|(rank, heading)| ((*heading).to_owned(), rank))
        .collect()
}

impl<'a> Sheet<'a> {
    pub fn new(importer: &'a Importer<'a>, kind: Kind) -> Sheet<'a> {
        let (dialect, native_kind) = shape(importer.settings, importer.snapshot, kind);
        let mut sheet = Sheet {
            importer,
            dialect,
            native: native_kind,
            kind,
            ranks: BTreeMap::new(),
        };
        let first = [
            native(dialect, native_kind, Target::Id)
                .unwrap_or("id")
                .to_owned(),
            sheet.key(),
        ];
        let more = columns(dialect, native_kind).map(|column| match column.target {
            Target::Field(name) => sheet.heading(name),
            _ => column.names[0].to_owned(),
        });
        let mut ranks = BTreeMap::new();
        for (rank, heading) in first.into_iter().chain(more).enumerate() {
            ranks.entry(heading).or_insert(rank);
        }
        sheet.ranks = ranks;
        sheet
    }

    pub fn key(&self) -> String {
        let default = if self.dialect == Dialect::Salesforce {
            "Leadloop_Key__c"
        } else {
            field::KEY
        };
        self.set(field::KEY).unwrap_or(default).to_owned()
    }

    /// The heading that the settings give.
    fn set(&self, name: &str) -> Option<&str> {
        self.importer
            .settings
            .columns
            .get(&self.kind)?
            .get(name)
            .map(String::as_str)
    }

    /// The heading of a field: as set, as the vendor calls it, or the field's own name.
    pub fn heading(&self, name: &str) -> String {
        if name == field::KEY {
            return self.key();
        }
        if let Some(set) = self.set(name) {
            return set.to_owned();
        }
        let known = columns(self.dialect, self.native)
            .find(|column| matches!(column.target, Target::Field(held) if held == name));
        known.map_or(name, |column| column.names[0]).to_owned()
    }

    pub fn fields(&self, cells: &mut Cells, fields: &Fields) {
        for (name, value) in fields.iter() {
            cells.insert(self.heading(name), guard(&cell(value)));
        }
    }

    pub fn relation(&self, cells: &mut Cells, relation: Relation, ids: &[Id]) {
        let word = match relation {
            Relation::Account => "Account",
            Relation::Parent => "Parent",
            Relation::Owner => "Owner",
            Relation::Contact => "Contact",
            Relation::Opportunity => "Opportunity",
            // These follow from what is done, and are not imported.
            Relation::ConvertedContact
            | Relation::ConvertedAccount
            | Relation::ConvertedOpportunity
            | Relation::MergedFrom
            | Relation::About => return,
        };
        let heading = native(self.dialect, self.native, Target::Relation(relation)).unwrap_or(word);
        let ids: Vec<Id> = ids
            .iter()
            .map(|id| self.importer.pending.resolve(points_to(relation), id))
            .collect();
        let (new, known): (Vec<&Id>, Vec<&Id>) = ids.iter().partition(|id| key_of(id).is_some());
        if !new.is_empty() {
            // So written, Data Loader and the Bulk API look the record up by its external id.
            let heading = match self.dialect {
                Dialect::Salesforce => format!("{word}.Leadloop_Key__c"),
                Dialect::Hubspot => format!(
                    "{} leadloop_key",
                    if relation == Relation::Account {
                        "Company"
                    } else {
                        word
                    }
                ),
                Dialect::Canonical => format!("{}_leadloop_key", word.to_lowercase()),
            };
            cells.insert(
                heading,
                new.iter()
                    .filter_map(|id| key_of(id))
                    .collect::<Vec<_>>()
                    .join(";"),
            );
        }
        match known.as_slice() {
            [] => {}
            [id] if id.0.starts_with("account:") => {
                cells.insert(self.heading(field::COMPANY), guard(name_of(id)));
            }
            known => {
                cells.insert(
                    heading.to_owned(),
                    guard(
                        &known
                            .iter()
                            .map(|id| id.0.as_str())
                            .collect::<Vec<_>>()
                            .join(";"),
                    ),
                );
            }
        }
    }

    /// What the importer finds the record by.
    pub fn identity(&self, cells: &mut Cells, id: &Id) {
        if let Some(key) = key_of(id) {
            cells.insert(self.key(), key.to_owned());
        } else if let Some(email) = id.0.strip_prefix("email:") {
            cells.insert(self.heading(field::EMAIL), guard(email));
        } else if id.0.starts_with("account:") {
            cells.insert(self.heading(field::NAME), guard(name_of(id)));
        } else {
            let heading = self
                .set("id")
                .or_else(|| native(self.dialect, self.native, Target::Id))
                .unwrap_or("id");
            cells.insert(heading.to_owned(), guard(&id.0));
        }
    }

    pub fn put(&self, files: &mut BTreeMap<String, Vec<u8>>, name: String, rows: Vec<Cells>) {
        if rows.is_empty() {
            return;
        }
        let rank = |heading: &String| {
            (
                self.ranks.get(heading).copied().unwrap_or(usize::MAX),
                heading.clone(),
            )
        };
        let mut headings: Vec<String> = rows.iter().flat_map(Cells::keys).cloned().collect();
        headings.sort_by_key(rank);
        headings.dedup();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&headings).expect("memory takes all");
        for row in &rows {
            let cells = headings
                .iter()
                .map(|heading| row.get(heading).map_or("", String::as_str));
            writer
                .write_record(cells)
                .expect("every row has a cell for every heading");
        }
        files.insert(name, writer.into_inner().expect("memory takes all"));
    }
}

pub(crate) fn name_of(id: &Id) -> &str {
    let text = id.0.strip_prefix("account:").unwrap_or(&id.0);
    text.rsplit_once('|').map_or(text, |(name, _)| name)
}

/// A cell that no spreadsheet runs as a formula: what starts like one gets an apostrophe in front, also behind spaces.
/// Phone numbers and numbers (`+49 30 1234-5`, `-12.5`) stay as they are: without letters there is nothing to run, and an
/// apostrophe would end up in the vendor's field.
pub(crate) fn guard(text: &str) -> String {
    let starts = text.starts_with(['\t', '\r', '\n'])
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let harmless = text.starts_with(['+', '-'])
        && text
            .chars()
            .skip(1)
            .all(|c| c.is_ascii_digit() || " .,()-/".contains(c));
    if starts && !harmless {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::guard;

    #[test]
    fn formulas_are_disarmed_and_phone_numbers_are_not() {
        let check = |text: &str, expect: &str| assert_eq!(guard(text), expect);
        check("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")");
        check("@SUM(1)", "'@SUM(1)");
        check("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0");
        check("-2+3+cmd", "'-2+3+cmd");
        check("\t=1", "'\t=1");
        check("  =1", "'  =1");
        check("＝1", "'＝1");
        check("+49 30 1234-567", "+49 30 1234-567");
        check("-12.5", "-12.5");
        check("Acme = good", "Acme = good");
    }
}
