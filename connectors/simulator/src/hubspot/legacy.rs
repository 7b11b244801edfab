//! What older published clients still ask of the first generations: companies v2, deals v1 and their properties.
//!
//! Values come with the time and the source of their last change instead of as plain text.

use super::{
    HubSpot, infer,
    record::View,
    request::{Answer, Call, Problem, Reply, parse_time},
    schema::{Object, Property},
};
use crate::world::{Actor, Row};
use http::Method;
use serde_json::{Map, Value, json};

impl HubSpot {
    /// `/companies/v2/…`, `/deals/v1/…`, `/properties/v1/…`. Reading only.
    pub(super) fn legacy(&mut self, call: &Call<'_>, segments: &[&str]) -> Answer {
        if call.method != Method::GET {
            return Err(Problem::no_route());
        }
        match segments {
            ["companies", "v2", "properties"] => Ok(self.legacy_properties(Object::Company)),
            ["properties", "v1", name, "properties"] => Ok(self.legacy_properties(infer(name)?)),
            ["companies", "v2", "companies", "paged"] => self.legacy_page(call, Object::Company),
            ["companies", "v2", "companies", id] => self.legacy_one(Object::Company, id),
            ["deals", "v1", "deal", "paged"] => self.legacy_page(call, Object::Deal),
            ["deals", "v1", "deal", id] => self.legacy_one(Object::Deal, id),
            ["deals", "v1", "pipelines"] => {
                let pipelines = self.pipelines[&Object::Deal].iter().map(|pipeline| {
                    let stages: Vec<Value> = pipeline
                        .stages
                        .iter()
                        .enumerate()
                        .map(|(place, stage)| {
                            json!({
                                "stageId": stage.id,
                                "label": stage.label,
                                "displayOrder": place,
                                "active": true,
                                "probability": stage.probability.parse::<f64>().unwrap_or_default(),
                                "closedWon": stage.probability == "1.0",
                            })
                        })
                        .collect();
                    json!({
                        "pipelineId": pipeline.id, "label": pipeline.label, "displayOrder": 0, "active": true, "stages": stages,
                    })
                });
                Ok(Reply::ok(pipelines.collect()))
            }
            _ => Err(Problem::no_route()),
        }
    }

    fn legacy_properties(&self, object: Object) -> Reply {
        Reply::ok(
            self.properties[&object]
                .values()
                .map(Property::json)
                .collect(),
        )
    }

    fn legacy_one(&self, object: Object, id: &str) -> Answer {
        let row = self.lookup(object, id).ok_or_else(Problem::not_found)?;
        Ok(Reply::ok(self.legacy_record(object, row, None)))
    }

    fn legacy_page(&self, call: &Call<'_>, object: Object) -> Answer {
        let limit = call.limit(100, 250)?;
        let wanted = call.list("properties");
        let wanted = if call.flag("includeAllProperties") {
            None
        } else {
            Some(wanted.as_slice())
        };
        let mut rows = self
            .world
            .table(object.table())
            .after(call.query("offset").unwrap_or_default())
            .filter(|row| row.is_live());
        let page: Vec<&Row> = rows.by_ref().take(limit).collect();
        let offset = page
            .last()
            .and_then(|row| row.id.parse::<u64>().ok())
            .unwrap_or_default();
        let more = if object == Object::Deal {
            "hasMore"
        } else {
            "has-more"
        };
        Ok(Reply::ok(json!({
            object.table(): page.iter().map(|row| self.legacy_record(object, row, wanted)).collect::<Vec<_>>(),
            more: rows.next().is_some(),
            "offset": offset,
        })))
    }

    fn legacy_record(&self, object: Object, row: &Row, wanted: Option<&[String]>) -> Value {
        let number = |id: &str| id.parse::<u64>().unwrap_or_default();
        let view = View::now(row);
        let names = self.properties[&object]
            .keys()
            .filter(|name| wanted.is_none_or(|wanted| wanted.contains(name)));
        let properties: Map<String, Value> = names
            .filter_map(|name| {
                let value = view.property(object, name)?;
                let last = row.history.iter().rev().find(|change| change.field == *name);
                let at = last.map_or(view.modified, |change| change.at);
                let source = match last.map(|change| change.actor) {
                    Some(Actor::Person) => "CRM_UI",
                    Some(Actor::Integration) => "API",
                    Some(Actor::System) | None => "CALCULATED",
                };
                // Times are epoch milliseconds in these generations.
                let is_time = self.properties[&object][name].kind == "datetime";
                let value = match parse_time(&value).filter(|_| is_time) {
                    Some(at) => at.as_millisecond().to_string(),
                    None => value.into_owned(),
                };
                let at = at.as_millisecond();
                let version = json!({ "name": name, "value": value, "timestamp": at, "source": source, "sourceVid": [] });
                Some((name.clone(), json!({ "value": value, "timestamp": at, "source": source, "sourceId": null, "versions": [version] })))
            })
            .collect();
        let mut json =
            json!({ "portalId": self.knobs.portal, "isDeleted": false, "properties": properties });
        match object {
            Object::Deal => {
                let ids = |to| {
                    self.associations
                        .of(object, &row.id, to)
                        .map(|(id, _)| number(id))
                        .collect::<Vec<_>>()
                };
                json["dealId"] = number(&row.id).into();
                json["associations"] = json!({
                    "associatedVids": ids(Object::Contact),
                    "associatedCompanyIds": ids(Object::Company),
                    "associatedDealIds": [],
                });
            }
            _ => json["companyId"] = number(&row.id).into(),
        }
        json
    }
}
