//! Who are we, what may we do, what is missing; and the contact's fields as HubSpot describes them.

use crate::{
    connector::{Portal, unsupported},
    mapping::{Mapping, OPT_OUT, field_type},
    problem::Problem,
    reply::{refused, results},
    wire::{entry, lenient},
};
use contract::{ConnectorError, FieldInfo, FieldType, Finding, Kind, Probe, Severity, field};
use kit::{Answer, Call};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The longest single-line text that HubSpot holds.
const LONGEST_TEXT: usize = 65_536;

/// Properties that HubSpot's own sync with Salesforce adds.
const NATIVE_SYNC: [&str; 3] = [
    "salesforcecontactid",
    "salesforceleadid",
    "salesforceaccountid",
];

impl Portal {
    /// Looks at the account, with four calls and no change.
    pub(crate) async fn examine(&self) -> Result<Probe, ConnectorError> {
        let mut findings = Vec::new();
        let doing = "reading the account's details";
        let path = format!("/account-info/{}/details", self.version);
        let account = match self.ask(Call::get(path).doing(doing)).await? {
            Ok(answer) => answer.json::<Details>(doing)?.name(),
            Err(problem) => {
                findings.push(denied(&problem, doing, Severity::Warning)?);
                "unknown portal".to_owned()
            }
        };
        let doing = "reading contacts";
        if let Err(problem) = self
            .ask(
                Call::get(self.objects("contacts", ""))
                    .query("limit", "1")
                    .doing(doing),
            )
            .await?
        {
            findings.push(denied(&problem, doing, Severity::Error)?);
        }
        let doing = "reading owners";
        let owners = Call::get(format!("/crm/owners/{}", self.version))
            .query("limit", "1")
            .doing(doing);
        if let Err(problem) = self.ask(owners).await? {
            findings.push(denied(&problem, doing, Severity::Warning)?);
        }
        match self.properties().await? {
            Ok(properties) => self.compare(&properties, &mut findings),
            Err(problem) => findings.push(denied(
                &problem,
                "reading the contact properties",
                Severity::Warning,
            )?),
        }
        Ok(Probe {
            account,
            user: self.user.clone(),
            findings,
        })
    }

    /// The fields of a kind.
    pub(crate) async fn fields_of(&self, kind: Kind) -> Result<Vec<FieldInfo>, ConnectorError> {
        match kind {
            Kind::Lead => {
                let properties = self
                    .properties()
                    .await?
                    .map_err(|problem| refused(&problem, "reading the contact properties"))?;
                Ok(properties
                    .iter()
                    .map(|property| property.describe(&self.mapping))
                    .collect())
            }
            Kind::User => {
                let plain = |name: &str| read_only(name, field_type(name));
                Ok([
                    field::EMAIL,
                    field::NAME,
                    field::FIRST_NAME,
                    field::LAST_NAME,
                    field::ACTIVE,
                ]
                .map(plain)
                .into())
            }
            Kind::Note => Ok([field::SUBJECT, field::BODY, field::KEY]
                .map(|name| FieldInfo {
                    writable: true,
                    required: true,
                    native: "hs_note_body".to_owned(),
                    ..read_only(name, FieldType::Text)
                })
                .into()),
            kind => Err(unsupported("describing fields", kind)),
        }
    }

    async fn properties(&self) -> Result<Result<Vec<Property>, Problem>, ConnectorError> {
        let doing = "reading the contact properties";
        let call = Call::get(format!("/crm/properties/{}/contacts", self.version))
            .query("archived", "false")
            .doing(doing);
        let answer = match self.ask(call).await? {
            Ok(answer) => answer,
            Err(problem) => return Ok(Err(problem)),
        };
        // A property that cannot be read is as good as absent.
        Ok(Ok(results(&answer, doing)?
            .results
            .iter()
            .filter_map(|raw| entry(raw).ok())
            .collect()))
    }

    /// An answer, or the problem that HubSpot tells in it.
    async fn ask(&self, call: Call) -> Result<Result<Answer, Problem>, ConnectorError> {
        let answer = self.session.call(call).await?;
        if (200..300).contains(&answer.status) {
            return Ok(Ok(answer));
        }
        Ok(Err(Problem::of_answer(answer.status, &answer.body)))
    }

    fn compare(&self, properties: &[Property], findings: &mut Vec<Finding>) {
        let by_name: BTreeMap<&str, &Property> = properties
            .iter()
            .map(|property| (property.name.as_str(), property))
            .collect();
        let mut find = |severity, what: String, remedy: String| {
            findings.push(Finding {
                severity,
                what,
                remedy,
            })
        };
        for name in [field::KEY].iter().chain(&field::FEEDBACK) {
            let property = self.mapping.native(name);
            let (wanted, kind) = wanted(name);
            match by_name.get(property) {
                None => find(
                    Severity::Warning,
                    format!(
                        "the contact property {property} is missing; {}",
                        consequence(name)
                    ),
                    format!("create a contact property with the internal name {property}, {kind}"),
                ),
                Some(found) if *name == field::KEY && !found.has_unique_value => find(
                    Severity::Warning,
                    format!(
                        "the contact property {property} does not keep its values unique; {}",
                        consequence(name)
                    ),
                    format!(
                        "delete {property} and create it again, {kind}: uniqueness cannot be changed later"
                    ),
                ),
                // Text takes anything; a picklist would refuse what is not in it, which describe tells.
                Some(found)
                    if ![wanted, "string", "enumeration"]
                        .contains(&found.property_type.as_str()) =>
                {
                    find(
                        Severity::Warning,
                        format!(
                            "the contact property {property} has the type {}, and {wanted} is written to it",
                            found.property_type
                        ),
                        format!(
                            "create another property, {kind}, and map it: fields = {{ {name} = \"…\" }}"
                        ),
                    )
                }
                Some(_) => {}
            }
        }
        for property in self
            .named
            .iter()
            .filter(|property| !by_name.contains_key(property.as_str()))
        {
            find(
                Severity::Warning,
                format!(
                    "the contact property {property}, which the connection or the agreement names, is missing or hidden from us"
                ),
                "create it, or correct the name: it is the internal one".to_owned(),
            );
        }
        if let Some(property) = NATIVE_SYNC
            .iter()
            .find(|property| by_name.contains_key(**property))
        {
            find(
                Severity::Warning,
                format!("HubSpot's own sync with Salesforce is or was installed (property {property})"),
                "switch it off for the fields and records that leadloop keeps in step: two syncs undo each other's work".to_owned(),
            );
        }
    }
}

/// The property's type that leadloop's own fields should have, in HubSpot's word and in people's.
fn wanted(name: &str) -> (&'static str, &'static str) {
    match name {
        field::KEY => ("string", "single-line text, with unique values required"),
        field::SALES_AMOUNT => ("number", "a number"),
        field::DISPOSITION_AT => ("datetime", "a date and time"),
        _ => ("string", "single-line text"),
    }
}

fn consequence(name: &str) -> &'static str {
    if name == field::KEY {
        "no lead can be created in HubSpot"
    } else {
        "sales' verdicts that are to go into it are refused"
    }
}

/// What a refusal means for the loop; a refusal for any other reason than a permission is an error of its own.
fn denied(problem: &Problem, doing: &str, severity: Severity) -> Result<Finding, ConnectorError> {
    if !problem.is_forbidden() {
        return Err(refused(problem, doing));
    }
    let scopes: Vec<&str> = problem.scopes.iter().map(String::as_str).collect();
    let remedy = if scopes.is_empty() {
        "grant the token the scope for it".to_owned()
    } else {
        format!("grant the token {}", scopes.join(", "))
    };
    Ok(Finding {
        severity,
        what: format!("{doing} is not permitted: {}", problem.words()),
        remedy,
    })
}

fn read_only(name: &str, field_type: FieldType) -> FieldInfo {
    FieldInfo {
        name: name.to_owned(),
        native: name.to_owned(),
        field_type,
        max_length: None,
        options: Vec::new(),
        restricted: false,
        required: false,
        writable: false,
        unique: false,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default, deserialize_with = "lenient")]
    portal_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    account_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    company_currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    time_zone: Option<String>,
}

impl Details {
    fn name(self) -> String {
        let portal = self.portal_id.unwrap_or_else(|| "without an id".to_owned());
        let more: Vec<String> = [self.account_type, self.company_currency, self.time_zone]
            .into_iter()
            .flatten()
            .collect();
        if more.is_empty() {
            format!("portal {portal}")
        } else {
            format!("portal {portal} ({})", more.join(", "))
        }
    }
}

/// A property's definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    #[serde(default, rename = "type")]
    property_type: String,
    #[serde(default)]
    options: Vec<PropertyOption>,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    external_options: bool,
    #[serde(default)]
    referenced_object_type: Option<String>,
    #[serde(default)]
    modification_metadata: Option<Modification>,
}

#[derive(Debug, Deserialize)]
struct PropertyOption {
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modification {
    #[serde(default)]
    read_only_value: bool,
}

impl Property {
    fn describe(&self, mapping: &Mapping) -> FieldInfo {
        let field_type = match self.property_type.as_str() {
            "bool" => FieldType::Bool,
            "number" => FieldType::Number,
            "datetime" => FieldType::Time,
            "date" => FieldType::Date,
            _ if self.referenced_object_type.is_some() => FieldType::Reference,
            "enumeration" => FieldType::Picklist,
            _ => FieldType::Text,
        };
        let kept = self.calculated
            || self
                .modification_metadata
                .as_ref()
                .is_some_and(|modification| modification.read_only_value);
        FieldInfo {
            name: mapping.canonical(&self.name).to_owned(),
            native: self.name.clone(),
            field_type,
            max_length: (field_type == FieldType::Text).then_some(LONGEST_TEXT),
            options: self
                .options
                .iter()
                .map(|option| option.value.clone())
                .collect(),
            restricted: field_type == FieldType::Picklist && !self.external_options,
            required: false,
            // An opt-out is written through the preferences of the address.
            writable: self.name == OPT_OUT || !(kept || Mapping::is_read_only(&self.name)),
            unique: self.has_unique_value || self.name == crate::mapping::EMAIL,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scripted::Script;
    use contract::{FieldType, Kind};
    use serde_json::{Value, json};

    fn property(name: &str, kind: &str, more: Value) -> Value {
        let mut property = json!({ "name": name, "label": name, "type": kind, "options": [] });
        property
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        property
    }

    fn properties() -> Value {
        json!({ "results": [
            property("email", "string", json!({})),
            property("hs_lead_status", "enumeration", json!({ "options": [{ "value": "NEW", "label": "New" }] })),
            property("hs_email_optout", "bool", json!({ "modificationMetadata": { "readOnlyValue": true } })),
            property("hs_analytics_source", "enumeration", json!({})),
            property("hubspot_owner_id", "enumeration", json!({ "referencedObjectType": "OWNER" })),
            property("leadloop_key", "string", json!({ "hasUniqueValue": false })),
            property("leadloop_disposition", "date", json!({})),
            property("salesforcecontactid", "string", json!({})),
        ] })
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_tells_what_is_missing_and_what_to_do() {
        let denied = json!({ "category": "MISSING_SCOPES", "message": "no", "errors": [{ "context": { "requiredGranularScopes": ["crm.objects.owners.read"] } }] });
        let script = Script::new(vec![
            (
                "account-info/2026-09/details",
                Some((200, json!({ "portalId": 424242, "companyCurrency": "EUR" }))),
            ),
            ("contacts?limit=1", Some((200, json!({ "results": [] })))),
            ("owners/2026-09?limit=1", Some((403, denied))),
            ("properties/2026-09/contacts", Some((200, properties()))),
        ]);
        let probe = script
            .connect("fields = { other_id = 'crm_number' }")
            .probe()
            .await
            .unwrap();
        assert_eq!(probe.account, "portal 424242 (EUR)");
        let told: String = probe
            .findings
            .iter()
            .map(|finding| format!("{}\n  {}\n", finding.what, finding.remedy))
            .collect();
        for part in [
            "grant the token crm.objects.owners.read",
            "leadloop_key does not keep its values unique",
            "the contact property leadloop_disposition has the type date",
            "the contact property leadloop_disposition_at is missing",
            "internal name leadloop_amount, a number",
            "the contact property crm_number, which the connection",
            "own sync with Salesforce",
        ] {
            assert!(told.contains(part), "{part} in:\n{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fields_are_described_by_canonical_name() {
        let script = Script::new(vec![(
            "properties/2026-09/contacts",
            Some((200, properties())),
        )]);
        let fields = script.connect("").describe(Kind::Lead).await.unwrap();
        let of = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!(
            (of("status").field_type, of("status").options.as_slice()),
            (FieldType::Picklist, ["NEW".to_owned()].as_slice())
        );
        assert_eq!(
            (
                of("lead_source").writable,
                of("opt_out").writable,
                of("email").writable
            ),
            (false, true, true)
        );
        assert_eq!(of("hubspot_owner_id").field_type, FieldType::Reference);
        assert!(of("email").unique);
    }
}
