use super::{Actor, World};
use bytes::Bytes;
use contract::Kind;
use jiff::Timestamp;

/// Pseudo-fields that hold the id a record points to, whatever way the vendor keeps it.
pub mod relation {
    /// The account of a contact, an opportunity or a lead.
    pub const ACCOUNT: &str = "account";
    /// The parent of an account.
    pub const PARENT: &str = "parent";
    /// The owner of a record.
    pub const OWNER: &str = "owner";
    /// The contact of a role, or the contacts of an opportunity (separated by `;` where there are several).
    pub const CONTACT: &str = "contact";
    /// The opportunity of a role.
    pub const OPPORTUNITY: &str = "opportunity";
    /// The contact that a lead became.
    pub const CONVERTED_CONTACT: &str = "converted_contact";
    /// The account that a lead was converted into.
    pub const CONVERTED_ACCOUNT: &str = "converted_account";
    /// The opportunity that conversion opened.
    pub const CONVERTED_OPPORTUNITY: &str = "converted_opportunity";
    /// The record that a note is about.
    pub const ABOUT: &str = "about";
}

/// How one vendor speaks: HTTP in front, a [`World`] behind, and canonical names for those who stage and compare worlds.
pub trait Dialect: Send {
    /// The vendor's name (`hubspot`).
    fn vendor(&self) -> &'static str;

    /// Answers one request as the vendor would. The host is not looked at.
    fn handle(&mut self, request: &http::Request<Bytes>, now: Timestamp) -> http::Response<Bytes>;

    /// The tables.
    fn world(&self) -> &World;

    /// The tables, to change by hand.
    fn world_mut(&mut self) -> &mut World;

    /// The table that holds a kind, where the vendor has it.
    fn table(&self, kind: Kind) -> Option<&'static str>;

    /// The vendor's own name of a canonical field ([`contract::field`]) or relation ([`relation`]), where it is a plain field.
    fn native(&self, kind: Kind, canonical: &str) -> Option<&'static str>;

    /// A fresh id for a record of this kind.
    fn new_id(&mut self, kind: Kind) -> String;

    /// What the vendor fills in by itself after a change to a record made past its API (by [`Dialect::create`], [`Dialect::set`]).
    fn settle(&mut self, kind: Kind, id: &str, actor: Actor, now: Timestamp) {
        let _ = (kind, id, actor, now);
    }

    /// A value of a record, live or not, by its canonical name (or, failing that, by the vendor's own).
    fn get(&self, kind: Kind, id: &str, canonical: &str) -> Option<String> {
        let field = self.native(kind, canonical).unwrap_or(canonical);
        self.world()
            .get(self.table(kind)?, id)?
            .field(field)
            .map(str::to_owned)
    }

    /// Sets values of a record by canonical names (or the vendor's own); an empty value clears. `false` where there is no such live record.
    fn set(
        &mut self,
        kind: Kind,
        id: &str,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> bool {
        let Some(table) = self.table(kind) else {
            return false;
        };
        if self.world().get_live(table, id).is_none() {
            return false;
        }
        let changes = values
            .iter()
            .map(|(name, value)| {
                let field = self.native(kind, name).unwrap_or(name);
                (
                    field.to_owned(),
                    (!value.is_empty()).then(|| (*value).to_owned()),
                )
            })
            .collect();
        self.world_mut().update(table, id, &changes, actor, now);
        self.settle(kind, id, actor, now);
        true
    }

    /// Makes a record with values by canonical names (or the vendor's own), past all the API's checks. Returns its id.
    ///
    /// # Panics
    /// Where the vendor has no such kind: ask [`Dialect::table`] first.
    fn create(
        &mut self,
        kind: Kind,
        values: &[(&str, &str)],
        actor: Actor,
        now: Timestamp,
    ) -> String {
        let table = self
            .table(kind)
            .expect("the caller asks only for kinds that the vendor has");
        let id = self.new_id(kind);
        let fields = values
            .iter()
            .map(|(name, value)| {
                (
                    self.native(kind, name).unwrap_or(name).to_owned(),
                    (*value).to_owned(),
                )
            })
            .collect();
        self.world_mut().insert(table, &id, fields, actor, now);
        self.settle(kind, &id, actor, now);
        id
    }

    /// Deletes a live record the way the vendor's screens do (restorably).
    fn delete(&mut self, kind: Kind, id: &str, actor: Actor, now: Timestamp) -> bool {
        let Some(table) = self.table(kind) else {
            return false;
        };
        self.world_mut().delete(table, id, actor, now)
    }

    /// Brings a deleted record back the way the vendor's screens do.
    fn restore(&mut self, kind: Kind, id: &str, actor: Actor, now: Timestamp) -> bool {
        let Some(table) = self.table(kind) else {
            return false;
        };
        self.world_mut().restore(table, id, actor, now)
    }

    /// Ends every access token that was issued: callers must sign in again. Nothing happens where tokens do not expire.
    fn sign_out(&mut self) {}

    /// Merges records the way the vendor's screens do. Returns the id that lives on, which may be a new one.
    fn merge(
        &mut self,
        kind: Kind,
        winner: &str,
        losers: &[&str],
        actor: Actor,
        now: Timestamp,
    ) -> Option<String> {
        let table = self.table(kind)?;
        self.world_mut()
            .merge(table, winner, losers, actor, now)
            .then(|| winner.to_owned())
    }

    /// The ids of all live records of a kind, in order.
    fn live(&self, kind: Kind) -> Vec<String> {
        let Some(table) = self.table(kind) else {
            return Vec::new();
        };
        self.world()
            .table(table)
            .live()
            .map(|row| row.id.clone())
            .collect()
    }

    /// Live records with this value in this canonical field, compared without regard to case.
    fn find(&self, kind: Kind, canonical: &str, value: &str) -> Vec<String> {
        let Some(table) = self.table(kind) else {
            return Vec::new();
        };
        let field = self.native(kind, canonical).unwrap_or(canonical);
        self.world()
            .table(table)
            .find(field, value)
            .iter()
            .map(|row| row.id.clone())
            .collect()
    }
}
