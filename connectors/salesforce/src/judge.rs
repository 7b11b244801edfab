//! From Salesforce's error codes to outcomes with a remedy.

use crate::{answer::VendorError, mapping::Object, wire};
use contract::{Id, Outcome, Relations, Remedy};
use serde_json::Value as Json;
use std::time::Duration;

/// What one row's answer says.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// It says all.
    Final(Outcome),
    /// Another record stands in the way: go and look at it.
    Stands {
        /// Its object's API name, where told.
        object: Option<String>,
        /// Its id.
        id: Id,
        /// The vendor's words.
        reason: String,
    },
    /// Some other record stands in the way, and Salesforce does not say which.
    Twin {
        /// The vendor's words.
        reason: String,
    },
}

/// Judges one row of a collection's answer.
pub(crate) fn row(json: &Json, object: &Object) -> Judgement {
    let success = json.get("success").and_then(Json::as_bool);
    let id = json
        .get("id")
        .and_then(Json::as_str)
        .filter(|id| !id.is_empty());
    match (success, id) {
        (Some(true), Some(id)) => Judgement::Final(Outcome::Applied {
            id: wire::id(id),
            modified: None,
            relations: Relations::default(),
        }),
        (Some(false), _) => {
            let errors = json
                .get("errors")
                .and_then(Json::as_array)
                .into_iter()
                .flatten();
            let errors: Vec<VendorError> = errors.filter_map(VendorError::read).collect();
            errors_of(&errors, object)
        }
        // Neither yes nor no: silence is not success.
        _ => Judgement::Final(Outcome::Unknown),
    }
}

/// Judges the errors of one row. The first that Salesforce names decides.
pub(crate) fn errors_of(errors: &[VendorError], object: &Object) -> Judgement {
    let Some(error) = errors.first() else {
        return refused("refused without a reason".to_owned(), Remedy::AskArbiter);
    };
    let reason = errors
        .iter()
        .map(VendorError::words)
        .collect::<Vec<_>>()
        .join("; ");
    let fields = || fields(errors, object);
    match error.code.as_str() {
        "DUPLICATES_DETECTED" => duplicate(error, object, reason),
        "DUPLICATE_VALUE" => match id_in(&error.message) {
            Some(id) => Judgement::Stands {
                object: None,
                id,
                reason,
            },
            None => Judgement::Twin { reason },
        },
        // The field that should be unique is not, and two records bear the key.
        "DUPLICATE_EXTERNAL_ID" => refused(
            reason,
            Remedy::FixMapping {
                fields: vec![contract::field::KEY.to_owned()],
            },
        ),
        "UNABLE_TO_LOCK_ROW"
        | "ALL_OR_NONE_OPERATION_ROLLED_BACK"
        | "PROCESSING_HALTED"
        | "SERVER_UNAVAILABLE"
        | "UNKNOWN_EXCEPTION" => Judgement::Final(Outcome::Deferred {
            retry_after: None,
            reason,
        }),
        "REQUEST_LIMIT_EXCEEDED" | "LIMIT_EXCEEDED" | "EXCEEDED_LEAD_CONVERT_LIMIT" => {
            later(60, reason)
        }
        "STORAGE_LIMIT_EXCEEDED" => later(3600, reason),
        // A customer's trigger or flow failed, sometimes for a lock that passes.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER"
            if reason.contains("UNABLE_TO_LOCK_ROW") =>
        {
            Judgement::Final(Outcome::Deferred {
                retry_after: None,
                reason,
            })
        }
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" | "APEX_ERROR" => {
            refused(reason, Remedy::FixMapping { fields: fields() })
        }
        "CANNOT_UPDATE_CONVERTED_LEAD"
        | "ENTITY_IS_DELETED"
        | "NOT_FOUND"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "MALFORMED_ID"
        | "ENTITY_IS_ARCHIVED" => refused(reason, Remedy::LookAgain),
        "STRING_TOO_LONG"
        | "REQUIRED_FIELD_MISSING"
        | "INVALID_EMAIL_ADDRESS"
        | "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        | "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        | "FIELD_FILTER_VALIDATION_EXCEPTION"
        | "FIELD_INTEGRITY_EXCEPTION"
        | "NUMBER_OUTSIDE_VALID_RANGE"
        | "INVALID_PICKLIST"
        | "FIELD_NOT_UPDATABLE" => refused(reason, Remedy::CorrectRecord { fields: fields() }),
        "INACTIVE_OWNER_OR_USER" | "INVALID_OWNER" => refused(
            reason,
            Remedy::FixMapping {
                fields: vec!["owner".to_owned()],
            },
        ),
        code if code.starts_with("INSUFFICIENT_ACCESS")
            || code == "TRANSFER_REQUIRES_READ"
            || code == "ENTITY_IS_LOCKED" =>
        {
            let permission = format!("access to {}: {}", object.name, error.words());
            refused(reason, Remedy::Grant { permission })
        }
        code if code.starts_with("INVALID_FIELD")
            || matches!(
                code,
                "JSON_PARSER_ERROR"
                    | "INVALID_TYPE"
                    | "INVALID_STATUS"
                    | "INVALID_TYPE_ON_FIELD_IN_RECORD"
            ) =>
        {
            refused(reason, Remedy::FixMapping { fields: fields() })
        }
        _ => refused(reason, Remedy::AskArbiter),
    }
}

/// Prefers a match of the object that was being written, among the most similar.
fn duplicate(error: &VendorError, object: &Object, reason: String) -> Judgement {
    let same = error
        .matches
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(object.name));
    match same.or_else(|| error.matches.first()) {
        Some((name, id)) => Judgement::Stands {
            object: Some(name.clone()),
            id: wire::id(id),
            reason,
        },
        None => Judgement::Twin { reason },
    }
}

fn refused(reason: String, remedy: Remedy) -> Judgement {
    Judgement::Final(Outcome::Refused { reason, remedy })
}

fn later(seconds: u64, reason: String) -> Judgement {
    Judgement::Final(Outcome::Deferred {
        retry_after: Some(Duration::from_secs(seconds)),
        reason,
    })
}

/// The fields that the errors name, by canonical name: listed, or else in the message.
fn fields(errors: &[VendorError], object: &Object) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for error in errors {
        let told = if error.fields.is_empty() {
            in_message(&error.message)
        } else {
            error.fields.clone()
        };
        for native in told {
            let name = object.canonical(&native);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Field names in `Required fields are missing: [LastName, Company]`, `No such column 'X__c' on …`
/// and `bad value for restricted picklist field: x`.
fn in_message(message: &str) -> Vec<String> {
    let listed = message
        .split_once("missing: [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(list, _)| list);
    if let Some(list) = listed {
        return list
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| crate::settings::is_name(name))
            .collect();
    }
    missing_column(message).into_iter().collect()
}

/// The column that a query or a write named in vain.
pub(crate) fn missing_column(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("No such column '")?;
    let (name, _) = rest.split_once('\'')?;
    crate::settings::is_name(name).then(|| name.to_owned())
}

/// The id in `duplicate value found: X__c duplicates value on record with id: 003…`.
fn id_in(message: &str) -> Option<Id> {
    let (_, rest) = message.split_once("record with id:")?;
    let id: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    wire::is_id(&id).then(|| wire::id(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use contract::Kind;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn judge(json: Json) -> Judgement {
        let mapping = Mapping::new("Leadloop_Key__c", &BTreeMap::new(), &BTreeMap::new());
        row(&json, mapping.object(Kind::Lead))
    }

    fn failed(code: &str, message: &str, fields: &[&str]) -> Judgement {
        judge(
            json!({"success": false, "errors": [{"statusCode": code, "message": message, "fields": fields}]}),
        )
    }

    fn remedy(judgement: Judgement) -> Remedy {
        match judgement {
            Judgement::Final(Outcome::Refused { remedy, .. }) => remedy,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn success_needs_an_id_and_silence_is_doubt() {
        let done = judge(json!({"id": "00Q5000000VALDt", "success": true, "errors": []}));
        assert!(matches!(done, Judgement::Final(Outcome::Applied { id, .. }) if id.0.len() == 18));
        assert_eq!(
            judge(json!({"success": true})),
            Judgement::Final(Outcome::Unknown)
        );
        assert_eq!(judge(json!({})), Judgement::Final(Outcome::Unknown));
    }

    #[test]
    fn errors_become_remedies_with_canonical_names() {
        let correct = |fields: &[&str]| Remedy::CorrectRecord {
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        };
        let fix = |fields: &[&str]| Remedy::FixMapping {
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(
            remedy(failed(
                "STRING_TOO_LONG",
                "Last Name: data value too large",
                &["LastName"]
            )),
            correct(&["last_name"])
        );
        assert_eq!(
            remedy(failed(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [LastName, Company]",
                &[]
            )),
            correct(&["last_name", "company"])
        );
        assert_eq!(
            remedy(failed(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                "bad value",
                &["LeadSource"]
            )),
            correct(&["lead_source"])
        );
        assert_eq!(
            remedy(failed(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "Unable to create/update",
                &["IsConverted"]
            )),
            fix(&["is_converted"])
        );
        assert_eq!(
            remedy(failed(
                "INVALID_FIELD",
                "No such column 'Foo__c' on sobject of type Lead",
                &[]
            )),
            fix(&["Foo__c"])
        );
        assert_eq!(
            remedy(failed("INACTIVE_OWNER_OR_USER", "owner", &["OwnerId"])),
            fix(&["owner"])
        );
        for gone in [
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "ENTITY_IS_DELETED",
            "NOT_FOUND",
            "INVALID_CROSS_REFERENCE_KEY",
        ] {
            assert_eq!(remedy(failed(gone, "", &[])), Remedy::LookAgain);
        }
        assert!(matches!(
            remedy(failed("INSUFFICIENT_ACCESS_OR_READONLY", "no", &[])),
            Remedy::Grant { .. }
        ));
        assert_eq!(
            remedy(failed("SOMETHING_NEW", "?", &[])),
            Remedy::AskArbiter
        );
    }

    #[test]
    fn locks_pass_even_inside_a_flow() {
        assert!(matches!(
            failed(
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access",
                &[]
            ),
            Judgement::Final(Outcome::Deferred { .. })
        ));
        let flow = failed(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "trigger: System.DmlException: UNABLE_TO_LOCK_ROW",
            &[],
        );
        assert!(matches!(flow, Judgement::Final(Outcome::Deferred { .. })));
        assert!(matches!(
            remedy(failed(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "CANNOT EXECUTE FLOW",
                &[]
            )),
            Remedy::FixMapping { .. }
        ));
    }

    #[test]
    fn a_duplicate_points_to_the_record_in_the_way() {
        let value = failed(
            "DUPLICATE_VALUE",
            "duplicate value found: X__c duplicates value on record with id: 00Q5000000VALDt",
            &[],
        );
        assert!(
            matches!(value, Judgement::Stands { id, .. } if id.0.starts_with("00Q5000000VALDt"))
        );
        let silent = failed(
            "DUPLICATE_VALUE",
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
            &[],
        );
        assert!(matches!(silent, Judgement::Twin { .. }));
        assert!(matches!(
            failed("DUPLICATES_DETECTED", "Use one of these records?", &[]),
            Judgement::Twin { .. }
        ));
    }
}
