//! Lead conversion, over SOAP: REST has no resource for it. A conversion cannot be undone, so it is
//! never sent twice on a doubt.

use crate::{
    answer::VendorError,
    api::{Failure, Scope},
    connection::Connection,
    find::valid,
    judge::{self, Judgement},
    soap::{self, Conversion, Converted, Reply},
    wire,
};
use contract::{
    Batch, ConnectorError, Id, Kind, Operation, Outcome, Outcomes, Record, Relation, Relations,
    Remedy,
};
use kit::{Call, SessionError};
use serde_json::Value as Json;
use std::time::Duration;

const DOING: &str = "converting leads";

/// What the ids of queues begin with.
const QUEUE: &str = "00G";

/// Whether the owner is an active user. A lead's owner is polymorphic, and what such an owner tells
/// is listed under `Name` in Salesforce's object reference; only users have this field.
const OWNER_IS_ACTIVE: &str = "Owner.IsActive";

/// A lead before its conversion.
struct Lead {
    record: Record,
    /// Whether its owner can own no contact: a queue, or a user who has left. Where the org hides
    /// who has left, Salesforce refuses those leads itself.
    orphaned: bool,
}

/// A conversion that is asked for, with its place in the batch.
type Wanted = (usize, Conversion);

impl Connection {
    pub(crate) async fn convert(&self, batch: &Batch) -> Result<Outcomes, ConnectorError> {
        let mut outcomes = Outcomes::unknown(batch);
        let ids: Vec<Id> = batch
            .writes()
            .iter()
            .filter_map(|write| write.operation.target())
            .map(|(_, id)| wire::id(&id.0))
            .collect();
        let leads = self.leads(&ids).await?;
        let mut wanted: Vec<Wanted> = Vec::new();
        for (place, write) in batch.writes().iter().enumerate() {
            let Operation::Convert {
                lead,
                account,
                contact,
                owner,
                seen_status,
            } = &write.operation
            else {
                continue;
            };
            let conversion = Conversion {
                account: wire::id(&account.0),
                contact: contact.as_ref().map(|id| wire::id(&id.0)),
                owner: owner.as_ref().map(|id| wire::id(&id.0)),
                lead: wire::id(&lead.0),
            };
            let moved = |lead: &&Lead| {
                lead.record.id == conversion.lead
                    && !lead.record.is_converted()
                    && lead.record.fields.text(contract::field::STATUS) != seen_status.as_deref()
            };
            // Sales has spoken since this was decided.
            if let Some(lead) = leads.iter().find(moved) {
                let current = Box::new(lead.record.clone());
                outcomes.set(place, Outcome::Conflict { current });
                continue;
            }
            wanted.push((place, conversion));
        }
        let stand_in = self.stand_in(&wanted, &leads).await?;
        let mut conversions = Vec::new();
        for (place, conversion) in wanted {
            match ready(conversion, &leads, stand_in.as_ref()) {
                Ok(conversion) => conversions.push((place, conversion)),
                Err(outcome) => outcomes.set(place, outcome),
            }
        }
        if conversions.is_empty() {
            return Ok(outcomes);
        }
        let Some(status) = self.converted_status().await? else {
            let reason = "no lead status is marked as converted".to_owned();
            outcomes.fill(&Outcome::Refused {
                reason,
                remedy: Remedy::FixMapping {
                    fields: vec![contract::field::STATUS.to_owned()],
                },
            });
            return Ok(outcomes);
        };
        self.send_conversions(&status, &conversions, &mut outcomes)
            .await?;
        Ok(outcomes)
    }

    async fn leads(&self, ids: &[Id]) -> Result<Vec<Lead>, ConnectorError> {
        let found = self
            .matching_with(Kind::Lead, "Id", valid(ids), Some(OWNER_IS_ACTIVE))
            .await?;
        let lead = |(record, active): (Record, Json)| {
            let owner = record.relations.one(Relation::Owner);
            let queued = owner.is_some_and(|owner| owner.0.starts_with(QUEUE));
            Lead {
                orphaned: queued || active == Json::Bool(false),
                record,
            }
        };
        Ok(found.into_iter().map(lead).collect())
    }

    /// Who owns the contacts of leads whose owner cannot and for which nobody is named: the
    /// configured user, or else ourselves. Asked only where it is needed.
    async fn stand_in(
        &self,
        wanted: &[Wanted],
        leads: &[Lead],
    ) -> Result<Option<Id>, ConnectorError> {
        let needed = wanted.iter().any(|(_, conversion)| {
            conversion.owner.is_none()
                && leads.iter().any(|lead| {
                    lead.record.id == conversion.lead
                        && lead.orphaned
                        && !lead.record.is_converted()
                })
        });
        if !needed {
            return Ok(None);
        }
        match &self.settings.convert_owner {
            Some(owner) => Ok(Some(wire::id(owner))),
            None => self.own_user().await,
        }
    }

    /// The status that a converted lead gets: the configured one, or the first that the org marks
    /// as converted.
    pub(crate) async fn converted_status(&self) -> Result<Option<String>, ConnectorError> {
        if let Some(status) = &self.settings.convert_status {
            return Ok(Some(status.clone()));
        }
        let mut known = self.convert_status.lock().await;
        if known.is_none() {
            *known = self.ask_for_status().await?;
        }
        Ok(known.clone())
    }

    async fn ask_for_status(&self) -> Result<Option<String>, Failure> {
        let soql = "SELECT ApiName,MasterLabel FROM LeadStatus WHERE IsConverted = true ORDER BY SortOrder";
        let rows = self
            .api
            .all(soql, Scope::Living, "reading lead statuses")
            .await?;
        let name = |field: &str| {
            rows.first()?
                .get(field)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
        };
        Ok(name("ApiName")
            .or_else(|| name("MasterLabel"))
            .map(str::to_owned))
    }

    async fn send_conversions(
        &self,
        status: &str,
        conversions: &[(usize, Conversion)],
        outcomes: &mut Outcomes,
    ) -> Result<(), ConnectorError> {
        let version = self.api.version.trim_start_matches('v');
        let wanted: Vec<Conversion> = conversions
            .iter()
            .map(|(_, conversion)| conversion.clone())
            .collect();
        let status = status.to_owned();
        let call = Call::bearing(
            format!("/services/Soap/u/{version}"),
            "text/xml; charset=utf-8",
            move |token| soap::request(token, &status, &wanted),
        )
        .header("SOAPAction", "\"\"")
        .doing(DOING);
        let answer = match self.api.session.call(call).await {
            Ok(answer) => answer,
            Err(SessionError::Failed(error)) => return Err(error),
            Err(SessionError::Doubt(detail)) => {
                tracing::warn!(detail, "leads may have been converted");
                return Ok(());
            }
        };
        match soap::reply(&answer.text()) {
            Ok(Reply::Results(results)) => {
                for (at, (place, conversion)) in conversions.iter().enumerate() {
                    // Results come in order; where they say whose they are, that counts.
                    let own = results
                        .iter()
                        .find(|result| result.lead.as_ref() == Some(&conversion.lead));
                    let unnamed = || {
                        results.get(at).filter(|result| {
                            result.lead.is_none() && results.len() == conversions.len()
                        })
                    };
                    if let Some(result) = own.or_else(unnamed) {
                        outcomes.set(*place, self.judge_conversion(result, conversion).await);
                    }
                }
            }
            Ok(Reply::Fault(fault)) => {
                if let Some(outcome) = self.judge_fault(&fault).await {
                    outcomes.fill(&outcome);
                }
            }
            Err(odd) => tracing::warn!(
                status = answer.status,
                odd,
                "the answer to a conversion is unreadable; leads may have been converted"
            ),
        }
        Ok(())
    }

    async fn judge_conversion(&self, result: &Converted, conversion: &Conversion) -> Outcome {
        match (result.success, &result.contact) {
            (Some(true), Some(contact)) => {
                let account = result
                    .account
                    .clone()
                    .unwrap_or_else(|| conversion.account.clone());
                let mut relations = Relations::default()
                    .with(Relation::ConvertedContact, contact.0.as_str())
                    .with(Relation::ConvertedAccount, account.0.as_str());
                if let Some(opportunity) = &result.opportunity {
                    relations.add(Relation::ConvertedOpportunity, opportunity.clone());
                }
                Outcome::Applied {
                    id: contact.clone(),
                    modified: None,
                    relations,
                }
            }
            (Some(false), _) => self.judge_errors(&result.errors).await,
            _ => Outcome::Unknown,
        }
    }

    async fn judge_errors(&self, errors: &[VendorError]) -> Outcome {
        let words = errors
            .iter()
            .map(VendorError::words)
            .collect::<Vec<_>>()
            .join("; ");
        let lower = words.to_lowercase();
        if lower.contains("already converted")
            || lower.contains("converted lead")
            || lower.contains("converted_lead")
        {
            return Outcome::Refused {
                reason: words,
                remedy: Remedy::LookAgain,
            };
        }
        if errors.iter().any(|error| {
            error.code == "INVALID_STATUS"
                || error.fields.iter().any(|field| field == "convertedStatus")
        }) {
            // The status may have been renamed since it was asked for.
            *self.convert_status.lock().await = None;
            return Outcome::Refused {
                reason: words,
                remedy: Remedy::FixMapping {
                    fields: vec![contract::field::STATUS.to_owned()],
                },
            };
        }
        match judge::errors_of(errors, self.mapping.object(Kind::Lead)) {
            Judgement::Final(outcome) => outcome,
            Judgement::Stands { reason, .. } | Judgement::Twin { reason } => Outcome::Refused {
                reason,
                remedy: Remedy::AskArbiter,
            },
        }
    }

    /// What a fault of the whole call means for each lead; `None` where something may have been
    /// done.
    async fn judge_fault(&self, fault: &VendorError) -> Option<Outcome> {
        Some(match fault.code.as_str() {
            "UNKNOWN_EXCEPTION" | "SERVER_UNAVAILABLE" | "" => return None,
            "EXCEEDED_LEAD_CONVERT_LIMIT" => Outcome::Deferred {
                retry_after: Some(Duration::from_secs(60)),
                reason: fault.words(),
            },
            code if code.starts_with("INSUFFICIENT_ACCESS") => Outcome::Refused {
                reason: fault.words(),
                remedy: Remedy::Grant {
                    permission: "`Convert Leads` to the user".to_owned(),
                },
            },
            "UNSUPPORTED_API_VERSION" => Outcome::Refused {
                reason: fault.words(),
                remedy: Remedy::Grant {
                    permission: "a living API: raise `version`".to_owned(),
                },
            },
            _ => self.judge_errors(std::slice::from_ref(fault)).await,
        })
    }
}

/// The conversion with its owner, or why it cannot be.
fn ready(
    mut conversion: Conversion,
    leads: &[Lead],
    stand_in: Option<&Id>,
) -> Result<Conversion, Outcome> {
    let look_again = |reason: &str| {
        Err(Outcome::Refused {
            reason: reason.to_owned(),
            remedy: Remedy::LookAgain,
        })
    };
    let Some(lead) = leads.iter().find(|lead| lead.record.id == conversion.lead) else {
        return look_again("the lead is gone");
    };
    if lead.record.is_converted() {
        return look_again("the lead is already converted");
    }
    if lead.orphaned && conversion.owner.is_none() {
        conversion.owner = stand_in.cloned();
        if conversion.owner.is_none() {
            return Err(Outcome::Refused {
                reason: "a queue or an inactive user owns the lead, and a contact needs an active user as owner"
                    .to_owned(),
                remedy: Remedy::Grant {
                    permission:
                        "an owner: set `convert_owner` of the connection to a user's id (005…)"
                            .to_owned(),
                },
            });
        }
    }
    Ok(conversion)
}
