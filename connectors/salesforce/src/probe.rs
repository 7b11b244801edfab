//! Who are we, what may we do, what is missing.

use crate::{
    api::{Failure, Scope, tolerant},
    connection::Connection,
    mapping::Object,
    shape::Shape,
};
use contract::{ConnectorError, Finding, Kind, Probe, Severity, field};
use serde_json::Value as Json;

const DOING: &str = "looking around";

/// Fields that only Salesforce writes.
const READ_ONLY: [&str; 5] = [
    field::IS_CONVERTED,
    field::CREATED_AT,
    field::LAST_ACTIVITY_AT,
    field::IS_CLOSED,
    field::IS_WON,
];

/// Fields that the loop cannot do without: identity, the safety of creates, and sales' word that
/// somebody must not be mailed.
const NEEDED: [&str; 3] = [field::EMAIL, field::KEY, field::OPT_OUT];

impl Connection {
    pub(crate) async fn look_around(&self) -> Result<Probe, ConnectorError> {
        let mut findings = Vec::new();
        let account = self.account().await?;
        let user = self.user().await?;
        self.check_limits(&mut findings).await?;
        for kind in [
            Kind::Lead,
            Kind::Contact,
            Kind::Account,
            Kind::Opportunity,
            Kind::Role,
            Kind::User,
            Kind::Note,
        ] {
            self.forget_shape(kind).await;
            let object = self.mapping.object(kind);
            match self.shape(kind).await {
                Ok(shape) => check_fields(object, &shape, &self.mapping.key_field, &mut findings),
                Err(Failure::Refused(error, _)) => findings.push(Finding {
                    severity: if matches!(kind, Kind::Role | Kind::Note) {
                        Severity::Warning
                    } else {
                        Severity::Error
                    },
                    what: format!("{} is not visible: {error}", object.name),
                    remedy: format!("let the user read {}", object.name),
                }),
                Err(failure) => return Err(failure.into()),
            }
        }
        self.check_conversion(&mut findings).await?;
        Ok(Probe {
            account,
            user,
            findings,
        })
    }

    async fn account(&self) -> Result<String, ConnectorError> {
        let rows = tolerant(
            self.api
                .all("SELECT Id,Name FROM Organization", Scope::Living, DOING)
                .await,
        )?
        .unwrap_or_default();
        let text = |name: &str| rows.first()?.get(name).and_then(Json::as_str);
        Ok(match (text("Name"), text("Id")) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            _ => "an org that does not tell its name".to_owned(),
        })
    }

    async fn user(&self) -> Result<String, ConnectorError> {
        let answer = self.user_info().await?;
        let told = answer
            .get("preferred_username")
            .or_else(|| answer.get("email"))
            .and_then(Json::as_str);
        let configured = self.settings.jwt.as_ref().map(|jwt| jwt.username.as_str());
        Ok(told.or(configured).unwrap_or("the app's user").to_owned())
    }

    async fn check_limits(&self, findings: &mut Vec<Finding>) -> Result<(), ConnectorError> {
        let Some(limits) = tolerant(self.api.get("limits", DOING).await)? else {
            return Ok(());
        };
        let number = |name: &str| {
            limits
                .pointer(&format!("/DailyApiRequests/{name}"))
                .and_then(Json::as_u64)
        };
        if let (Some(most), Some(left)) = (number("Max"), number("Remaining")) {
            let tight = left.saturating_mul(10) < most;
            findings.push(Finding {
                severity: if tight { Severity::Warning } else { Severity::Note },
                what: format!("{left} of {most} API calls are left for the next 24 hours, for all apps of the org"),
                remedy: if tight { "find out which app uses them, or buy more".to_owned() } else { "nothing to do".to_owned() },
            });
        }
        Ok(())
    }

    async fn check_conversion(&self, findings: &mut Vec<Finding>) -> Result<(), ConnectorError> {
        let fix = |what: &str| Finding {
            severity: Severity::Warning,
            what: what.to_owned(),
            remedy: "mark a lead status as converted in Setup, or set `convert_status`".to_owned(),
        };
        match self.converted_status().await {
            Ok(Some(_)) => {}
            Ok(None) => findings.push(fix("no lead status is marked as converted")),
            Err(ConnectorError::Refused { .. }) => {
                findings.push(fix("the lead statuses cannot be read"))
            }
            Err(error) => return Err(error),
        }
        findings.push(Finding {
            severity: Severity::Note,
            what: "Salesforce does not tell by API whether the user has `Convert Leads` and sees all records".to_owned(),
            remedy: "check the user's permission set: Convert Leads, and View All on leads, contacts, accounts and opportunities".to_owned(),
        });
        Ok(())
    }
}

/// Compares what is mapped with what is visible.
fn check_fields(object: &Object, shape: &Shape, key_field: &str, findings: &mut Vec<Finding>) {
    let written = matches!(object.kind, Kind::Lead | Kind::Contact | Kind::Account);
    for (canonical, native) in &object.fields {
        let severity = if NEEDED.contains(&canonical.as_str()) && written {
            Severity::Error
        } else {
            Severity::Warning
        };
        match shape.column(native) {
            None if canonical == field::KEY => findings.push(Finding {
                severity: Severity::Error,
                what: format!("{}.{key_field} is not visible", object.name),
                remedy: format!("create {key_field} on {} as Text(64), External ID and Unique, and make it visible to the user", object.name),
            }),
            None if object.is_optional(canonical) => {}
            None => findings.push(Finding {
                severity,
                what: format!("{}.{native} ({canonical}) is not visible and is not read", object.name),
                remedy: format!("grant the user Field-Level Security on {native}, or map `{canonical}` to another field in `fields`"),
            }),
            Some(column) if canonical == field::KEY && !(column.external_id && column.unique) => findings.push(Finding {
                severity: Severity::Error,
                what: format!("{}.{native} is not a unique external id, so creates are not safe", object.name),
                remedy: format!("tick External ID and Unique on {native}"),
            }),
            Some(column) if written && !READ_ONLY.contains(&canonical.as_str()) && !(column.createable && column.updateable) => findings.push(Finding {
                severity,
                what: format!("{}.{native} ({canonical}) cannot be written", object.name),
                remedy: format!("grant the user Edit on {native}, or leave `{canonical}` out of what the agreement writes"),
            }),
            Some(_) => {}
        }
    }
    for native in object
        .extra
        .iter()
        .filter(|native| shape.column(native).is_none())
    {
        findings.push(Finding {
            severity: Severity::Warning,
            what: format!("the agreement names {}.{native}, which is not visible", object.name),
            remedy: format!("create {native}, grant the user Field-Level Security on it, or correct its API name in the agreement"),
        });
    }
}
