use crate::{
    dialect::{self, Dialect, Target, plain},
    settings::Settings,
};
use contract::{Kind, Relation, field};
use kit::Side;
use std::collections::{BTreeMap, BTreeSet};

/// What a column of a file feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The record's id.
    Id,
    /// When it last changed.
    Modified,
    /// Given and family name in one.
    FullName,
    /// Whether it lies in the recycle bin.
    Deleted,
    /// The record it was merged into.
    Master,
    /// A field, by canonical name or the vendor's own.
    Field(String),
    /// A pointer.
    Relation(Relation),
}

/// What a file is taken for.
#[derive(Clone, Debug)]
pub(crate) struct Recognised {
    /// What its rows are to leadloop on this side.
    pub kind: Kind,
    /// What they are to the vendor: a Salesforce contact may stand for marketing's lead.
    pub native: Kind,
    /// Whose headings it bears.
    pub dialect: Dialect,
    /// What each column feeds.
    pub slots: Vec<Option<Slot>>,
    /// Headings that feed nothing.
    pub unknown: Vec<String>,
    score: usize,
    read: usize,
}

impl Recognised {
    /// The column that feeds a slot.
    pub fn place(&self, slot: &Slot) -> Option<usize> {
        self.slots
            .iter()
            .position(|held| held.as_ref() == Some(slot))
    }

    fn has(&self, name: &str) -> bool {
        self.place(&Slot::Field(name.to_owned())).is_some()
    }

    fn points(&self, relation: Relation) -> bool {
        self.place(&Slot::Relation(relation)).is_some()
    }

    /// Whether the file has what its kind cannot do without.
    fn is_whole(&self, hinted: bool) -> bool {
        let id = self.place(&Slot::Id).is_some();
        match self.native {
            Kind::Lead | Kind::Contact => {
                self.has(field::EMAIL)
                    || id && (self.has(field::LAST_NAME) || self.place(&Slot::FullName).is_some())
            }
            Kind::Account => self.has(field::NAME) && self.read >= 2,
            Kind::Opportunity => id && (self.has(field::STAGE) || self.has(field::CLOSE_DATE)),
            Kind::Role => {
                self.points(Relation::Opportunity)
                    && self.points(Relation::Contact)
                    && !self.has(field::STAGE)
            }
            Kind::User => {
                (self.has(field::EMAIL) || self.has(field::NAME))
                    && (hinted || self.has(field::ACTIVE))
            }
            Kind::Note => false,
        }
    }
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is something that this side does not need.
    NotNeeded(Kind),
    /// It could be several things.
    Ambiguous(Vec<Kind>),
    /// Its headings say nothing.
    Unknown,
}

/// What decides, beside the headings.
pub(crate) struct Context<'a> {
    /// The connection's settings.
    pub settings: &'a Settings,
    /// On which side it stands.
    pub side: Side,
    /// Fields beyond the canonical ones that shall be read.
    pub extra: &'a BTreeMap<Kind, BTreeSet<String>>,
}

/// A kind that a file's name speaks of. The tie between two others names them too, so it is asked first.
fn hint(name: &str) -> Option<Kind> {
    let name = name.to_lowercase();
    let words: [(&[&str], Kind); 6] = [
        (&["role"], Kind::Role),
        (&["user", "owner"], Kind::User),
        (&["opportunit", "deal"], Kind::Opportunity),
        (&["lead"], Kind::Lead),
        (&["contact"], Kind::Contact),
        (&["account", "compan"], Kind::Account),
    ];
    // The tool's own name says nothing about what a file holds.
    let name = name.replace("leadloop", "");
    words
        .into_iter()
        .find(|(words, _)| words.iter().any(|word| name.contains(word)))
        .map(|(_, kind)| kind)
}

/// Decides what a file holds: by what its headings are in each dialect, with its name to settle what they leave open.
pub(crate) fn recognise(
    name: &str,
    header: &[String],
    context: &Context<'_>,
) -> Result<Recognised, Unfit> {
    let hint = hint(name);
    let mut found: Vec<Recognised> = Vec::new();
    for dialect in context.settings.format.dialects() {
        for native in dialect::kinds(*dialect) {
            let mut candidate = fit(header, *dialect, *native, context);
            // On a side where leads and contacts are one, either name will do.
            let hinted = hint.is_some_and(|hint| {
                hint == *native || our(hint, context.side) == our(*native, context.side)
            });
            candidate.score += if hinted { 10 } else { 0 };
            if candidate.read > 0 && candidate.is_whole(hinted) {
                found.push(candidate);
            }
        }
    }
    let best = found
        .iter()
        .map(|candidate| candidate.score)
        .max()
        .ok_or(Unfit::Unknown)?;
    found.retain(|candidate| candidate.score == best);
    let kinds: BTreeSet<Kind> = found.iter().map(|candidate| candidate.kind).collect();
    if kinds.len() > 1 {
        return Err(Unfit::Ambiguous(kinds.into_iter().collect()));
    }
    let winner = found.swap_remove(0);
    if context.side == Side::Marketing && winner.kind != Kind::Lead {
        return Err(Unfit::NotNeeded(winner.kind));
    }
    Ok(winner)
}

/// What a vendor's kind is on a side: marketing knows people only.
fn our(native: Kind, side: Side) -> Kind {
    if side == Side::Marketing && native == Kind::Contact {
        Kind::Lead
    } else {
        native
    }
}

fn fit(header: &[String], dialect: Dialect, native: Kind, context: &Context<'_>) -> Recognised {
    let kind = our(native, context.side);
    let mut slots: Vec<Option<Slot>> = vec![None; header.len()];
    let mut score = 0;
    let headings: Vec<String> = header.iter().map(|heading| plain(heading)).collect();
    for (word, heading) in context.settings.columns.get(&kind).into_iter().flatten() {
        if let Some(place) = header
            .iter()
            .position(|held| held.trim().eq_ignore_ascii_case(heading.trim()))
        {
            let slot = slot_of(word);
            if !slots.contains(&Some(slot.clone())) && slots[place].is_none() {
                slots[place] = Some(slot);
                score += 4;
            }
        }
    }
    for column in dialect::columns(dialect, native) {
        let slot = match column.target {
            Target::Sign => None,
            Target::Id => Some(Slot::Id),
            Target::Modified => Some(Slot::Modified),
            Target::FullName => Some(Slot::FullName),
            Target::Deleted => Some(Slot::Deleted),
            Target::Master => Some(Slot::Master),
            Target::Field(name) => Some(Slot::Field(name.to_owned())),
            Target::Relation(relation) => Some(Slot::Relation(relation)),
        };
        if slot.is_some() && slots.contains(&slot) {
            continue;
        }
        let place = column.names.iter().find_map(|name| {
            let name = plain(name);
            headings.iter().enumerate().position(|(place, heading)| {
                *heading == name && (slot.is_none() || slots[place].is_none())
            })
        });
        let Some(place) = place else { continue };
        // Twice the weight, and one more for the exact spelling, which tells the dialects apart.
        score += 2 * column.weight + usize::from(column.names.contains(&header[place].trim()));
        if slot.is_some() {
            slots[place] = slot;
        }
    }
    for name in context.extra.get(&kind).into_iter().flatten() {
        let slot = Slot::Field(name.clone());
        let heading = plain(name);
        if slots.contains(&Some(slot.clone())) {
            continue;
        }
        if let Some(place) = headings
            .iter()
            .enumerate()
            .position(|(place, held)| *held == heading && slots[place].is_none())
        {
            slots[place] = Some(slot);
        }
    }
    let unknown = header
        .iter()
        .zip(&slots)
        .filter(|(heading, slot)| slot.is_none() && !heading.is_empty())
        .map(|(heading, _)| heading.clone());
    let read = slots.iter().flatten().count();
    Recognised {
        kind,
        native,
        dialect,
        unknown: unknown.collect(),
        score,
        read,
        slots,
    }
}

/// What a word of the `columns` setting names.
pub(crate) fn slot_of(word: &str) -> Slot {
    match word {
        "id" => Slot::Id,
        "modified" => Slot::Modified,
        "name_in_full" => Slot::FullName,
        word => {
            dialect::relation(word).map_or_else(|| Slot::Field(word.to_owned()), Slot::Relation)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(side: Side, name: &str, header: &str, expect: &str) {
        let settings = Settings::read(toml::toml! { folder = "/exports" }).unwrap();
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        let found = recognise(
            name,
            &header,
            &Context {
                settings: &settings,
                side,
                extra: &BTreeMap::new(),
            },
        );
        let found = match found {
            Ok(found) => format!("{} {} ({})", found.dialect, found.kind, found.native),
            Err(unfit) => format!("{unfit:?}"),
        };
        assert_eq!(found, expect, "{name}: {header:?}");
    }

    #[test]
    fn headings_decide_what_a_file_is() {
        use Side::{Crm, Marketing};
        check(
            Marketing,
            "a.csv",
            "Record ID,First Name,Last Name,Email,Lifecycle Stage",
            "HubSpot lead (contact)",
        );
        check(
            Marketing,
            "a.csv",
            "hs_object_id,firstname,lastname,email,lifecyclestage",
            "HubSpot lead (contact)",
        );
        check(
            Marketing,
            "all-companies.csv",
            "Record ID,Company name,Company Domain Name",
            "NotNeeded(Account)",
        );
        check(
            Marketing,
            "a.csv",
            "Id,FirstName,LastName,Email,Company,Status",
            "Salesforce lead (lead)",
        );
        check(
            Marketing,
            "a.csv",
            "id,email,first_name,last_name",
            "leadloop lead (lead)",
        );
        check(
            Crm,
            "a.csv",
            "Record ID,First Name,Last Name,Email,Lifecycle Stage",
            "HubSpot contact (contact)",
        );
        check(
            Crm,
            "a.csv",
            "Record ID,Company name,Company Domain Name,Website URL",
            "HubSpot account (account)",
        );
        check(
            Crm,
            "a.csv",
            "Record ID,Deal Name,Deal Stage,Amount,Close Date",
            "HubSpot opportunity (opportunity)",
        );
        check(
            Crm,
            "a.csv",
            "Id,FirstName,LastName,Email,Company,Status,IsConverted",
            "Salesforce lead (lead)",
        );
        check(
            Crm,
            "a.csv",
            "Id,AccountId,FirstName,LastName,Email",
            "Salesforce contact (contact)",
        );
        check(
            Crm,
            "a.csv",
            "Contact ID,First Name,Last Name,Email,Account ID,Account Name",
            "Salesforce contact (contact)",
        );
        check(
            Crm,
            "a.csv",
            "Lead ID,First Name,Last Name,Email,Company / Account,Lead Status",
            "Salesforce lead (lead)",
        );
        check(
            Crm,
            "a.csv",
            "Account ID,Account Name,Website,Billing Country",
            "Salesforce account (account)",
        );
        check(
            Crm,
            "a.csv",
            "Opportunity ID,Opportunity Name,Account ID,Stage,Amount,Close Date",
            "Salesforce opportunity (opportunity)",
        );
        check(
            Crm,
            "a.csv",
            "Id,OpportunityId,ContactId,Role,IsPrimary",
            "Salesforce role (role)",
        );
        check(
            Crm,
            "a.csv",
            "Id,Username,Name,Email,IsActive",
            "Salesforce user (user)",
        );
        check(Crm, "a.csv", "shop,turnover", "Unknown");
    }

    #[test]
    fn the_name_settles_what_headings_leave_open() {
        check(
            Side::Crm,
            "export.csv",
            "id,email,first_name,last_name",
            "Ambiguous([Lead, Contact])",
        );
        check(
            Side::Crm,
            "Leads 2026.csv",
            "id,email,first_name,last_name",
            "leadloop lead (lead)",
        );
        check(
            Side::Crm,
            "contacts.csv",
            "id,email,first_name,last_name",
            "leadloop contact (contact)",
        );
        check(
            Side::Crm,
            "User.csv",
            "Id,Name,Email",
            "Salesforce user (user)",
        );
    }
}
