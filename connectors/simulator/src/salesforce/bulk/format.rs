use crate::{
    salesforce::{
        Failure,
        call::Call,
        soql::{Output, Plan},
        view::View,
    },
    world::Row,
};
use serde_json::{Map, Value, json};

/// A job's description: the body, or the first part of a multipart body whose second part is the data.
pub(super) fn job_body(call: &Call) -> Result<(Map<String, Value>, Option<String>), Failure> {
    let boundary = call
        .header("content-type")
        .filter(|kind| kind.starts_with("multipart/"))
        .and_then(|kind| kind.split("boundary=").nth(1))
        .map(|boundary| boundary.trim_matches('"').to_owned());
    let Some(boundary) = boundary else {
        return Ok((call.object()?, None));
    };
    let text = String::from_utf8_lossy(&call.body).into_owned();
    let separator = format!("--{boundary}");
    let mut contents = text.split(&separator).filter_map(|part| {
        let (_, content) = part
            .split_once("\r\n\r\n")
            .or_else(|| part.split_once("\n\n"))?;
        Some(content.trim_end_matches(['\r', '\n']).to_owned())
    });
    let description = contents.next().unwrap_or_default();
    let description = serde_json::from_str(&description)
        .map_err(|error| Failure::new("JSON_PARSER_ERROR", error.to_string()))?;
    Ok((description, contents.next()))
}

/// A row of a CSV as a record: an empty cell says nothing, `#N/A` clears, a dotted column names a parent.
pub(super) fn record(header: &[String], row: &[String]) -> Map<String, Value> {
    let mut record = Map::new();
    for (name, cell) in header.iter().zip(row) {
        if cell.is_empty() {
            continue;
        }
        let value = if cell == "#N/A" {
            Value::Null
        } else {
            json!(cell)
        };
        match name.split_once('.') {
            Some((parent, field)) => record.insert(parent.to_owned(), json!({field: value})),
            None => record.insert(name.clone(), value),
        };
    }
    record
}

pub(super) fn columns(plan: &Plan) -> Vec<String> {
    let name = |output: &Output| match output {
        Output::Field(path) => {
            let hops = path.hops.iter().map(|hop| hop.relationship);
            hops.chain([path.leaf.name]).collect::<Vec<_>>().join(".")
        }
        Output::Child(child, _) => child.relationship.to_owned(),
    };
    plan.outputs.iter().map(name).collect()
}

pub(super) fn cells<'w>(plan: &Plan, view: View<'w>, row: &'w Row) -> Vec<String> {
    plan.outputs
        .iter()
        .map(|output| match output {
            Output::Field(path) => path.cell(view, row).text(),
            Output::Child(..) => String::new(),
        })
        .collect()
}

pub(super) fn written(header: &[String], rows: &[Vec<String>]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    let mut good = writer.write_record(header).is_ok();
    for row in rows {
        good &= writer.write_record(row).is_ok();
    }
    let bytes = writer.into_inner().unwrap_or_default();
    debug_assert!(good, "writing to memory does not fail");
    String::from_utf8(bytes).unwrap_or_default()
}
