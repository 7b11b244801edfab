//! What the portal tells about itself: properties, pipelines, owners, the account and its usage.

use super::{
    HubSpot,
    request::{Answer, Call, Problem, Reply, iso},
    schema::{Object, Pipeline, Property},
};
use crate::world::Row;
use http::Method;
use jiff::{ToSpan, tz::TimeZone};
use serde_json::{Value, json};

impl HubSpot {
    /// `/crm/properties/{version}/{type}/…`.
    pub(super) fn properties_of(
        &mut self,
        call: &Call<'_>,
        object: Object,
        rest: &[&str],
    ) -> Answer {
        let held = self.properties.entry(object).or_default();
        let unknown = |name: &str| {
            Problem::new(
                404,
                "OBJECT_NOT_FOUND",
                format!("property {name} does not exist"),
            )
        };
        match (call.method, rest) {
            (&Method::GET, []) => {
                let results: Vec<Value> = match call.flag("archived") {
                    true => Vec::new(),
                    false => held.values().map(Property::json).collect(),
                };
                Ok(Reply::ok(json!({ "results": results })))
            }
            (&Method::POST, []) => {
                let property = Property::from_json(&call.json()?).map_err(Problem::invalid)?;
                if held.contains_key(&property.name) {
                    return Err(Problem::new(
                        409,
                        "CONFLICT",
                        format!("a property named {} already exists", property.name),
                    ));
                }
                let json = property.json();
                let (name, unique) = (property.name.clone(), property.unique);
                held.insert(name.clone(), property);
                if unique {
                    self.world.index(object.table(), &name);
                }
                Ok(Reply::created(json))
            }
            (&Method::POST, ["batch", "read"]) => {
                let inputs = super::associations::inputs(call, 100)?;
                let named = inputs
                    .iter()
                    .filter_map(|input| held.get(input["name"].as_str()?));
                let results = named.map(Property::json).collect();
                Ok(Reply::ok(super::associations::batch(results, call.now)))
            }
            (&Method::GET, [name]) => Ok(Reply::ok(
                held.get(*name).ok_or_else(|| unknown(name))?.json(),
            )),
            (&Method::PATCH, [name]) => {
                let property = held.get_mut(*name).ok_or_else(|| unknown(name))?;
                let mut json = property.json();
                for (key, value) in call.json()?.as_object().into_iter().flatten() {
                    // Uniqueness is settled when a property is made.
                    if key != "hasUniqueValue" && key != "name" {
                        json[key] = value.clone();
                    }
                }
                let custom = property.custom;
                *property = Property {
                    custom,
                    ..Property::from_json(&json).map_err(Problem::invalid)?
                };
                Ok(Reply::ok(property.json()))
            }
            (&Method::DELETE, [name]) => match held.get(*name) {
                Some(property) if property.custom => {
                    held.remove(*name);
                    Ok(Reply::nothing())
                }
                Some(_) => Err(Problem::invalid(format!(
                    "{name} is HubSpot's own and cannot be archived"
                ))),
                None => Err(unknown(name)),
            },
            _ => Err(Problem::no_route()),
        }
    }

    /// `/crm/pipelines/{version}/{type}/…`.
    pub(super) fn pipelines_of(
        &mut self,
        call: &Call<'_>,
        object: Object,
        rest: &[&str],
    ) -> Answer {
        let held = self
            .pipelines
            .get(&object)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let find = |id: &str| {
            held.iter()
                .find(|pipeline| pipeline.id == id)
                .ok_or_else(Problem::not_found)
        };
        match (call.method, rest) {
            (&Method::GET, []) => Ok(Reply::ok(
                json!({ "results": held.iter().map(pipeline).collect::<Vec<_>>() }),
            )),
            (&Method::GET, [id]) => Ok(Reply::ok(pipeline(find(id)?))),
            (&Method::GET, [id, "stages"]) => Ok(Reply::ok(
                json!({ "results": pipeline(find(id)?)["stages"] }),
            )),
            _ => Err(Problem::no_route()),
        }
    }

    /// `/crm/owners/{version}/…`.
    pub(super) fn owners(&mut self, call: &Call<'_>, rest: &[&str]) -> Answer {
        let table = self.world.table("owners");
        match (call.method, rest) {
            (&Method::GET, []) => {
                let limit = call.limit(100, 500)?;
                let archived = call.flag("archived");
                let email = call.query("email").map(str::to_lowercase);
                let shows = |row: &&Row| {
                    is_archived(row) == archived
                        && email.as_ref().is_none_or(|email| {
                            row.field("email")
                                .is_some_and(|held| held.to_lowercase() == *email)
                        })
                };
                let mut rows = table
                    .after(call.query("after").unwrap_or_default())
                    .filter(shows);
                let page: Vec<&Row> = rows.by_ref().take(limit).collect();
                let mut body =
                    json!({ "results": page.iter().map(|row| owner(row)).collect::<Vec<_>>() });
                if let (Some(last), Some(_)) = (page.last(), rows.next()) {
                    body["paging"] = json!({ "next": { "after": last.id } });
                }
                Ok(Reply::ok(body))
            }
            (&Method::GET, [id]) => {
                let row = match call.query("idProperty") {
                    Some("userId") => table.rows().find(|row| user_id(row) == id.parse().ok()),
                    _ => table.get(id),
                };
                let row = row
                    .filter(|row| is_archived(row) == call.flag("archived"))
                    .ok_or_else(Problem::not_found)?;
                Ok(Reply::ok(owner(row)))
            }
            _ => Err(Problem::no_route()),
        }
    }

    /// `/account-info/{version}/…`.
    pub(super) fn account_info(&mut self, call: &Call<'_>, rest: &[&str]) -> Answer {
        let zone = &self.knobs.zone;
        match (call.method, rest) {
            (&Method::GET, ["details"]) => {
                let offset = zone.to_offset(call.now).seconds();
                let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
                Ok(Reply::ok(json!({
                    "portalId": self.knobs.portal,
                    "accountType": "STANDARD",
                    "timeZone": zone_name(zone),
                    "companyCurrency": self.knobs.currency,
                    "additionalCurrencies": [],
                    "utcOffset": format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
                    "utcOffsetMilliseconds": i64::from(offset) * 1000,
                    "uiDomain": "app.hubspot.com",
                    "dataHostingLocation": "na1",
                })))
            }
            (&Method::GET, ["api-usage", "daily", "private-apps"]) => {
                let midnight = call.now.to_zoned(zone.clone()).date().checked_add(1.day());
                let midnight = midnight
                    .and_then(|day| day.to_zoned(zone.clone()))
                    .map(|day| day.timestamp());
                Ok(Reply::ok(json!({ "results": [{
                    "name": "private-apps-api-calls-daily",
                    "usageLimit": self.knobs.daily,
                    "currentUsage": self.limits.today,
                    "collectedAt": iso(call.now),
                    "fetchStatus": "SUCCESS",
                    "resetsAt": iso(midnight.unwrap_or(call.now)),
                }] })))
            }
            _ => Err(Problem::no_route()),
        }
    }
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

fn pipeline(pipeline: &Pipeline) -> Value {
    const EPOCH: &str = "1970-01-01T00:00:00.000Z";
    let stages: Vec<Value> = pipeline
        .stages
        .iter()
        .enumerate()
        .map(|(place, stage)| {
            json!({
                "id": stage.id,
                "label": stage.label,
                "displayOrder": place,
                "metadata": { "isClosed": stage.closed.to_string(), "probability": stage.probability },
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                "archived": false,
                "createdAt": EPOCH,
                "updatedAt": EPOCH,
            })
        })
        .collect();
    json!({
        "id": pipeline.id, "label": pipeline.label, "displayOrder": 0, "stages": stages,
        "archived": false, "createdAt": EPOCH, "updatedAt": EPOCH,
    })
}

fn is_archived(row: &Row) -> bool {
    !row.is_live() || row.field("active") == Some("false")
}

/// The user's id is another number than the owner's.
pub(super) fn user_id(row: &Row) -> Option<u64> {
    let given = row.field("userId").and_then(|id| id.parse().ok());
    given.or_else(|| row.id.parse::<u64>().ok().map(|id| id + 5_000_000))
}

/// Given and family name.
pub(super) fn names(row: &Row) -> (&str, &str) {
    let name = row.field("name").unwrap_or_default();
    name.rsplit_once(' ').unwrap_or((name, ""))
}

fn owner(row: &Row) -> Value {
    let (first, last) = names(row);
    let archived = is_archived(row);
    json!({
        "id": row.id,
        "email": row.field("email"),
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": if archived { Value::Null } else { user_id(row).into() },
        "userIdIncludingInactive": user_id(row),
        "createdAt": iso(row.created),
        "updatedAt": iso(row.modified),
        "archived": archived,
        "teams": [],
    })
}
