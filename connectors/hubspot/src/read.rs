//! Reading what changed.
//!
//! | stream | how | idle poll |
//! |---|---|---|
//! | contacts, first | all of them, a hundred a page | |
//! | contacts, then | search by time of change for ids, then the records themselves | 1 call |
//! | owners | all of them, every ten minutes | none |

use crate::{
    connector::{BATCH, Portal, Question, SEARCH},
    position::{Phase, Position},
    reply::results,
    wire::{Object, Unreadable, entry, lead, lead_changes, search, user},
};
use contract::{Change, ConnectorError, Cursor, Id, Kind, Page, Relation, Request};
use jiff::{SignedDuration, Timestamp};
use kit::Call;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most results of one search.
/// <https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm>
const SEARCH_PAGE: usize = 200;

/// Owners change rarely and have no feed.
const OWNERS_EVERY: SignedDuration = SignedDuration::from_mins(10);

impl Portal {
    /// The next page of changed contacts.
    pub(crate) async fn read_leads(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        let now = self.session.server_now();
        let mut position = Position::open(request.from)?.unwrap_or_else(|| Position::start(now));
        let (changes, more) = match position.due(now, &self.rhythm).clone() {
            // The windows follow at once, for a listing may have taken hours.
            Phase::Listing { after } => (
                self.list(after, request.at_most, &mut position).await?,
                true,
            ),
            Phase::Window {
                from, to, beyond, ..
            } => (
                self.window(from, to, beyond, request, &mut position)
                    .await?,
                position.more(),
            ),
            Phase::Archived { after, .. } => {
                (self.archived(after, &mut position).await?, position.more())
            }
            Phase::Rest => (Vec::new(), false),
        };
        Ok(Page {
            changes,
            next: position.seal(),
            more,
        })
    }

    async fn list(
        &self,
        after: Option<String>,
        at_most: usize,
        position: &mut Position,
    ) -> Result<Vec<Change>, ConnectorError> {
        let doing = "listing contacts";
        let mut call = Call::get(self.objects("contacts", ""))
            .query("limit", at_most.clamp(1, BATCH).to_string())
            .query("properties", self.mapping.properties().join(","))
            .doing(doing);
        if let Some(after) = &after {
            call = call.query("after", after.clone());
        }
        let answer = self.session.call(call).await?;
        let answered = results(&answer, doing)?;
        let next = answered.after();
        if next.is_some() && next == after {
            return Err(stuck(doing));
        }
        let mut changes = Vec::with_capacity(answered.results.len());
        for raw in &answered.results {
            lead_changes(raw, &self.mapping, &mut changes);
        }
        position.listed(next, answer.date());
        Ok(changes)
    }

    async fn window(
        &self,
        from: Timestamp,
        to: Timestamp,
        beyond: u64,
        request: &Request<'_>,
        position: &mut Position,
    ) -> Result<Vec<Change>, ConnectorError> {
        let doing = "searching changed contacts";
        let limit = request.at_most.clamp(1, SEARCH_PAGE);
        let body = search(from, to, beyond, limit);
        let call = Call::post_json(self.objects("contacts", "/search"), &body)
            .repeatable()
            .bucket(SEARCH)
            .doing(doing);
        let answer = self.session.call(call).await?;
        let answered = results(&answer, doing)?;
        let mut changes = Vec::new();
        let mut changed = Vec::new();
        let mut last = None;
        for raw in &answered.results {
            let found = entry::<Object>(raw).and_then(|object| {
                let id = object
                    .id()
                    .and_then(|id| id.parse::<u64>().ok())
                    .ok_or_else(no_id)?;
                Ok((id, object.modified()))
            });
            match found {
                Ok((id, modified)) => {
                    last = last.max(Some(id));
                    let held = request.known.modified(Kind::Lead, &Id(id.to_string()));
                    let is_held = modified.is_some_and(|modified| {
                        let settled = position.is_settled(modified);
                        settled && held.is_some_and(|held| held >= modified)
                    });
                    if !is_held {
                        changed.push(id.to_string());
                    }
                }
                Err(unreadable) => changes.push(unreadable.into_change(Kind::Lead)),
            }
        }
        let full = answered.results.len() >= limit || answered.after().is_some();
        if full && last.is_none_or(|last| last <= beyond) {
            return Err(stuck(doing));
        }
        let question = Question {
            object: "contacts",
            id_property: None,
            properties: self.mapping.properties(),
            doing: "reading changed contacts",
        };
        for raw in self.batch_read(&question, &changed).await? {
            lead_changes(&raw, &self.mapping, &mut changes);
        }
        position.searched(last, full, answer.date(), &self.rhythm);
        Ok(changes)
    }

    async fn archived(
        &self,
        after: Option<String>,
        position: &mut Position,
    ) -> Result<Vec<Change>, ConnectorError> {
        let doing = "listing archived contacts";
        let mut call = Call::get(self.objects("contacts", ""))
            .query("limit", BATCH.to_string())
            .query("archived", "true")
            .query("properties", "hs_object_id")
            .doing(doing);
        if let Some(after) = &after {
            call = call.query("after", after.clone());
        }
        let answer = self.session.call(call).await?;
        let answered = results(&answer, doing)?;
        let next = answered.after();
        if next.is_some() && next == after {
            return Err(stuck(doing));
        }
        let since = position.archived_since(&self.rhythm);
        let mut changes = Vec::new();
        let mut gone = BTreeSet::new();
        for raw in &answered.results {
            match entry::<Object>(raw).and_then(|object| {
                object
                    .id()
                    .map(|id| (id.to_owned(), object.archived_at()))
                    .ok_or_else(no_id)
            }) {
                Ok((id, archived_at)) if archived_at.is_none_or(|time| time >= since) => {
                    gone.insert(id);
                }
                Ok(_) => {}
                Err(unreadable) => changes.push(unreadable.into_change(Kind::Lead)),
            }
        }
        self.sift(gone, &mut changes).await?;
        position.archived(next);
        Ok(changes)
    }

    /// Tells what was deleted from what was merged into another contact or has been restored meanwhile.
    async fn sift(
        &self,
        mut gone: BTreeSet<String>,
        changes: &mut Vec<Change>,
    ) -> Result<(), ConnectorError> {
        let ids: Vec<String> = gone.iter().cloned().collect();
        let question = Question {
            object: "contacts",
            id_property: None,
            properties: self.mapping.properties(),
            doing: "looking for survivors of merges",
        };
        for raw in self.batch_read(&question, &ids).await? {
            if let Ok(record) = lead(&raw, &self.mapping) {
                gone.remove(&record.id.0);
                for loser in record.relations.all(Relation::MergedFrom) {
                    gone.remove(&loser.0);
                }
            }
            lead_changes(&raw, &self.mapping, changes);
        }
        changes.extend(gone.into_iter().map(|id| Change::Deleted {
            kind: Kind::Lead,
            id: Id(id),
        }));
        Ok(())
    }

    /// The next page of owners, at most every ten minutes.
    pub(crate) async fn read_users(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        let now = self.session.now();
        let mut position: Owners = request.from.open()?.unwrap_or(Owners {
            version: OWNERS_VERSION,
            page: Some(OwnersPage::first()),
            read_at: now,
        });
        if position.version != OWNERS_VERSION {
            return Err(ConnectorError::CursorLost);
        }
        let Some(page) = position.page.take() else {
            let rested = now.duration_since(position.read_at);
            if !rested.is_negative() && rested < OWNERS_EVERY {
                return Ok(Page {
                    changes: Vec::new(),
                    next: request.from.clone(),
                    more: false,
                });
            }
            return self.owners_page(OwnersPage::first(), now).await;
        };
        self.owners_page(page, position.read_at).await
    }

    async fn owners_page(
        &self,
        page: OwnersPage,
        began: Timestamp,
    ) -> Result<Page, ConnectorError> {
        let (raws, after) = self.owners(page.archived, page.after.clone()).await?;
        let changes = raws
            .iter()
            .map(|raw| {
                user(raw).map_or_else(
                    |unreadable| unreadable.into_change(Kind::User),
                    Change::Upserted,
                )
            })
            .collect();
        let next = match after {
            Some(after) if Some(&after) == page.after.as_ref() => {
                return Err(stuck("listing owners"));
            }
            Some(after) => Some(OwnersPage {
                archived: page.archived,
                after: Some(after),
            }),
            None if page.archived => None,
            None => Some(OwnersPage {
                archived: true,
                after: None,
            }),
        };
        let more = next.is_some();
        let position = Owners {
            version: OWNERS_VERSION,
            page: next,
            read_at: began,
        };
        Ok(Page {
            changes,
            next: Cursor::seal(&position),
            more,
        })
    }
}

const OWNERS_VERSION: u8 = 1;

/// How far the owners have been read.
#[derive(Debug, Serialize, Deserialize)]
struct Owners {
    version: u8,
    /// The next page; none between two readings.
    page: Option<OwnersPage>,
    /// When the reading began.
    read_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwnersPage {
    /// First those who own, then those who no longer may.
    archived: bool,
    after: Option<String>,
}

impl OwnersPage {
    fn first() -> Self {
        OwnersPage {
            archived: false,
            after: None,
        }
    }
}

fn no_id() -> Unreadable {
    Unreadable {
        id: None,
        reason: "it has no usable id".to_owned(),
    }
}

fn stuck(doing: &str) -> ConnectorError {
    ConnectorError::Protocol {
        doing: doing.to_owned(),
        detail: "the next page is the same page again".to_owned(),
    }
}

#[cfg(test)]
mod tests;
