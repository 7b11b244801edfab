//! The typed layer over the seam: what one loop remembers, under which keys, in which form.
//!
//! | key below `l/<loop>/` | value | kept |
//! |---|---|---|
//! | `m/<record>` | [`Record`]: the mirror | |
//! | `n/<record>` | the person that a record belongs to | |
//! | `p/<person>` | [`Person`] | yes |
//! | `b/<person>` | [`Base`] | |
//! | `e/<address>/<record>`, `k/<key>/<record>`, `g/<domain>/<person>` | indices | |
//! | `r/<kind>/<relation>/<target>/<record>` | index: who points to a CRM record | |
//! | `d/<person>` | due | |
//! | `o/<side>/<lane>/<shape>/<intent>` | [`Owed`]: the outbox | |
//! | `s/<owner>/<slot>` | the outbox key of an owner's open write | |
//! | `w/<intent>/<person>` | persons who wait for a shared write | |
//! | `f/<intent>` | [`Refusal`] of a shared write | yes |
//! | `u/<address>` | an address that is opted out | yes |
//! | `q/<key>` | what became of an account that leadloop made | yes |
//! | `x/<intent>` | a write that was attempted and cannot be told from the vendor's records alone | yes |
//! | `c/<side>/<kind>` | [`Stream`]: cursor and completeness | |
//! | `z` | [`Counters`] | |
//!
//! Every value is its format's version, `1`, followed by JSON.

use super::{Batch, Error, Frame, Store};
use crate::decide::{
    Base, Intent, Lane, Owner, Person, PersonId, Ref, Refusal, key_of_lead, matching::Domain,
    normal,
};
use contract::{Cursor, Id, IntentId, Key, Kind, Known, Record, Relation, field};
use jiff::Timestamp;
use kit::Side;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

/// What one loop remembers.
#[derive(Clone)]
pub struct State {
    store: Arc<dyn Store>,
    loop_name: String,
    prefix: String,
}

/// A write in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The write.
    pub intent: Intent,
    /// How far it has come.
    pub progress: Progress,
    /// How often it was tried.
    pub attempts: u32,
}

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Not tried yet, or known not to have been done; not to be tried before this moment.
    Waiting(Timestamp),
    /// Tried, outcome unknown: look before writing again.
    InDoubt(Timestamp),
}

/// How far one stream has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The connector's position.
    pub cursor: Cursor,
    /// Whether the stream has been read to its end at least once: before that, absence means nothing.
    pub complete: bool,
    /// When it was last read to its end.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// What was asked for: the connection's settings and the fields read. Another question makes the answer old.
    #[serde(default)]
    pub asked: Option<String>,
    /// Ids up to here have been looked up again in the sweep under way.
    #[serde(default)]
    pub swept_to: Option<Id>,
    /// When the last sweep came to its end.
    #[serde(default)]
    pub swept_at: Option<Timestamp>,
}

/// What a loop has done since its state began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters(pub BTreeMap<String, u64>);

impl Counters {
    /// Counts something.
    pub fn add(&mut self, name: &str, by: u64) {
        if by > 0 {
            *self.0.entry(name.to_owned()).or_default() += by;
        }
    }

    /// The count of something.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

impl State {
    /// The state of the loop of this name.
    pub fn new(store: Arc<dyn Store>, loop_name: &str) -> State {
        State {
            store,
            loop_name: loop_name.to_owned(),
            prefix: format!("l/{loop_name}/"),
        }
    }

    /// The store beneath.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Begins a change of the moment `now`. It sees its own writes; nobody else does until it is committed.
    pub fn change(&self, now: Timestamp) -> Change<'_> {
        Change {
            state: self,
            batch: Batch::new(now),
            overlay: BTreeMap::new(),
            size: 0,
        }
    }

    /// A view with nothing changed, for reading.
    pub fn read(&self) -> Change<'_> {
        self.change(Timestamp::UNIX_EPOCH)
    }

    /// Makes a change durable.
    ///
    /// # Errors
    /// See [`Store::commit`].
    pub fn commit(&self, change: Change<'_>) -> Result<(), Error> {
        self.store.commit(change.batch)
    }

    /// Sets links that are missing although the ledger remembers them: all where the rows were lost, a few after a crash.
    /// Returns how many were missing.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn restore_links(&self, now: Timestamp) -> Result<usize, Error> {
        let mut restored = 0;
        let mut after = None;
        loop {
            let mut change = self.change(now);
            let persons = change.persons(after.as_ref(), 500)?;
            let Some(last) = persons.last() else {
                return Ok(restored);
            };
            after = Some(last.id.clone());
            for person in &persons {
                for record in &person.records {
                    let linked = change.person_of(record)?;
                    let stale = match &linked {
                        Some(other) if *other != person.id => change.person(other)?.is_none(),
                        Some(_) => false,
                        None => true,
                    };
                    if stale {
                        change.set(&format!("n/{record}"), &person.id);
                        restored += 1;
                    }
                }
            }
            if !change.is_empty() {
                self.commit(change)?;
            }
        }
    }

    /// Visits the history of this loop in order.
    ///
    /// # Errors
    /// See [`Store::history`].
    pub fn history(&self, visit: &mut dyn FnMut(Frame) -> ControlFlow<()>) -> Result<(), Error> {
        self.store.history(visit)
    }
}

/// What one side's connector may know of the mirrors.
pub struct KnownOn<'a> {
    /// The state.
    pub state: &'a State,
    /// The side.
    pub side: Side,
}

impl Known for KnownOn<'_> {
    fn modified(&self, kind: Kind, id: &Id) -> Option<Timestamp> {
        let mirror = self
            .state
            .read()
            .mirror(&Ref::new(self.side, kind, id.clone()))
            .ok()
            .flatten();
        mirror.map(|record| record.modified)
    }
}

/// Something that is about to be committed together.
pub struct Change<'a> {
    state: &'a State,
    batch: Batch,
    overlay: BTreeMap<String, Option<Vec<u8>>>,
    size: usize,
}

/// A key and its value, decoded.
type Row<T> = (String, T);

impl Change<'_> {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Adds a line of history.
    pub fn fact(&mut self, fact: serde_json::Value) {
        // Close enough: what it comes to in the ledger is not worth writing it twice.
        self.size += 256;
        self.batch.fact(fact);
    }

    fn raw(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.overlay.get(key) {
            Some(value) => Ok(value.clone()),
            None => self
                .state
                .store
                .get(format!("{}{key}", self.state.prefix).as_bytes()),
        }
    }

    fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.raw(key)?.map(|value| decode(key, &value)).transpose()
    }

    fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        let value = encode(value);
        self.size += self.state.prefix.len() + key.len() + value.len();
        self.batch
            .put(format!("{}{key}", self.state.prefix), value.clone());
        self.overlay.insert(key.to_owned(), Some(value));
    }

    fn keep<T: Serialize>(&mut self, key: &str, value: &T) {
        let value = encode(value);
        self.size += self.state.prefix.len() + key.len() + value.len();
        self.batch
            .keep(format!("{}{key}", self.state.prefix), value.clone());
        self.overlay.insert(key.to_owned(), Some(value));
    }

    fn remove(&mut self, key: &str) {
        self.batch.delete(format!("{}{key}", self.state.prefix));
        self.overlay.insert(key.to_owned(), None);
    }

    fn forget(&mut self, key: &str) {
        self.batch.forget(format!("{}{key}", self.state.prefix));
        self.overlay.insert(key.to_owned(), None);
    }

    /// Rows below a prefix in order, after a key, at most so many; what this change wrote is seen.
    fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let whole = format!("{}{prefix}", self.state.prefix);
        let whole_after = after.map(|after| format!("{}{after}", self.state.prefix));
        let removed = self
            .overlay
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, value)| value.is_none())
            .count();
        let stored = self.state.store.scan(
            whole.as_bytes(),
            whole_after.as_ref().map(String::as_bytes),
            limit.saturating_add(removed),
        )?;
        let mut rows: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (key, value) in stored {
            let key = String::from_utf8_lossy(&key[self.state.prefix.len()..]).into_owned();
            rows.insert(key, value);
        }
        for (key, value) in self
            .overlay
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
        {
            if after.is_some_and(|after| key.as_str() <= after) {
                continue;
            }
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(limit).collect())
    }

    fn rows<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row<T>>, Error> {
        self.scan(prefix, after, limit)?
            .into_iter()
            .map(|(key, value)| Ok((key.clone(), decode(&key, &value)?)))
            .collect()
    }

    /// The last parts of the keys below a prefix: what an index points to.
    fn ends(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Error> {
        Ok(self
            .scan(prefix, None, limit)?
            .into_iter()
            .map(|(key, _)| key[prefix.len()..].to_owned())
            .collect())
    }

    // Mirrors and their indices.

    /// The mirror of a record.
    pub fn mirror(&self, record: &Ref) -> Result<Option<Record>, Error> {
        self.get(&format!("m/{record}"))
    }

    /// Mirrors of one kind on one side, in the order of their ids.
    pub fn mirrors(
        &self,
        side: Side,
        kind: Kind,
        after: Option<&Id>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let after = after.map(|id| format!("m/{side}/{kind}/{id}"));
        Ok(self
            .rows(&format!("m/{side}/{kind}/"), after.as_deref(), limit)?
            .into_iter()
            .map(|(_, record)| record)
            .collect())
    }

    /// Sets a mirror and what is found by it. Returns what it was before.
    pub fn put_mirror(&mut self, side: Side, record: &Record) -> Result<Option<Record>, Error> {
        let reference = Ref::new(side, record.kind, record.id.clone());
        let before = self.mirror(&reference)?;
        if before.as_ref() == Some(record) {
            return Ok(before);
        }
        let old = before
            .as_ref()
            .map(|record| index_keys(&self.state.loop_name, side, record))
            .unwrap_or_default();
        let new = index_keys(&self.state.loop_name, side, record);
        for key in old.iter().filter(|key| !new.contains(key)) {
            self.remove(key);
        }
        for key in new.iter().filter(|key| !old.contains(key)) {
            self.set(key, &());
        }
        self.set(&format!("m/{reference}"), record);
        Ok(before)
    }

    /// Removes a mirror and what was found by it. Returns what it was.
    pub fn remove_mirror(&mut self, record: &Ref) -> Result<Option<Record>, Error> {
        let before = self.mirror(record)?;
        for key in before
            .as_ref()
            .map(|before| index_keys(&self.state.loop_name, record.side, before))
            .unwrap_or_default()
        {
            self.remove(&key);
        }
        if before.is_some() {
            self.remove(&format!("m/{record}"));
        }
        Ok(before)
    }

    /// Records with this e-mail address on both sides.
    pub fn with_email(&self, email: &str) -> Result<Vec<Ref>, Error> {
        refs(self.ends(&format!("e/{email}/"), 100)?)
    }

    /// Records that bear this key.
    pub fn with_key(&self, key: &Key) -> Result<Vec<Ref>, Error> {
        refs(self.ends(&format!("k/{key}/"), 100)?)
    }

    /// Ids of the CRM's records of one kind that point to a record.
    pub fn pointing(&self, kind: Kind, relation: Relation, to: &Id) -> Result<Vec<Id>, Error> {
        Ok(self
            .ends(&pointing_prefix(kind, relation, to), usize::MAX)?
            .into_iter()
            .map(Id)
            .collect())
    }

    // Persons.

    /// The person that a record belongs to.
    pub fn person_of(&self, record: &Ref) -> Result<Option<PersonId>, Error> {
        self.get(&format!("n/{record}"))
    }

    /// A person about whom there is more to know than one record.
    pub fn person(&self, id: &PersonId) -> Result<Option<Person>, Error> {
        self.get(&format!("p/{id}"))
    }

    /// The person that a record belongs to, whole. Somebody known by one record and nothing else is not stored.
    pub fn person_with(&self, record: &Ref) -> Result<Option<Person>, Error> {
        let Some(id) = self.person_of(record)? else {
            return Ok(None);
        };
        Ok(Some(
            self.person(&id)?
                .unwrap_or_else(|| Person::new(id, record.clone())),
        ))
    }

    /// Persons in the order of their ids.
    pub fn persons(&self, after: Option<&PersonId>, limit: usize) -> Result<Vec<Person>, Error> {
        let after = after.map(|id| format!("p/{id}"));
        Ok(self
            .rows("p/", after.as_deref(), limit)?
            .into_iter()
            .map(|(_, person)| person)
            .collect())
    }

    /// Sets a person and the links of all its records. Somebody known by one record and nothing else is not stored, unless
    /// [`Change::remember_person`] has said so.
    pub fn put_person(&mut self, person: &Person) -> Result<(), Error> {
        if self.person(&person.id)?.is_none() && person.is_plain() {
            return self.link(person);
        }
        self.remember_person(person)
    }

    /// Sets a person, however little there is to know: something is owed, and its outcome must find the person.
    pub fn remember_person(&mut self, person: &Person) -> Result<(), Error> {
        self.link(person)?;
        if self.person(&person.id)?.as_ref() != Some(person) {
            self.keep(&format!("p/{}", person.id), person);
        }
        Ok(())
    }

    fn link(&mut self, person: &Person) -> Result<(), Error> {
        for record in &person.records {
            if self.person_of(record)?.as_ref() != Some(&person.id) {
                self.set(&format!("n/{record}"), &person.id);
            }
        }
        Ok(())
    }

    /// Removes a person who was taken in by another. Links are the other's to set.
    pub fn remove_person(&mut self, id: &PersonId) -> Result<(), Error> {
        if self.person(id)?.is_some() {
            self.forget(&format!("p/{id}"));
        }
        self.remove(&format!("b/{id}"));
        self.remove(&format!("d/{id}"));
        Ok(())
    }

    /// Unlinks a record that is gone.
    pub fn unlink(&mut self, record: &Ref) {
        self.remove(&format!("n/{record}"));
    }

    /// What was settled with a person.
    pub fn base(&self, person: &PersonId) -> Result<Base, Error> {
        Ok(self.get(&format!("b/{person}"))?.unwrap_or_default())
    }

    /// Sets what is settled with a person.
    pub fn put_base(&mut self, person: &PersonId, base: &Base) -> Result<(), Error> {
        if self.base(person)? != *base {
            self.set(&format!("b/{person}"), base);
        }
        Ok(())
    }

    /// Marketing's records of the persons whose address is at a domain.
    pub fn at_domain(&self, domain: &Domain) -> Result<Vec<Ref>, Error> {
        refs(self.ends(&format!("g/{domain}/"), usize::MAX)?)
    }

    /// Marks a person as due, by one of the person's records.
    pub fn due(&mut self, person: &PersonId, by: &Ref) {
        self.set(&format!("d/{person}"), by);
    }

    /// The next persons who are due, each with one record.
    pub fn next_due(&self, limit: usize) -> Result<Vec<(PersonId, Ref)>, Error> {
        Ok(self
            .rows("d/", None, limit)?
            .into_iter()
            .map(|(key, by)| (PersonId(key["d/".len()..].to_owned()), by))
            .collect())
    }

    /// A person has been decided on.
    pub fn done(&mut self, person: &PersonId) {
        self.remove(&format!("d/{person}"));
    }

    // The outbox.

    /// The open writes of an owner, by slot.
    pub fn open(&self, owner: &Owner) -> Result<BTreeMap<String, Owed>, Error> {
        let prefix = slots(owner);
        let mut open = BTreeMap::new();
        for (key, out) in self.rows::<String>(&prefix, None, usize::MAX)? {
            if let Some(owed) = self.get::<Owed>(&out)? {
                open.insert(key[prefix.len()..].to_owned(), owed);
            }
        }
        Ok(open)
    }

    /// Puts a write into the outbox, or sets how far it has come.
    pub fn owe(&mut self, owed: &Owed) {
        let key = out_key(&owed.intent);
        self.set(
            &format!("{}{}", slots(&owed.intent.owner), owed.intent.slot),
            &key,
        );
        self.set(&key, owed);
    }

    /// Takes a write out of the outbox.
    pub fn settle(&mut self, intent: &Intent) {
        self.remove(&format!("{}{}", slots(&intent.owner), intent.slot));
        self.remove(&out_key(intent));
    }

    /// Writes in the outbox of one side, lane and shape, in the order of their ids.
    pub fn outbox(
        &self,
        side: Side,
        lane: Lane,
        shape: Option<(&str, Kind)>,
        after: Option<&IntentId>,
        limit: usize,
    ) -> Result<Vec<Owed>, Error> {
        let mut prefix = format!("o/{side}/{}/", lane as u8);
        if let Some((operation, kind)) = shape {
            prefix.push_str(&format!("{operation}-{kind}/"));
        }
        let after = after.map(|id| format!("{prefix}{id}"));
        Ok(self
            .rows(&prefix, after.as_deref(), limit)?
            .into_iter()
            .map(|(_, owed)| owed)
            .collect())
    }

    /// How many writes are owed to a side, counted up to a bound.
    pub fn outbox_size(&self, side: Side, bound: usize) -> Result<usize, Error> {
        Ok(self.scan(&format!("o/{side}/"), None, bound)?.len())
    }

    /// All writes owed to a side.
    pub fn owed(&self, side: Side) -> Result<Vec<Owed>, Error> {
        Ok(self
            .rows::<Owed>(&format!("o/{side}/"), None, usize::MAX)?
            .into_iter()
            .map(|(_, owed)| owed)
            .collect())
    }

    /// Remembers beyond the loss of the rows that a write was attempted.
    pub fn mark_attempted(&mut self, intent: &IntentId) {
        self.keep(&format!("x/{intent}"), &true);
    }

    /// Whether a write was attempted before the rows were lost.
    pub fn was_attempted(&self, intent: &IntentId) -> Result<bool, Error> {
        Ok(self.raw(&format!("x/{intent}"))?.is_some())
    }

    /// The attempt has an outcome.
    pub fn clear_attempted(&mut self, intent: &IntentId) -> Result<(), Error> {
        if self.was_attempted(intent)? {
            self.forget(&format!("x/{intent}"));
        }
        Ok(())
    }

    /// A person waits for a shared write.
    pub fn wait_for(&mut self, intent: &IntentId, person: &PersonId) {
        self.set(&format!("w/{intent}/{person}"), &());
    }

    /// Takes the persons who wait for a shared write.
    pub fn take_waiting(&mut self, intent: &IntentId) -> Result<Vec<PersonId>, Error> {
        let prefix = format!("w/{intent}/");
        let waiting = self.ends(&prefix, usize::MAX)?;
        for person in &waiting {
            self.remove(&format!("{prefix}{person}"));
        }
        Ok(waiting.into_iter().map(PersonId).collect())
    }

    /// The refusal of a shared write.
    pub fn refusal(&self, intent: &IntentId) -> Result<Option<Refusal>, Error> {
        self.get(&format!("f/{intent}"))
    }

    /// Remembers the refusal of a shared write.
    pub fn refuse(&mut self, intent: &IntentId, refusal: &Refusal) {
        self.keep(&format!("f/{intent}"), refusal);
    }

    /// Forgets the refusals of all shared writes, so that they are tried again. Returns how many there were.
    pub fn forget_refusals(&mut self) -> Result<usize, Error> {
        let refused = self.ends("f/", usize::MAX)?;
        for intent in &refused {
            self.forget(&format!("f/{intent}"));
        }
        Ok(refused.len())
    }

    /// Refused shared writes.
    pub fn refusals(&self) -> Result<Vec<(IntentId, Refusal)>, Error> {
        let rows = self.rows::<Refusal>("f/", None, usize::MAX)?;
        Ok(rows
            .into_iter()
            .map(|(key, refusal)| (IntentId(key["f/".len()..].to_owned()), refusal))
            .collect())
    }

    /// Remembers that an address is opted out, whoever bears it.
    pub fn suppress(&mut self, address: &str) {
        self.keep(&format!("u/{address}"), &true);
    }

    /// Whether an address has ever been seen opted out.
    pub fn is_suppressed(&self, address: &str) -> Result<bool, Error> {
        Ok(self.raw(&format!("u/{address}"))?.is_some())
    }

    /// Remembers what became of an account that leadloop made.
    pub fn bury_account(&mut self, key: &Key, lives_on: Option<&Id>) {
        self.keep(&format!("q/{key}"), &lives_on);
    }

    /// Accounts that leadloop made and that are gone, with what they live on in.
    pub fn buried_accounts(&self) -> Result<Vec<(Key, Option<Id>)>, Error> {
        let rows = self.rows::<Option<Id>>("q/", None, usize::MAX)?;
        Ok(rows
            .into_iter()
            .map(|(key, lives_on)| (Key(key["q/".len()..].to_owned()), lives_on))
            .collect())
    }

    /// How many bytes this change has gathered.
    pub fn size(&self) -> usize {
        self.size
    }

    // Streams and counters.

    /// How far a stream has been read.
    pub fn stream(&self, side: Side, kind: Kind) -> Result<Stream, Error> {
        Ok(self.get(&format!("c/{side}/{kind}"))?.unwrap_or_default())
    }

    /// Sets how far a stream has been read.
    pub fn put_stream(&mut self, side: Side, kind: Kind, stream: &Stream) -> Result<(), Error> {
        if self.stream(side, kind)? != *stream {
            self.set(&format!("c/{side}/{kind}"), stream);
        }
        Ok(())
    }

    /// What the loop has done.
    pub fn counters(&self) -> Result<Counters, Error> {
        Ok(self.get("z")?.unwrap_or_default())
    }

    /// Sets what the loop has done.
    pub fn put_counters(&mut self, counters: &Counters) {
        self.set("z", counters);
    }

    /// The fingerprint of the agreement that was last put in force.
    pub fn agreement(&self) -> Result<Option<String>, Error> {
        self.get("a")
    }

    /// Puts an agreement in force.
    pub fn put_agreement(&mut self, fingerprint: &str) {
        self.keep("a", &fingerprint.to_owned());
    }
}

fn slots(owner: &Owner) -> String {
    match owner {
        Owner::Person(person) => format!("s/person/{person}/"),
        Owner::Organisation(domain) => format!("s/organisation/{domain}/"),
    }
}

fn out_key(intent: &Intent) -> String {
    let (operation, kind) = intent.operation.shape();
    format!(
        "o/{}/{}/{operation}-{kind}/{}",
        intent.side, intent.lane as u8, intent.id
    )
}

fn pointing_prefix(kind: Kind, relation: Relation, to: &Id) -> String {
    format!("r/{kind}/{}/{to}/", relation_name(relation))
}

fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Account => "account",
        Relation::Parent => "parent",
        Relation::Owner => "owner",
        Relation::Contact => "contact",
        Relation::Opportunity => "opportunity",
        Relation::ConvertedContact => "converted-contact",
        Relation::ConvertedAccount => "converted-account",
        Relation::ConvertedOpportunity => "converted-opportunity",
        Relation::MergedFrom => "merged-from",
        Relation::About => "about",
    }
}

/// Relations that somebody asks backwards. Owners are not among them: an owner's records are most of the CRM.
const INDEXED: [Relation; 4] = [
    Relation::Account,
    Relation::Contact,
    Relation::Opportunity,
    Relation::ConvertedContact,
];

fn index_keys(loop_name: &str, side: Side, record: &Record) -> Vec<String> {
    let reference = Ref::new(side, record.kind, record.id.clone());
    let mut keys = Vec::new();
    if matches!(record.kind, Kind::Lead | Kind::Contact) {
        let email = normal::email(record.fields.text(field::EMAIL));
        if let Some(email) = &email {
            keys.push(format!("e/{email}/{reference}"));
        }
        if let Some(domain) = crate::decide::matching::domain::of_email(email.as_deref())
            .filter(|_| side == Side::Marketing)
        {
            keys.push(format!("g/{domain}/{reference}"));
        }
        // What is created for a marketing lead bears the lead's key: so the two find each other even if the answer was lost.
        let key = if side == Side::Marketing {
            Some(key_of_lead(loop_name, &record.id))
        } else {
            record.key()
        };
        if let Some(key) = key {
            keys.push(format!("k/{key}/{reference}"));
        }
    }
    if side == Side::Crm {
        for relation in INDEXED {
            for to in record.relations.all(relation) {
                keys.push(format!(
                    "{}{}",
                    pointing_prefix(record.kind, relation, to),
                    record.id
                ));
            }
        }
    }
    keys
}

fn refs(texts: Vec<String>) -> Result<Vec<Ref>, Error> {
    texts
        .into_iter()
        .map(|text| Ref::try_from(text.clone()).map_err(|error| corrupt(&text, &error)))
        .collect()
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, value).expect("rows are plain data with text keys");
    bytes
}

const VERSION: u8 = b'1';

fn decode<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    match value.split_first() {
        Some((&VERSION, json)) => {
            serde_json::from_slice(json).map_err(|error| corrupt(key, &error.to_string()))
        }
        Some((&version, _)) if version > VERSION => Err(Error::Newer {
            what: format!("the row {key}"),
            found: u32::from(version),
            known: u32::from(VERSION),
        }),
        _ => Err(corrupt(key, "it has no version")),
    }
}

fn corrupt(key: &str, detail: &str) -> Error {
    Error::Corrupt {
        what: format!("the row {key} cannot be read: {detail}"),
        remedy: "stop leadloop and move the folder `sled` in the state directory aside: it is rebuilt from the ledger and the vendors".to_owned(),
    }
}
