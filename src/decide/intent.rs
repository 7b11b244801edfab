use super::{PersonId, Ref};
use contract::{Id, IntentId, Key, Operation};
use kit::Side;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// A write that leadloop has decided on and owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Derived from loop, owner, slot and content: deciding twice owes once.
    pub id: IntentId,
    /// For whom.
    pub owner: Owner,
    /// Which of the owner's writes this is; an owner owes at most one a slot.
    pub slot: String,
    /// To which side.
    pub side: Side,
    /// How urgent.
    pub lane: Lane,
    /// What to do.
    pub operation: Operation,
    /// What it does, in words.
    pub what: String,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// For whom a write is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One person.
    Person(PersonId),
    /// The company at a domain, shared by all its people.
    Organisation(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Person(person) => write!(f, "{person}"),
            Owner::Organisation(domain) => write!(f, "{domain}"),
        }
    }
}

/// How urgent a write is; the first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Somebody must no longer be mailed.
    OptOut,
    /// Sales has spoken.
    Disposition,
    /// Sales is waiting for somebody new.
    NewLead,
    /// A value moved.
    Update,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::OptOut => "opt-out",
            Lane::Disposition => "disposition",
            Lane::NewLead => "new-lead",
            Lane::Update => "update",
        })
    }
}

impl Intent {
    /// Derives the id from everything that makes this write the one it is. What an organisation owes is told by its slot alone,
    /// so that all its people owe the same.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        loop_name: &str,
        owner: Owner,
        slot: String,
        side: Side,
        lane: Lane,
        operation: Operation,
        what: String,
        reasons: Vec<String>,
    ) -> Intent {
        let own = matches!(owner, Owner::Person(_)).then_some(&operation);
        let content = serde_json::to_string(&(loop_name, &owner, &slot, side, own))
            .expect("intents are plain data with text keys");
        Intent {
            id: IntentId(digest("i", &content)),
            owner,
            slot,
            side,
            lane,
            operation,
            what,
            reasons,
        }
    }
}

/// The key of what leadloop creates for a marketing lead.
pub fn key_of_lead(loop_name: &str, lead: &Id) -> Key {
    Key(digest("ll", &format!("{loop_name}\nlead\n{lead}")))
}

/// The key of the account that leadloop creates for a domain.
pub fn key_of_account(loop_name: &str, domain: &str) -> Key {
    Key(digest("ll", &format!("{loop_name}\naccount\n{domain}")))
}

/// The key of the timeline entry that tells a record of a verdict.
pub fn key_of_note(loop_name: &str, about: &Ref, content: &str) -> Key {
    Key(digest(
        "ll",
        &format!("{loop_name}\nnote\n{about}\n{content}"),
    ))
}

/// The id of the person that begins with this record.
pub fn person_of(loop_name: &str, record: &Ref) -> PersonId {
    PersonId(digest("p", &format!("{loop_name}\n{record}")))
}

fn digest(prefix: &str, content: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    let mut text = String::with_capacity(prefix.len() + 33);
    text.push_str(prefix);
    text.push('-');
    for byte in &hash[..16] {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
