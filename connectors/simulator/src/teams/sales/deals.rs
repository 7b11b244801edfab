//! What sales does with opportunities and accounts.

use super::{SalesTeam, because, move_children, set_known};
use crate::{
    Actor, Dialect,
    compare::domain::website_domains,
    population::{
        drafts::{LOST_REASONS, STAGES},
        known, put_in_roles,
    },
    teams::label,
    world::{Row, relation},
};
use contract::{Kind, field};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, seq::IndexedRandom};
use std::collections::BTreeMap;

impl SalesTeam {
    pub(super) fn open_opportunity(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        crm.table(Kind::Opportunity)?;
        let contact = self.contact(crm)?;
        let account = crm.get(Kind::Contact, &contact, relation::ACCOUNT)?;
        let company = crm.get(Kind::Account, &account, field::NAME)?;
        let name = format!("{company} - {}", self.lists.word("products", &mut self.rng));
        let amount = (self.rng.random_range(8..400) * 500).to_string();
        let close = now
            .saturating_add(SignedDuration::from_hours(
                24 * self.rng.random_range(20..120),
            ))
            .unwrap_or(now)
            .to_string();
        let owner = crm
            .get(Kind::Contact, &contact, relation::OWNER)
            .unwrap_or_default();
        let values = [
            (field::NAME, name.as_str()),
            (relation::ACCOUNT, &account),
            (relation::OWNER, &owner),
            (field::STAGE, STAGES[0].name),
            (field::AMOUNT, &amount),
            (field::CLOSE_DATE, &close[..10]),
            (field::IS_CLOSED, "false"),
            (field::IS_WON, "false"),
        ];
        let values = known(crm, Kind::Opportunity, &values);
        let opportunity = crm.create(Kind::Opportunity, &values, Actor::Person, now);
        let who = self.rep_of(crm, Kind::Contact, &contact);
        if self.rng.random_bool(0.8) {
            put_in_roles(crm, &opportunity, &[&contact], now);
            Some(format!(
                "{who} opened \"{name}\" with {} over {amount}",
                label(crm, Kind::Contact, &contact)
            ))
        } else {
            Some(format!(
                "{who} opened \"{name}\" over {amount}, naming nobody"
            ))
        }
    }

    pub(super) fn move_stage(&mut self, crm: &mut dyn Dialect, now: Timestamp) -> Option<String> {
        let opportunity = self.open_deal(crm)?;
        let stage = crm.get(Kind::Opportunity, &opportunity, field::STAGE)?;
        let at = STAGES.iter().position(|known| known.name == stage)?;
        let next = STAGES.get(at + 1).filter(|next| next.closed() == "false")?;
        set_known(
            crm,
            Kind::Opportunity,
            &opportunity,
            &[(field::STAGE, next.name)],
            now,
        );
        let name = crm
            .get(Kind::Opportunity, &opportunity, field::NAME)
            .unwrap_or_default();
        Some(format!(
            "{} moved \"{name}\" to {}",
            self.rep_of(crm, Kind::Opportunity, &opportunity),
            next.name
        ))
    }

    pub(super) fn close_opportunity(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        let opportunity = self.open_deal(crm)?;
        let amount = (self.rng.random_range(8..400) * 500).to_string();
        let won = self.rng.random_bool(0.5);
        let stage = STAGES
            .iter()
            .find(|stage| stage.closed() == "true" && (stage.won() == "true") == won)?;
        let reason = if won { "" } else { self.one_of(&LOST_REASONS) };
        let values = [
            (field::STAGE, stage.name),
            (field::AMOUNT, &amount),
            (field::IS_CLOSED, stage.closed()),
            (field::IS_WON, stage.won()),
            (field::LOST_REASON, reason),
        ];
        set_known(crm, Kind::Opportunity, &opportunity, &values, now);
        let name = crm
            .get(Kind::Opportunity, &opportunity, field::NAME)
            .unwrap_or_default();
        let who = self.rep_of(crm, Kind::Opportunity, &opportunity);
        Some(if won {
            format!("{who} won \"{name}\" at {amount}")
        } else {
            because(format!("{who} lost \"{name}\""), reason)
        })
    }

    pub(super) fn merge_accounts(
        &mut self,
        crm: &mut dyn Dialect,
        now: Timestamp,
    ) -> Option<String> {
        let mut by_domain: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for account in crm.live(Kind::Account) {
            let website = crm
                .get(Kind::Account, &account, field::WEBSITE)
                .unwrap_or_default();
            let country = crm
                .get(Kind::Account, &account, field::COUNTRY)
                .unwrap_or_default();
            for domain in website_domains(&website).into_iter().take(1) {
                by_domain
                    .entry((domain, country.clone()))
                    .or_default()
                    .push(account.clone());
            }
        }
        let twins: Vec<&Vec<String>> = by_domain
            .values()
            .filter(|accounts| accounts.len() > 1)
            .collect();
        let [winner, loser, ..] = twins.choose(&mut self.rng)?.as_slice() else {
            return None;
        };
        let kept = crm.merge(Kind::Account, winner, &[loser], Actor::Person, now)?;
        move_children(crm, Kind::Contact, relation::ACCOUNT, loser, &kept, now);
        move_children(crm, Kind::Opportunity, relation::ACCOUNT, loser, &kept, now);
        move_children(crm, Kind::Account, relation::PARENT, loser, &kept, now);
        let name = crm
            .get(Kind::Account, &kept, field::NAME)
            .unwrap_or_default();
        Some(format!(
            "{} merged two accounts of {name}",
            self.rep_of(crm, Kind::Account, &kept)
        ))
    }

    /// An open opportunity, mostly a recent one.
    fn open_deal(&mut self, crm: &dyn Dialect) -> Option<String> {
        let stage = crm.native(Kind::Opportunity, field::STAGE)?;
        let table = crm.world().table(crm.table(Kind::Opportunity)?);
        let open = |row: &&Row| {
            STAGES
                .iter()
                .any(|known| known.closed() == "false" && row.field(stage) == Some(known.name))
        };
        let recent: Vec<&str> = table
            .live()
            .rev()
            .filter(open)
            .map(|row| row.id.as_str())
            .take(200)
            .collect();
        recent.choose(&mut self.rng).map(|id| (*id).to_owned())
    }
}
