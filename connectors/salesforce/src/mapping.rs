//! Which object and which fields stand for leadloop's kinds and canonical names.

use contract::{Kind, Relation, field};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// One kind's object, with the names of its fields.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    /// The object's API name.
    pub(crate) name: &'static str,
    /// API name by canonical name.
    pub(crate) fields: BTreeMap<String, String>,
    /// Reference fields by relation.
    pub(crate) relations: &'static [(Relation, &'static str)],
    /// Fields to read under their own names.
    pub(crate) extra: BTreeSet<String>,
}

/// All kinds' objects of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    objects: BTreeMap<Kind, Object>,
    pub(crate) key_field: String,
}

impl Mapping {
    /// The standard names, with the operator's own on top.
    pub(crate) fn new(
        key_field: &str,
        own: &BTreeMap<Kind, BTreeMap<String, String>>,
        extra: &BTreeMap<Kind, BTreeSet<String>>,
    ) -> Mapping {
        let object = |kind: Kind| {
            let (name, fields, relations) = standard(kind);
            let mut fields: BTreeMap<String, String> = fields
                .iter()
                .map(|(canonical, native)| ((*canonical).to_owned(), (*native).to_owned()))
                .collect();
            fields.extend(own.get(&kind).cloned().unwrap_or_default());
            if matches!(kind, Kind::Lead | Kind::Contact | Kind::Account) {
                fields.insert(field::KEY.to_owned(), key_field.to_owned());
            }
            (
                kind,
                Object {
                    kind,
                    name,
                    fields,
                    relations,
                    extra: extra.get(&kind).cloned().unwrap_or_default(),
                },
            )
        };
        Mapping {
            objects: Kind::ALL.into_iter().map(object).collect(),
            key_field: key_field.to_owned(),
        }
    }

    pub(crate) fn object(&self, kind: Kind) -> &Object {
        self.objects.get(&kind).expect("built from every kind")
    }

    /// The kind that an object's API name stands for.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.objects
            .values()
            .find(|object| object.name.eq_ignore_ascii_case(name))
            .map(|object| object.kind)
    }
}

impl Object {
    /// The API name of a field, which is the name itself where there is no canonical one.
    pub(crate) fn native<'a>(&'a self, name: &'a str) -> &'a str {
        self.fields.get(name).map_or(name, String::as_str)
    }

    /// The canonical name of a field or relation, which is the API name itself where there is none.
    pub(crate) fn canonical(&self, native: &str) -> String {
        let own = self
            .fields
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(native))
            .map(|(canonical, _)| canonical.clone());
        let relation = || {
            self.relations
                .iter()
                .find(|(_, name)| name.eq_ignore_ascii_case(native))
                .map(|(relation, _)| label(*relation))
        };
        own.or_else(relation).unwrap_or_else(|| native.to_owned())
    }

    /// The reference field of a relation.
    pub(crate) fn reference(&self, relation: Relation) -> Option<&'static str> {
        self.relations
            .iter()
            .find(|(candidate, _)| *candidate == relation)
            .map(|(_, name)| *name)
    }

    /// Whether an org may well do without this field, so that its absence is not worth a word.
    pub(crate) fn is_optional(&self, canonical: &str) -> bool {
        canonical == field::CURRENCY
    }
}

/// A relation's word.
pub(crate) fn label(relation: Relation) -> String {
    match serde_json::to_value(relation) {
        Ok(Json::String(word)) => word,
        _ => format!("{relation:?}"),
    }
}

type Standard = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(Relation, &'static str)],
);

fn standard(kind: Kind) -> Standard {
    match kind {
        Kind::Lead => (
            "Lead",
            &[
                (field::EMAIL, "Email"),
                (field::FIRST_NAME, "FirstName"),
                (field::LAST_NAME, "LastName"),
                (field::TITLE, "Title"),
                (field::PHONE, "Phone"),
                (field::COMPANY, "Company"),
                (field::WEBSITE, "Website"),
                (field::COUNTRY, "Country"),
                (field::STATE, "State"),
                (field::CITY, "City"),
                (field::INDUSTRY, "Industry"),
                (field::LEAD_SOURCE, "LeadSource"),
                (field::STATUS, "Status"),
                (field::OPT_OUT, "HasOptedOutOfEmail"),
                (field::IS_CONVERTED, "IsConverted"),
                (field::CREATED_AT, "CreatedDate"),
                (field::LAST_ACTIVITY_AT, "LastActivityDate"),
            ],
            &[
                (Relation::Owner, "OwnerId"),
                (Relation::ConvertedContact, "ConvertedContactId"),
                (Relation::ConvertedAccount, "ConvertedAccountId"),
                (Relation::ConvertedOpportunity, "ConvertedOpportunityId"),
            ],
        ),
        Kind::Contact => (
            "Contact",
            &[
                (field::EMAIL, "Email"),
                (field::FIRST_NAME, "FirstName"),
                (field::LAST_NAME, "LastName"),
                (field::TITLE, "Title"),
                (field::PHONE, "Phone"),
                (field::COUNTRY, "MailingCountry"),
                (field::STATE, "MailingState"),
                (field::CITY, "MailingCity"),
                (field::LEAD_SOURCE, "LeadSource"),
                (field::OPT_OUT, "HasOptedOutOfEmail"),
                (field::CREATED_AT, "CreatedDate"),
                (field::LAST_ACTIVITY_AT, "LastActivityDate"),
            ],
            &[
                (Relation::Account, "AccountId"),
                (Relation::Owner, "OwnerId"),
            ],
        ),
        Kind::Account => (
            "Account",
            &[
                (field::NAME, "Name"),
                (field::WEBSITE, "Website"),
                (field::PHONE, "Phone"),
                (field::INDUSTRY, "Industry"),
                (field::TYPE, "Type"),
                (field::COUNTRY, "BillingCountry"),
                (field::STATE, "BillingState"),
                (field::CITY, "BillingCity"),
                (field::CREATED_AT, "CreatedDate"),
                (field::LAST_ACTIVITY_AT, "LastActivityDate"),
            ],
            &[(Relation::Parent, "ParentId"), (Relation::Owner, "OwnerId")],
        ),
        Kind::Opportunity => (
            "Opportunity",
            &[
                (field::NAME, "Name"),
                (field::STAGE, "StageName"),
                (field::AMOUNT, "Amount"),
                (field::CURRENCY, "CurrencyIsoCode"),
                (field::CLOSE_DATE, "CloseDate"),
                (field::IS_CLOSED, "IsClosed"),
                (field::IS_WON, "IsWon"),
                (field::CREATED_AT, "CreatedDate"),
            ],
            &[
                (Relation::Account, "AccountId"),
                (Relation::Owner, "OwnerId"),
            ],
        ),
        Kind::Role => (
            "OpportunityContactRole",
            &[(field::IS_PRIMARY, "IsPrimary")],
            &[
                (Relation::Opportunity, "OpportunityId"),
                (Relation::Contact, "ContactId"),
            ],
        ),
        Kind::User => (
            "User",
            &[
                (field::NAME, "Name"),
                (field::EMAIL, "Email"),
                (field::ACTIVE, "IsActive"),
            ],
            &[],
        ),
        Kind::Note => (
            "Task",
            &[(field::SUBJECT, "Subject"), (field::BODY, "Description")],
            &[(Relation::About, "WhoId")],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_names_become_canonical_ones() {
        let status = BTreeMap::from([("status".to_owned(), "contact_status__c".to_owned())]);
        let own = BTreeMap::from([(Kind::Contact, status)]);
        let mapping = Mapping::new("Leadloop_Key__c", &own, &BTreeMap::new());
        let contact = mapping.object(Kind::Contact);
        assert_eq!(contact.canonical("lastname"), "last_name");
        assert_eq!(contact.canonical("AccountId"), "account");
        assert_eq!(contact.canonical("Other__c"), "Other__c");
        assert_eq!(contact.native("status"), "contact_status__c");
        assert_eq!(mapping.kind("contact"), Some(Kind::Contact));
    }
}
