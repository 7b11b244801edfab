use crate::agreement::Disposition;
use contract::{Id, IntentId, Kind, Value};
use jiff::Timestamp;
use kit::Side;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// leadloop's own id of a person: stable for as long as any of the person's records is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub String);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Points to a record on one side. Written `marketing/lead/42`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Ref {
    /// On which side.
    pub side: Side,
    /// What it is.
    pub kind: Kind,
    /// The vendor's id.
    pub id: Id,
}

impl Ref {
    /// A pointer to a record.
    pub fn new(side: Side, kind: Kind, id: Id) -> Self {
        Ref { side, kind, id }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.side, self.kind, self.id)
    }
}

impl From<Ref> for String {
    fn from(reference: Ref) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for Ref {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let side = match parts.next() {
            Some("marketing") => Side::Marketing,
            Some("crm") => Side::Crm,
            _ => return Err(format!("no side in {text}")),
        };
        let kind = parts
            .next()
            .and_then(|name| Kind::ALL.into_iter().find(|kind| kind.to_string() == name))
            .ok_or_else(|| format!("no kind in {text}"))?;
        let id = parts.next().ok_or_else(|| format!("no id in {text}"))?;
        Ok(Ref::new(side, kind, Id::from(id)))
    }
}

/// What leadloop knows of a person beyond the vendors' records. It cannot be had again from them, so it is kept in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who it is.
    pub id: PersonId,
    /// The person's records on both sides.
    pub records: BTreeSet<Ref>,
    /// Whether the person has ever been seen opted out, on any side. Never goes back.
    #[serde(default)]
    pub opted_out: bool,
    /// Since when sales has had the lead.
    #[serde(default)]
    pub handed_over: Option<Timestamp>,
    /// CRM leads that leadloop converted itself: such a conversion is no word of sales.
    #[serde(default)]
    pub converted: BTreeSet<Id>,
    /// Where in the funnel.
    #[serde(default)]
    pub stage: Stage,
    /// Sales' present verdict.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Verdicts that marketing has on its timeline: the key of each and the note it became.
    #[serde(default)]
    pub receipts: BTreeMap<String, Receipt>,
    /// Records that are gone at the vendor: nothing is created in their place.
    #[serde(default)]
    pub gone: BTreeMap<Ref, Timestamp>,
    /// The arbiter's rulings by field.
    #[serde(default)]
    pub rulings: BTreeMap<String, Ruling>,
    /// Writes that the vendor refused. Each stays refused until its content changes or somebody asks for another try.
    #[serde(default)]
    pub refused: BTreeMap<IntentId, Refusal>,
    /// What awaits the arbiter, by question.
    #[serde(default)]
    pub reviews: BTreeMap<String, Review>,
}

impl Person {
    /// A person known by one record.
    pub fn new(id: PersonId, record: Ref) -> Self {
        Person {
            id,
            records: BTreeSet::from([record]),
            opted_out: false,
            handed_over: None,
            converted: BTreeSet::new(),
            stage: Stage::Inquiry,
            verdict: None,
            receipts: BTreeMap::new(),
            gone: BTreeMap::new(),
            rulings: BTreeMap::new(),
            refused: BTreeMap::new(),
            reviews: BTreeMap::new(),
        }
    }

    /// Whether there is nothing to know but one record.
    pub fn is_plain(&self) -> bool {
        self.records.len() == 1
            && self
                .records
                .first()
                .is_some_and(|record| *self == Person::new(self.id.clone(), record.clone()))
    }

    /// Whether the person has records on both sides.
    pub fn is_paired(&self) -> bool {
        let on = |side| self.records.iter().any(|record| record.side == side);
        on(Side::Marketing) && on(Side::Crm)
    }

    /// Takes in another person who turned out to be the same. What restricts more wins.
    pub fn absorb(&mut self, other: Person) {
        self.records.extend(other.records);
        self.opted_out |= other.opted_out;
        self.handed_over = match (self.handed_over, other.handed_over) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.stage = self.stage.max(other.stage);
        self.verdict = self.verdict.take().or(other.verdict);
        self.receipts.extend(other.receipts);
        self.converted.extend(other.converted);
        self.gone.extend(other.gone);
        for (field, ruling) in other.rulings {
            self.rulings.entry(field).or_insert(ruling);
        }
    }
}

/// Stage of the funnel.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Known to marketing.
    #[default]
    Inquiry,
    /// Meets the lead definition.
    Mql,
    /// Accepted by sales.
    Sal,
    /// Qualified by sales.
    Sql,
    /// Has an open opportunity.
    Opportunity,
    /// Bought.
    Won,
    /// Did not buy.
    Lost,
    /// Back to marketing for now.
    Recycled,
    /// Not a lead for sales.
    Disqualified,
}

impl Stage {
    /// The stage that a verdict puts a handed-over lead in.
    pub fn of(disposition: Option<Disposition>) -> Stage {
        match disposition {
            None => Stage::Mql,
            Some(Disposition::Accepted | Disposition::Working) => Stage::Sal,
            Some(Disposition::Qualified) => Stage::Sql,
            Some(Disposition::Opportunity) => Stage::Opportunity,
            Some(Disposition::Won) => Stage::Won,
            Some(Disposition::Lost) => Stage::Lost,
            Some(Disposition::Recycled) => Stage::Recycled,
            Some(Disposition::Rejected) => Stage::Disqualified,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Inquiry => "inquiry",
            Stage::Mql => "MQL",
            Stage::Sal => "SAL",
            Stage::Sql => "SQL",
            Stage::Opportunity => "opportunity",
            Stage::Won => "won",
            Stage::Lost => "lost",
            Stage::Recycled => "recycled",
            Stage::Disqualified => "disqualified",
        })
    }
}

/// Sales' verdict with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The verdict.
    pub disposition: Disposition,
    /// Why, where sales said so.
    #[serde(default)]
    pub reason: Option<String>,
    /// The opportunity's stage.
    #[serde(default)]
    pub sales_stage: Option<String>,
    /// The opportunity's amount.
    #[serde(default)]
    pub amount: Option<rust_decimal::Decimal>,
    /// Its currency.
    #[serde(default)]
    pub currency: Option<String>,
    /// Who owns the record in the CRM.
    #[serde(default)]
    pub owner: Option<String>,
    /// Since when leadloop has seen the disposition.
    pub since: Timestamp,
}

/// Proof that marketing has a verdict on its timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The vendor's id of the entry.
    pub note: Id,
    /// When it was confirmed.
    pub at: Timestamp,
}

/// What the arbiter decided for one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The side whose value stands.
    pub take: Side,
    /// The two values it was decided over, marketing's first: a ruling speaks for these and no others.
    pub over: (Option<Value>, Option<Value>),
    /// Who decided.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A write that the vendor refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which write of the person's.
    pub slot: String,
    /// What it was to do, in words.
    pub what: String,
    /// The vendor's words.
    pub reason: String,
    /// What helps.
    pub remedy: String,
    /// When.
    pub at: Timestamp,
}

/// Something that awaits the arbiter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The question, in words.
    pub question: String,
    /// Since when it is open.
    pub since: Timestamp,
}

/// Per field, marketing's value and the CRM's when both were last settled: equal, unless they agreed to differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The CRM record that it speaks of.
    pub with: Option<Ref>,
    /// The marketing lead that it speaks of.
    #[serde(default)]
    pub lead: Option<Id>,
    /// The values, normalised.
    pub fields: BTreeMap<String, (Option<String>, Option<String>)>,
}
