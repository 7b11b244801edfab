//! Opting out, which goes before every other write: the preference belongs to the address and not to the contact, so the
//! address is looked up and unsubscribed.

use crate::{
    connector::{Portal, Question},
    find::address,
    judge::Settled,
    mapping::{EMAIL, MERGED},
    plan::{Action, Input, Planned},
    send::Run,
    wire::{Object, entry},
};
use contract::{ConnectorError, Outcome, Outcomes, Remedy, field};
use std::collections::{BTreeMap, BTreeSet};

impl Portal {
    /// Unsubscribes the addresses of those who opted out, and returns the writes that go on.
    ///
    /// `hs_email_optout` cannot be written: the preference belongs to the address, not to the contact.
    /// <https://developers.hubspot.com/docs/api-reference/latest/communication-preferences/status/batch/unsubscribe-contacts-batch>
    pub(crate) async fn opt_out(
        &self,
        action: &Action,
        mut planned: Vec<Planned>,
        outcomes: &mut Outcomes,
        run: &mut Run,
    ) -> Result<Vec<Planned>, ConnectorError> {
        if *action == Action::Update {
            self.addresses(&mut planned, outcomes).await?;
        }
        let addresses: BTreeSet<String> = planned
            .iter()
            .filter(|plan| plan.opt_out)
            .filter_map(|plan| plan.email.clone())
            .collect();
        if addresses.is_empty() {
            return Ok(planned);
        }
        let inputs: Vec<Input> = addresses
            .into_iter()
            .map(|address| Input {
                id: address,
                ..Input::default()
            })
            .collect();
        let settled = self.unsubscribe(&inputs, run).await?;
        let by_address: BTreeMap<&str, &Settled> = inputs
            .iter()
            .map(|input| input.id.as_str())
            .zip(&settled)
            .collect();
        planned.retain(|plan| {
            let settled = plan
                .email
                .as_deref()
                .filter(|_| plan.opt_out)
                .and_then(|address| by_address.get(address).copied());
            match settled {
                None | Some(Settled::Done(_)) => return true,
                Some(Settled::Unknown) => {}
                Some(Settled::Deferred) => outcomes.set(plan.place, run.deferred()),
                Some(Settled::Failed(problem)) => outcomes.set(plan.place, self.failure(problem)),
            }
            false
        });
        Ok(planned)
    }

    /// Finds the addresses of the contacts that are to be opted out, in one call for a hundred.
    async fn addresses(
        &self,
        planned: &mut Vec<Planned>,
        outcomes: &mut Outcomes,
    ) -> Result<(), ConnectorError> {
        let ids: Vec<String> = planned
            .iter()
            .filter(|plan| plan.opt_out)
            .map(|plan| plan.input.id.clone())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let properties = [EMAIL, MERGED].map(str::to_owned);
        let question = Question {
            object: "contacts",
            id_property: None,
            properties: &properties,
            doing: "reading addresses",
        };
        let mut addresses: BTreeMap<String, Option<String>> = BTreeMap::new();
        for raw in self.batch_read(&question, &ids).await? {
            let Ok(object) = entry::<Object>(&raw) else {
                continue;
            };
            let address = object.property(EMAIL).and_then(address);
            let merged = object.property(MERGED).unwrap_or_default();
            for id in merged.split([';', ',']).map(str::trim).chain(object.id()) {
                addresses.insert(id.to_owned(), address.clone());
            }
        }
        planned.retain_mut(|plan| {
            if !plan.opt_out {
                return true;
            }
            let refused = |reason: &str, remedy| Outcome::Refused {
                reason: reason.to_owned(),
                remedy,
            };
            match addresses.get(&plan.input.id) {
                Some(Some(address)) => {
                    plan.email = Some(address.clone());
                    return true;
                }
                Some(None) => {
                    let remedy = Remedy::CorrectRecord {
                        fields: vec![field::EMAIL.to_owned()],
                    };
                    outcomes.set(
                        plan.place,
                        refused("the contact has no e-mail address to unsubscribe", remedy),
                    );
                }
                None => outcomes.set(
                    plan.place,
                    refused("the contact is not there", Remedy::LookAgain),
                ),
            }
            false
        });
        Ok(())
    }
}
