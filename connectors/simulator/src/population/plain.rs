//! A vendor without habits: canonical names are its own. For stories that need no wire format.

use crate::{Dialect, World, world::relation};
use bytes::Bytes;
use contract::{Kind, field};
use jiff::Timestamp;

/// A vendor without habits, on either side.
#[derive(Debug)]
pub(crate) struct Plain {
    world: World,
    kinds: &'static [Kind],
}

impl Plain {
    pub(crate) fn marketing() -> Plain {
        Plain::with(&[Kind::Lead, Kind::User, Kind::Note])
    }

    pub(crate) fn crm() -> Plain {
        Plain::with(&Kind::ALL)
    }

    fn with(kinds: &'static [Kind]) -> Plain {
        let mut world = World::new();
        for table in ["lead", "contact"] {
            world.index(table, field::EMAIL);
        }
        Plain { world, kinds }
    }
}

const NAMES: [&str; 46] = [
    field::EMAIL,
    field::FIRST_NAME,
    field::LAST_NAME,
    field::TITLE,
    field::PHONE,
    field::COMPANY,
    field::WEBSITE,
    field::COUNTRY,
    field::STATE,
    field::CITY,
    field::INDUSTRY,
    field::NAME,
    field::LEAD_SOURCE,
    field::LIFECYCLE,
    field::SCORE,
    field::STATUS,
    field::STATUS_REASON,
    field::OPT_OUT,
    field::TYPE,
    field::STAGE,
    field::AMOUNT,
    field::CURRENCY,
    field::CLOSE_DATE,
    field::IS_CLOSED,
    field::IS_WON,
    field::LOST_REASON,
    field::ACTIVE,
    field::IS_PRIMARY,
    field::IS_CONVERTED,
    field::SUBJECT,
    field::BODY,
    field::DISPOSITION,
    field::DISPOSITION_REASON,
    field::SALES_STAGE,
    field::SALES_AMOUNT,
    field::SALES_OWNER,
    field::CRM_ID,
    relation::ACCOUNT,
    relation::PARENT,
    relation::OWNER,
    relation::CONTACT,
    relation::OPPORTUNITY,
    relation::CONVERTED_CONTACT,
    relation::CONVERTED_ACCOUNT,
    relation::CONVERTED_OPPORTUNITY,
    relation::ABOUT,
];

impl Dialect for Plain {
    fn vendor(&self) -> &'static str {
        "plain"
    }

    fn handle(&mut self, _: &http::Request<Bytes>, _: Timestamp) -> http::Response<Bytes> {
        http::Response::new(Bytes::new())
    }

    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn table(&self, kind: Kind) -> Option<&'static str> {
        self.kinds.contains(&kind).then_some(match kind {
            Kind::Lead => "lead",
            Kind::Contact => "contact",
            Kind::Account => "account",
            Kind::Opportunity => "opportunity",
            Kind::Role => "role",
            Kind::User => "user",
            Kind::Note => "note",
        })
    }

    fn native(&self, _: Kind, canonical: &str) -> Option<&'static str> {
        NAMES.into_iter().find(|name| *name == canonical)
    }

    fn new_id(&mut self, kind: Kind) -> String {
        let number = self.world.next(&kind.to_string());
        format!("{}{number:07}", &kind.to_string()[..1])
    }
}
