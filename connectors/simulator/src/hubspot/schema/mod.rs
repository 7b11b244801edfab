//! What a portal holds: object types, their properties, pipelines, and the ways that objects associate.
//!
//! Association type ids: see `AssociationTypes` of HubSpot's published clients and the associations v4 pages.

mod links;
mod pipelines;
mod portal;
mod property;

pub(super) use links::{association_types, reverse};
pub(super) use pipelines::{Pipeline, pipelines};
pub(super) use portal::{LIFECYCLE, properties};
pub(super) use property::Property;

/// An object type that the dialect knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    Contact,
    Company,
    Deal,
    Lead,
    Note,
    Task,
}

impl Object {
    pub(super) const ALL: [Object; 6] = [
        Object::Contact,
        Object::Company,
        Object::Deal,
        Object::Lead,
        Object::Note,
        Object::Task,
    ];

    /// By name, singular or plural, or by object type id.
    pub(super) fn parse(name: &str) -> Option<Object> {
        Object::ALL.into_iter().find(|object| {
            name == object.type_id()
                || name.eq_ignore_ascii_case(object.table())
                || name.eq_ignore_ascii_case(object.singular())
        })
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Object::Contact => "contacts",
            Object::Company => "companies",
            Object::Deal => "deals",
            Object::Lead => "leads",
            Object::Note => "notes",
            Object::Task => "tasks",
        }
    }

    pub(super) fn singular(self) -> &'static str {
        match self {
            Object::Contact => "contact",
            Object::Company => "company",
            Object::Deal => "deal",
            Object::Lead => "lead",
            Object::Note => "note",
            Object::Task => "task",
        }
    }

    pub(super) fn type_id(self) -> &'static str {
        match self {
            Object::Contact => "0-1",
            Object::Company => "0-2",
            Object::Deal => "0-3",
            Object::Lead => "0-136",
            Object::Note => "0-46",
            Object::Task => "0-27",
        }
    }

    /// The property with the time of the last change: contacts have a name of their own for it.
    pub(super) fn modified(self) -> &'static str {
        if self == Object::Contact {
            "lastmodifieddate"
        } else {
            "hs_lastmodifieddate"
        }
    }

    pub(super) fn created(self) -> &'static str {
        match self {
            Object::Contact | Object::Company | Object::Deal => "createdate",
            Object::Lead | Object::Note | Object::Task => "hs_createdate",
        }
    }

    /// Properties that an answer has when none are asked for.
    pub(super) fn defaults(self) -> &'static [&'static str] {
        match self {
            Object::Contact => &["firstname", "lastname", "email"],
            Object::Company => &["name", "domain"],
            Object::Deal => &["amount", "closedate", "dealname", "dealstage", "pipeline"],
            Object::Lead => &["hs_lead_name"],
            Object::Note | Object::Task => &[],
        }
    }

    /// Properties without which no create is accepted, in any version.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Object::Lead => &["hs_lead_name"],
            Object::Note | Object::Task => &["hs_timestamp"],
            Object::Contact | Object::Company | Object::Deal => &[],
        }
    }

    /// What the portal's create form requires; binding for the API since 2026-09.
    pub(super) fn form_required(self) -> &'static [&'static str] {
        if self == Object::Deal {
            &["dealname", "dealstage"]
        } else {
            &[]
        }
    }
}
