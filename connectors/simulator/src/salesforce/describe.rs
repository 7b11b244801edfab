//! What the org says about its objects.

use super::{
    Caller, Failure, Salesforce,
    call::{Call, Reply},
    parse,
    rest::only,
    schema::{Field, Object, Type},
    sobjects::http_date,
    view::View,
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Salesforce {
    /// `GET /sobjects`
    pub(super) fn global_describe(&self, base: &str) -> Value {
        let objects: Vec<Value> = super::objects::ALL
            .iter()
            .map(|object| self.summary(object, base))
            .collect();
        json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
    }

    /// An object without its fields.
    pub(super) fn summary(&self, object: &Object, base: &str) -> Value {
        let url = format!("{base}/sobjects/{}", object.name);
        json!({
            "name": object.name,
            "label": object.label,
            "labelPlural": object.plural,
            "keyPrefix": object.prefix,
            "custom": false,
            "customSetting": false,
            "createable": object.writable,
            "updateable": object.writable,
            "deletable": object.writable,
            "undeletable": object.writable,
            "mergeable": object.mergeable,
            "queryable": true,
            "retrieveable": true,
            "replicateable": true,
            "searchable": object.writable,
            "layoutable": object.writable,
            "triggerable": object.writable,
            "activateable": false,
            "urls": {
                "sobject": url,
                "describe": format!("{url}/describe"),
                "rowTemplate": format!("{url}/{{ID}}"),
            },
        })
    }

    /// `GET /sobjects/{object}/describe`
    pub(super) fn describe(
        &self,
        call: &Call,
        object: &'static Object,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        only(&call.method, &[Method::GET, Method::HEAD])?;
        if call
            .date("if-modified-since")?
            .is_some_and(|since| self.described_at <= since)
        {
            return Ok(Reply::empty(304));
        }
        let view = self.view(now);
        let fields: Vec<Value> = view
            .fields(object)
            .map(|field| described(view, field))
            .collect();
        let children: Vec<Value> = object
            .children
            .iter()
            .map(|child| {
                json!({
                    "relationshipName": child.relationship,
                    "childSObject": child.object,
                    "field": child.field,
                    "cascadeDelete": false,
                    "deprecatedAndHidden": false,
                })
            })
            .collect();
        let mut body = self.summary(object, &caller.base);
        if let Some(body) = body.as_object_mut() {
            body.insert("fields".to_owned(), json!(fields));
            body.insert("childRelationships".to_owned(), json!(children));
            body.insert("recordTypeInfos".to_owned(), json!([]));
        }
        Ok(Reply::json(200, body).with("Last-Modified", http_date(self.described_at)))
    }
}

fn described(view: View<'_>, field: &Field) -> Value {
    let options = parse::options(view, field);
    let values: Vec<Value> = options
        .iter()
        .flatten()
        .map(|option| {
            let default = field.name == "Status"
                && view
                    .world
                    .table("LeadStatus")
                    .find("ApiName", option)
                    .first()
                    .is_some_and(|row| row.field("IsDefault") == Some("true"));
            json!({"value": option, "label": option, "active": true, "defaultValue": default, "validFor": null})
        })
        .collect();
    let text = matches!(
        field.kind,
        Type::Text | Type::TextArea | Type::Picklist | Type::Email | Type::Phone | Type::Url
    );
    let defaulted =
        field.kind == Type::Bool || matches!(field.name, "OwnerId" | "Status" | "Priority");
    json!({
        "name": field.name,
        "label": field.label,
        "type": field.kind.name(),
        "soapType": field.kind.soap_name(),
        "length": field.length,
        "byteLength": field.length * if text { 3 } else { 1 },
        "precision": if field.kind.is_number() { 18 } else { 0 },
        "scale": if field.kind == Type::Currency { 2 } else { 0 },
        "digits": 0,
        "custom": field.is_custom(),
        "createable": field.createable,
        "updateable": field.updateable,
        "nillable": !field.required && field.kind != Type::Bool && field.kind != Type::Id,
        "defaultedOnCreate": defaulted,
        "defaultValue": if field.kind == Type::Bool { json!(false) } else { Value::Null },
        "externalId": field.external_id,
        "unique": field.unique,
        "caseSensitive": false,
        "idLookup": field.id_lookup,
        "filterable": field.is_filterable(),
        "sortable": field.is_filterable(),
        "groupable": field.is_filterable(),
        "calculated": false,
        "autoNumber": false,
        "nameField": field.name == "Name",
        "permissionable": !field.required,
        "restrictedPicklist": view.settings.restricted_picklists && !values.is_empty(),
        "dependentPicklist": false,
        "picklistValues": values,
        "referenceTo": field.references,
        "relationshipName": if field.relationship.is_empty() { Value::Null } else { json!(field.relationship) },
        "polymorphicForeignKey": field.references.len() > 1,
        "inlineHelpText": null,
        "encrypted": false,
        "htmlFormatted": false,
        "compoundFieldName": null,
    })
}
