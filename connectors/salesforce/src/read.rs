//! Reading a stream: one `queryAll` per page of a window.

use crate::{
    api::{Failure, Rows, Scope},
    connection::Connection,
    plan::{Plan, Row},
    position::{Position, Window},
    soql,
};
use contract::{Change, ConnectorError, Cursor, Id, Kind, Known, Page, Request};
use jiff::Timestamp;
use std::collections::BTreeSet;

const DOING: &str = "reading changes";

/// How often a query is asked anew after a field turned out to be hidden.
const ATTEMPTS: usize = 4;

impl Connection {
    pub(crate) async fn next_page(&self, request: &Request<'_>) -> Result<Page, ConnectorError> {
        let kind = request.kind;
        let position = Position::of(request.from)?;
        let mut plan = self.plan(kind).await?;
        let mut window = None;
        if let Some(open) = &position.open {
            window = Some(open.window.rest(open.reached));
            // A page of another version's query is not followed: that version may be retired by
            // now.
            if open.next.starts_with(&self.api.data("query")) {
                match self.api.page(&open.next, DOING).await {
                    Ok(rows) => {
                        return self
                            .judge_page(request, &position, plan, open.window, rows)
                            .await;
                    }
                    Err(failure) if is_lost(&failure) => {
                        tracing::info!(%kind, "the page has expired; the window is taken up again")
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
        }
        let fresh = || {
            position.window(
                self.api.session.server_now(),
                self.settings.settle,
                self.settings.overlap,
            )
        };
        let Some(window) = window.or_else(fresh) else {
            return Ok(Page {
                changes: Vec::new(),
                next: request.from.clone(),
                more: false,
            });
        };
        for _ in 0..ATTEMPTS {
            match self
                .api
                .query(&windowed(&plan, window), Scope::All, request.at_most, DOING)
                .await
            {
                Ok(rows) => {
                    return self
                        .judge_page(request, &position, plan, window, rows)
                        .await;
                }
                Err(failure) => {
                    if !self.learn(kind, &failure).await? {
                        return Err(failure.into());
                    }
                    plan = self.plan(kind).await?;
                }
            }
        }
        Err(ConnectorError::Refused {
            doing: DOING.to_owned(),
            detail: format!(
                "Salesforce refuses fields of {} that it describes; check field-level security",
                plan.object
            ),
        })
    }

    async fn judge_page(
        &self,
        request: &Request<'_>,
        position: &Position,
        plan: Plan,
        mut window: Window,
        rows: Rows,
    ) -> Result<Page, ConnectorError> {
        // Nothing beyond the settled past of the server's own clock counts as read, whatever our
        // clock said.
        if let Some(settled) = rows
            .date
            .and_then(|date| date.checked_sub(self.settings.settle).ok())
        {
            window.until = window.until.min(settled);
        }
        let plan = self.fitting(plan, &rows.records).await?;
        let mut changes = Vec::new();
        let mut winners = BTreeSet::new();
        let mut reached = position.open.as_ref().and_then(|open| open.reached);
        for json in &rows.records {
            match plan.row(json, window.until) {
                Ok(row) => {
                    if plan.stamp.is_some() {
                        reached = reached.max(Some(row.record.modified));
                    }
                    if plan.stamp.is_none() || is_news(&row, position, request.known) {
                        winners.extend(row.winner.clone().filter(|_| row.deleted));
                        changes.push(change(row));
                    }
                }
                Err(unreadable) => {
                    changes.push(Change::Unreadable {
                        kind: plan.kind,
                        id: unreadable.id,
                        reason: unreadable.reason,
                    });
                }
            }
        }
        changes.extend(self.moved_children(plan.kind, &winners).await?);
        let more = rows.next.is_some();
        let next = match rows.next {
            Some(next) => position.within(window, next, reached),
            None => position.behind(window),
        };
        Ok(Page {
            changes,
            next: Cursor::seal(&next),
            more,
        })
    }

    /// What hangs on the winners of merges. Salesforce re-parents the losers' children without a
    /// trigger, so that they may not show up as changed.
    async fn moved_children(
        &self,
        kind: Kind,
        winners: &BTreeSet<Id>,
    ) -> Result<Vec<Change>, ConnectorError> {
        let children: &[(Kind, &str)] = match kind {
            Kind::Account => &[
                (Kind::Contact, "AccountId"),
                (Kind::Opportunity, "AccountId"),
            ],
            Kind::Contact => &[(Kind::Role, "ContactId")],
            _ => &[],
        };
        let mut changes = Vec::new();
        if winners.is_empty() {
            return Ok(changes);
        }
        for (child, reference) in children {
            let ids = winners.iter().map(|id| id.0.as_str()).collect();
            let found = match self.matching(*child, reference, ids).await {
                // Where children are not visible at all, the merge itself must still be told.
                Err(ConnectorError::Refused { detail, .. }) => {
                    tracing::warn!(%child, detail, "the children of merged records cannot be read");
                    continue;
                }
                found => found?,
            };
            changes.extend(found.into_iter().map(Change::Upserted));
        }
        Ok(changes)
    }
}

/// The query of a window. An object without a stamp is read whole.
fn windowed(plan: &Plan, window: Window) -> String {
    let mut conditions = Vec::new();
    if let Some(stamp) = &plan.stamp {
        conditions.extend(
            window
                .from
                .map(|from| format!("{stamp} >= {}", soql::time(from))),
        );
        // The first look takes in everything that is there: a row touched a moment ago must not seem
        // absent. It counts as read up to the settled past all the same.
        if window.from.is_some() {
            conditions.push(format!("{stamp} < {}", soql::time(window.until)));
        }
    }
    // What was deleted before the first look was never known to us.
    if window.from.is_none() && plan.deleted {
        conditions.push("IsDeleted = false".to_owned());
    }
    let wherever = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let order = plan
        .stamp
        .as_ref()
        .map_or("Id".to_owned(), |stamp| format!("{stamp},Id"));
    format!("{}{wherever} ORDER BY {order}", plan.select())
}

/// Whether a row must be told.
///
/// | stamp | row | told |
/// |---|---|---|
/// | not read before | any | always: an equal stamp may hide a second change within the second |
/// | in the overlap | living | unless it is known with this stamp or a later one |
/// | in the overlap | deleted | if it is still known |
fn is_news(row: &Row, position: &Position, known: &dyn Known) -> bool {
    let stamp = row.record.modified;
    if !position.has_told(stamp) {
        return true;
    }
    let modified: Option<Timestamp> = known.modified(row.record.kind, &row.record.id);
    if row.deleted {
        modified.is_some()
    } else {
        modified.is_none_or(|modified| modified < stamp)
    }
}

fn change(row: Row) -> Change {
    let kind = row.record.kind;
    match (row.deleted, row.winner) {
        (false, _) => Change::Upserted(row.record),
        (true, Some(winner)) => Change::Merged {
            kind,
            loser: row.record.id,
            winner,
        },
        (true, None) => Change::Deleted {
            kind,
            id: row.record.id,
        },
    }
}

fn is_lost(failure: &Failure) -> bool {
    ["INVALID_QUERY_LOCATOR", "INVALID_FIELD", "NOT_FOUND"]
        .iter()
        .any(|code| failure.is(code))
}
