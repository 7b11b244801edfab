//! Queries and their pages, and the two lists of changed and deleted ids.

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    ids, parse,
    schema::Object,
    soql::{self, Plan, Scope},
    view::{seconds, shown_time},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// Longer queries are refused.
const LONGEST: usize = 100_000;
/// `updated` looks back no further.
const REPLICATION_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);
/// `updated` lists no more ids.
const MOST_IDS: usize = 600_000;

/// The rest of a query's answer.
#[derive(Clone, Debug)]
pub(super) struct Locator {
    plan: Arc<Plan>,
    ids: Arc<Vec<String>>,
    size: usize,
    made: Timestamp,
}

impl Salesforce {
    /// Reads and checks a query.
    pub(super) fn plan(&self, text: &str, now: Timestamp) -> Result<Plan, Failure> {
        if text.len() > LONGEST {
            let message = format!("SOQL statements cannot be longer than {LONGEST} characters.");
            return Err(Failure::new("MALFORMED_QUERY", message));
        }
        let select = soql::parse(text)?;
        Ok(soql::bind(text, &select, self.view(now))?)
    }

    /// `GET /query?q=` and `GET /queryAll?q=`
    pub(super) fn query(
        &mut self,
        call: &Call,
        scope: Scope,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let text = call.parameter("q").unwrap_or_default();
        let plan = self.plan(text, now)?;
        let rows = plan.rows(self.view(now), scope);
        if plan.counts {
            return Ok(Reply::json(
                200,
                json!({"totalSize": rows.len(), "done": true, "records": []}),
            ));
        }
        let size = call
            .header("sforce-query-options")
            .and_then(|options| {
                options
                    .split(',')
                    .find_map(|option| option.trim().strip_prefix("batchSize="))
            })
            .and_then(|size| size.trim().parse::<usize>().ok())
            .map_or(self.settings.page_size, |size| {
                size.clamp(200, 2_000).min(self.settings.page_size)
            });
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let locator = Locator {
            plan: Arc::new(plan),
            ids: Arc::new(ids),
            size: size.max(1),
            made: now,
        };
        let name = if locator.ids.len() > locator.size {
            let name = ids::id("01g", self.world.next("locator"));
            self.locators.insert(name.clone(), locator.clone());
            name
        } else {
            String::new()
        };
        Ok(self.page(&locator, &name, 0, caller, now))
    }

    /// `GET /query/{locator}-{offset}`
    pub(super) fn query_more(
        &mut self,
        locator: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let life = self.settings.locator_life;
        self.locators
            .retain(|_, locator| now.duration_since(locator.made) < life);
        let lost = || Failure::new("INVALID_QUERY_LOCATOR", "invalid query locator");
        let (name, offset) = locator.rsplit_once('-').ok_or_else(lost)?;
        let offset: usize = offset.parse().map_err(|_| lost())?;
        let locator = self.locators.get(name).cloned().ok_or_else(lost)?;
        if offset > locator.ids.len() {
            return Err(lost());
        }
        Ok(self.page(&locator, name, offset, caller, now))
    }

    fn page(
        &self,
        locator: &Locator,
        name: &str,
        offset: usize,
        caller: &Caller,
        now: Timestamp,
    ) -> Reply {
        let view = self.view(now);
        let end = (offset + locator.size).min(locator.ids.len());
        let table = self.world.table(locator.plan.object.name);
        let records: Vec<Value> = locator.ids[offset..end]
            .iter()
            .filter_map(|id| table.get(id))
            .map(|row| locator.plan.record(view, row, &caller.base))
            .collect();
        let done = end == locator.ids.len();
        let mut body = json!({"totalSize": locator.ids.len(), "done": done, "records": records});
        if let (false, Some(body)) = (done, body.as_object_mut()) {
            body.insert(
                "nextRecordsUrl".to_owned(),
                json!(format!("{}/query/{name}-{end}", caller.base)),
            );
        }
        Reply::json(200, body)
    }

    /// `GET /sobjects/{object}/updated`
    pub(super) fn updated(
        &self,
        call: &Call,
        object: &'static Object,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let (start, end) = window(call, now)?;
        let view = self.view(now);
        let ids: Vec<&str> = self
            .world
            .table(object.name)
            .modified_since(start)
            .filter(|row| row.is_live() && (start..=end).contains(&view.stamp(row)))
            .map(|row| row.id.as_str())
            .collect();
        if ids.len() > MOST_IDS {
            return Err(Failure::new(
                "EXCEEDED_ID_LIMIT",
                "too many ids; choose a shorter time",
            ));
        }
        // A transaction may still be under way that started before now; its rows will carry its start.
        let safe = now.checked_sub(self.settings.commit_lag).unwrap_or(now);
        let covered = shown_time(seconds(end.min(safe)));
        Ok(Reply::json(
            200,
            json!({"ids": ids, "latestDateCovered": covered}),
        ))
    }

    /// `GET /sobjects/{object}/deleted`
    pub(super) fn deleted(
        &self,
        call: &Call,
        object: &'static Object,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let (start, end) = window(call, now)?;
        let kept = now
            .checked_sub(self.settings.delete_log)
            .unwrap_or(Timestamp::MIN);
        let kept = self
            .delete_log_trimmed
            .map_or(kept, |trimmed| kept.max(trimmed));
        let records: Vec<Value> = self
            .world
            .table(object.name)
            .rows()
            .filter_map(|row| Some((row, row.deleted?)))
            .filter(|(_, deleted)| *deleted >= kept && (start..=end).contains(&seconds(*deleted)))
            .map(|(row, deleted)| json!({"id": row.id, "deletedDate": shown_time(deleted)}))
            .collect();
        Ok(Reply::json(
            200,
            json!({
                "deletedRecords": records,
                "earliestDateAvailable": shown_time(kept),
                "latestDateCovered": shown_time(end.min(now)),
            }),
        ))
    }
}

/// The time between `start` and `end`; both count in whole minutes.
fn window(call: &Call, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
    let bound = |name: &str| -> Result<Timestamp, Failure> {
        let text = call.parameter(name).unwrap_or_default();
        let time = parse::time(text).ok_or_else(|| {
            Failure::new(
                "INVALID_REPLICATION_DATE",
                format!("{name} is not a date and time: {text}"),
            )
        })?;
        Ok(Timestamp::from_second(time.as_second().div_euclid(60) * 60).unwrap_or(time))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if start >= end {
        return Err(Failure::new(
            "INVALID_REPLICATION_DATE",
            "startDate should be before endDate",
        ));
    }
    if now.duration_since(start) > REPLICATION_WINDOW {
        return Err(Failure::new(
            "INVALID_REPLICATION_DATE",
            "startDate cannot be more than 30 days ago",
        ));
    }
    Ok((start, end))
}
