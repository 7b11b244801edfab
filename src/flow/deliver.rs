//! Decides on everybody who is due, and delivers what is owed: opt-outs first, record by record judged.

use super::{Loop, OUTBOX_BOUND, blocking, intake};
use crate::{
    decide::{self, Decision, Intent, Lane, Owner, Person, PersonId, Ref, Refusal, Settlement},
    flow::Survey,
    store::{
        self,
        state::{Change, Owed, Progress},
    },
};
use contract::{Batch, Id, Kind, Operation, Outcome, Remedy, Write, field};
use jiff::{SignedDuration, Timestamp};
use kit::Side;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;

/// The slot of the write that brings a person into the CRM.
const CREATE: &str = "create";

/// Persons decided on in one commit.
const CHUNK: usize = 500;

/// How often a write may be refused with "look again" before a person must look.
const LOOKS: u32 = 3;

/// Shapes of writes, those first that others wait for.
const SHAPES: [(&str, Kind); 7] = [
    ("create", Kind::Account),
    ("create", Kind::Contact),
    ("create", Kind::Lead),
    ("convert", Kind::Lead),
    ("update", Kind::Contact),
    ("update", Kind::Lead),
    ("note", Kind::Note),
];

/// What looking up writes in doubt came to.
pub(super) enum Verdicts {
    /// For each write, its outcome; `None` means that it was not done and may be tried again.
    Found(Vec<Option<Outcome>>),
    /// The records were read again; what is missing is decided anew.
    LookedAgain,
}

impl Loop {
    /// Decides on persons who are due, while the outbox has room. Returns how many.
    pub(super) fn decide_due(&mut self) -> Result<usize, store::Error> {
        if !self.is_complete()? {
            return Ok(0);
        }
        let mut decided = 0;
        loop {
            let room = self.state.read().outbox_size(Side::Crm, OUTBOX_BOUND)?
                + self
                    .state
                    .read()
                    .outbox_size(Side::Marketing, OUTBOX_BOUND)?
                < OUTBOX_BOUND;
            let due = self.state.read().next_due(CHUNK)?;
            if due.is_empty() || !room {
                return Ok(decided);
            }
            decided += due.len();
            blocking(|| self.decide_chunk(&due))?;
            self.board.beat();
        }
    }

    fn decide_chunk(&mut self, due: &[(PersonId, Ref)]) -> Result<(), store::Error> {
        let now = self.clock.now();
        let state = self.state.clone();
        let mut change = state.change(now);
        for (id, by) in due {
            change.done(id);
            let Some(person) = change.person_with(by)?.filter(|person| person.id == *id) else {
                continue;
            };
            let survey = Survey::of(&change, person)?;
            let decision = decide::decide(&self.agreement, &survey.view(&self.knowledge), now);
            self.take_decision(&mut change, decision, now)?;
        }
        change.put_counters(&self.knowledge.counters);
        self.state.commit(change)
    }

    /// Writes down a decision: what is owed anew, what is withdrawn, what the person is from now on.
    fn take_decision(
        &mut self,
        change: &mut Change<'_>,
        mut decision: Decision,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let before = change.person(&decision.person.id)?;
        let owner = Owner::Person(decision.person.id.clone());
        let mut open = change.open(&owner)?;
        let owes = !decision.intents.is_empty();
        for intent in std::mem::take(&mut decision.intents) {
            if let Owner::Organisation(_) = intent.owner {
                self.owe_shared(change, &decision.person.id, intent, now)?;
                continue;
            }
            match open.remove(&intent.slot) {
                // Owed already, or something else was tried and must be looked up first.
                Some(owed)
                    if owed.intent.id == intent.id
                        || matches!(owed.progress, Progress::InDoubt(_)) =>
                {
                    continue;
                }
                // What another self of the person has tried to create may be there.
                None if intent.slot == CREATE
                    && open.keys().any(|slot| slot.starts_with(CREATE)) =>
                {
                    continue;
                }
                Some(outdated) => change.settle(&outdated.intent),
                None => {}
            }
            if !decision.person.refused.contains_key(&intent.id) {
                self.owe(change, intent, &decision, now)?;
            }
        }
        for withdrawn in open
            .into_values()
            .filter(|owed| matches!(owed.progress, Progress::Waiting(_)))
        {
            change.settle(&withdrawn.intent);
        }
        record_news(change, before.as_ref(), &decision);
        self.count_news(before.as_ref(), &decision.person);
        change.put_base(&decision.person.id, &decision.base)?;
        if owes {
            change.remember_person(&decision.person)
        } else {
            change.put_person(&decision.person)
        }
    }

    fn owe(
        &mut self,
        change: &mut Change<'_>,
        intent: Intent,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        if let (
            Operation::Create {
                kind: Kind::Contact,
                ..
            }
            | Operation::Convert { .. },
            Some(decide::matching::Match::Matched(found)),
        ) = (&intent.operation, &decision.found)
        {
            self.knowledge
                .counters
                .add(&format!("matched/{}", found.rule), 1);
        }
        change.fact(json!({"fact": "owed", "person": decision.person.id, "intent": intent.id, "what": intent.what, "lane": intent.lane, "reasons": intent.reasons, "agreement": self.agreement.version}));
        let progress = if change.was_attempted(&intent.id)? {
            Progress::InDoubt(now)
        } else {
            Progress::Waiting(now)
        };
        change.owe(&Owed {
            intent,
            progress,
            attempts: 0,
        });
        Ok(())
    }

    /// A write that several persons wait for is owed once.
    fn owe_shared(
        &mut self,
        change: &mut Change<'_>,
        person: &PersonId,
        intent: Intent,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        change.wait_for(&intent.id, person);
        if change.refusal(&refused_as(&intent))?.is_some()
            || change.open(&intent.owner)?.contains_key(&intent.slot)
        {
            return Ok(());
        }
        change.fact(json!({"fact": "owed", "organisation": intent.owner.to_string(), "person": person, "intent": intent.id, "what": intent.what, "lane": intent.lane, "reasons": intent.reasons, "agreement": self.agreement.version}));
        change.owe(&Owed {
            intent,
            progress: Progress::Waiting(now),
            attempts: 0,
        });
        Ok(())
    }

    fn count_news(&mut self, before: Option<&Person>, after: &Person) {
        let counters = &mut self.knowledge.counters;
        if after.handed_over.is_some() && before.is_none_or(|before| before.handed_over.is_none()) {
            counters.add("handed_over", 1);
        }
        if after.opted_out && before.is_none_or(|before| !before.opted_out) {
            counters.add("opted_out", 1);
        }
        let open = |person: &Person, question: &str| person.reviews.contains_key(question);
        let new = after
            .reviews
            .keys()
            .filter(|question| before.is_none_or(|before| !open(before, question)));
        counters.add("conflicts", new.count() as u64);
    }

    /// Delivers what is owed and ready, opt-outs first. Returns how many writes were carried out.
    pub(super) async fn deliver(
        &mut self,
        stop: &watch::Receiver<bool>,
    ) -> Result<usize, store::Error> {
        let mut delivered = 0;
        self.withdraw_outdated()?;
        for lane in [Lane::OptOut, Lane::Disposition, Lane::NewLead, Lane::Update] {
            for side in [Side::Crm, Side::Marketing] {
                for shape in SHAPES {
                    while !*stop.borrow() && self.may_ask(side) {
                        let batch = self.next_batch(side, lane, shape)?;
                        if batch.is_empty() {
                            break;
                        }
                        delivered += self.send(side, batch).await?;
                    }
                }
            }
        }
        Ok(delivered)
    }

    /// Ready writes of one shape that fit one batch: no record and no key twice.
    fn next_batch(
        &self,
        side: Side,
        lane: Lane,
        shape: (&str, Kind),
    ) -> Result<Vec<Owed>, store::Error> {
        let capabilities = self.connectors[&side].capabilities();
        let most = match shape.0 {
            "convert" => capabilities.conversions,
            "note" => capabilities.notes,
            _ => capabilities.batch,
        };
        let now = self.clock.now();
        let mut batch: Vec<Owed> = Vec::new();
        let mut targets: BTreeSet<(Kind, Id)> = BTreeSet::new();
        let mut keys = BTreeSet::new();
        let mut after = None;
        while batch.len() < most {
            let owed = self
                .state
                .read()
                .outbox(side, lane, Some(shape), after.as_ref(), most)?;
            let Some(last) = owed.last() else { break };
            after = Some(last.intent.id.clone());
            for owed in owed {
                let ready = matches!(owed.progress, Progress::Waiting(until) if until <= now)
                    && !self.is_outdated(&owed.intent);
                let operation = &owed.intent.operation;
                let fits = ready
                    && batch.len() < most
                    && operation
                        .target()
                        .is_none_or(|(kind, id)| targets.insert((kind, id.clone())))
                    && operation.key().is_none_or(|key| keys.insert(key.clone()));
                if fits {
                    batch.push(owed);
                }
            }
        }
        Ok(batch)
    }

    /// Whether somebody has meanwhile made the account that was to be created.
    fn is_outdated(&self, intent: &Intent) -> bool {
        match (&intent.owner, &intent.operation) {
            (
                Owner::Organisation(domain),
                Operation::Create {
                    kind: Kind::Account,
                    key,
                    ..
                },
            ) => {
                self.knowledge.accounts.with_key(key).is_some()
                    || self.knowledge.accounts.is_borne(domain)
            }
            _ => false,
        }
    }

    /// Takes back accounts that were to be created and are there now.
    fn withdraw_outdated(&mut self) -> Result<(), store::Error> {
        let accounts = self.state.read().outbox(
            Side::Crm,
            Lane::NewLead,
            Some(("create", Kind::Account)),
            None,
            usize::MAX,
        )?;
        let outdated: Vec<Owed> = accounts
            .into_iter()
            .filter(|owed| {
                matches!(owed.progress, Progress::Waiting(_)) && self.is_outdated(&owed.intent)
            })
            .collect();
        if outdated.is_empty() {
            return Ok(());
        }
        self.apply(&outdated, Verdicts::LookedAgain).map(|_| ())
    }

    /// Sends one batch: the attempt is recorded first, and silence is never success.
    async fn send(&mut self, side: Side, batch: Vec<Owed>) -> Result<usize, store::Error> {
        let writes: Vec<Write> = batch
            .iter()
            .map(|owed| Write {
                intent: owed.intent.id.clone(),
                operation: owed.intent.operation.clone(),
            })
            .collect();
        let Ok(prepared) = Batch::new(writes) else {
            return Ok(0);
        };
        let now = self.clock.now();
        let attempted = |owed: Owed| Owed {
            progress: Progress::InDoubt(now),
            attempts: owed.attempts + 1,
            ..owed
        };
        let batch: Vec<Owed> = batch.into_iter().map(attempted).collect();
        blocking(|| self.set_progress(&batch, true))?;
        match self.connectors[&side].clone().write(&prepared).await {
            Ok(outcomes) => {
                self.fine(side);
                let outcomes: Vec<Option<Outcome>> = outcomes
                    .iter()
                    .map(|(_, outcome)| Some(outcome.clone()))
                    .collect();
                let done = outcomes
                    .iter()
                    .flatten()
                    .filter(|outcome| matches!(outcome, Outcome::Applied { .. }))
                    .count();
                let again = blocking(|| self.apply(&batch, Verdicts::Found(outcomes)))?;
                self.look_again(again).await?;
                Ok(done)
            }
            Err(error) => {
                // Nothing reached the vendor.
                let back: Vec<Owed> = batch
                    .into_iter()
                    .map(|owed| Owed {
                        progress: Progress::Waiting(now),
                        ..owed
                    })
                    .collect();
                blocking(|| self.set_progress(&back, false))?;
                self.trouble(side, &error);
                Ok(0)
            }
        }
    }

    fn set_progress(&self, batch: &[Owed], attempted: bool) -> Result<(), store::Error> {
        let mut change = self.state.change(self.clock.now());
        for owed in batch {
            change.owe(owed);
            // Only a note cannot be told from the records that are read anyway.
            if let Operation::Note { .. } = owed.intent.operation {
                if attempted {
                    change.mark_attempted(&owed.intent.id);
                } else {
                    change.clear_attempted(&owed.intent.id)?;
                }
            }
        }
        self.state.commit(change)
    }

    /// Draws the consequences of outcomes in one commit. Returns records to be looked at again.
    pub(super) fn apply(
        &mut self,
        batch: &[Owed],
        verdicts: Verdicts,
    ) -> Result<Vec<Ref>, store::Error> {
        let now = self.clock.now();
        let state = self.state.clone();
        let mut change = state.change(now);
        let mut again = Vec::new();
        for (place, owed) in batch.iter().enumerate() {
            match &verdicts {
                Verdicts::LookedAgain => self.close(&mut change, owed)?,
                Verdicts::Found(outcomes) => match outcomes.get(place).cloned().flatten() {
                    Some(outcome) => {
                        again.extend(self.apply_one(&mut change, owed, outcome, now)?)
                    }
                    // It was not done. The world may have moved since: what is missing is decided anew.
                    None => self.close(&mut change, owed)?,
                },
            }
        }
        change.put_counters(&self.knowledge.counters);
        self.state.commit(change)?;
        Ok(again)
    }

    fn apply_one(
        &mut self,
        change: &mut Change<'_>,
        owed: &Owed,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Vec<Ref>, store::Error> {
        let intent = &owed.intent;
        let outcome = self.lose_patience(intent, outcome);
        let mut person = match &intent.owner {
            Owner::Person(id) => change.person(id)?,
            Owner::Organisation(_) => None,
        };
        let Settlement {
            closed,
            links,
            put,
            patch,
            look,
            said,
        } = decide::settle(intent, &outcome, person.as_mut(), now);
        let name = match &outcome {
            Outcome::Applied { .. } => "delivered",
            Outcome::Conflict { .. } => "conflict",
            Outcome::Refused { .. } => "refused",
            Outcome::Deferred { .. } => "deferred",
            Outcome::Unknown => "unknown",
        };
        change.fact(json!({"fact": name, "person": person.as_ref().map(|person| &person.id), "intent": intent.id, "what": intent.what, "said": said}));
        self.count(intent, &outcome);
        if !closed {
            change.owe(&Owed {
                progress: self.later(owed, &outcome, now),
                ..owed.clone()
            });
            if let Outcome::Deferred { .. } = outcome {
                change.clear_attempted(&intent.id)?;
            }
            return Ok(Vec::new());
        }
        if let (Outcome::Refused { reason, remedy }, Owner::Organisation(_)) =
            (&outcome, &intent.owner)
        {
            tracing::warn!(loop_name = self.settings.name, what = intent.what, reason, remedy = %remedy, "refused");
            let refusal = Refusal {
                slot: intent.slot.clone(),
                what: intent.what.clone(),
                reason: reason.clone(),
                remedy: remedy.to_string(),
                at: now,
            };
            change.refuse(&refused_as(intent), &refusal);
        }
        if let Some(person) = &mut person {
            person.records.extend(links);
            change.put_person(person)?;
        }
        let mut records = put;
        if let Some(patch) = patch
            && let Some(mut record) = change.mirror(&patch.record)?
        {
            patch.apply(&mut record);
            records.push(record);
        }
        for record in records {
            let told = contract::Change::Upserted(record);
            intake::take(&mut self.knowledge, change, intent.side, told, now)?;
        }
        self.close(change, owed)?;
        Ok(look)
    }

    /// Takes a write out of the outbox, and has everybody decided on whom it concerned.
    fn close(&self, change: &mut Change<'_>, owed: &Owed) -> Result<(), store::Error> {
        change.settle(&owed.intent);
        change.clear_attempted(&owed.intent.id)?;
        let concerned = match &owed.intent.owner {
            Owner::Person(person) => vec![person.clone()],
            Owner::Organisation(_) => change.take_waiting(&owed.intent.id)?,
        };
        for id in concerned {
            if let Some(person) = change.person(&id)? {
                intake::touch(change, &person)?;
            }
        }
        Ok(())
    }

    /// A conflict, or a refusal that asks to look again, is believed a few times for one write; then a person must look.
    fn lose_patience(&mut self, intent: &Intent, outcome: Outcome) -> Outcome {
        let reason = match &outcome {
            Outcome::Refused {
                reason,
                remedy: Remedy::LookAgain,
            } => reason.clone(),
            Outcome::Conflict { current } => {
                format!("{} {} stands in the way", current.kind, current.id)
            }
            _ => return outcome,
        };
        let looked = self.looked.entry(intent.id.clone()).or_default();
        *looked += 1;
        if *looked < LOOKS {
            return outcome;
        }
        Outcome::Refused {
            reason: format!("{reason} (still so after {looked} tries)"),
            remedy: Remedy::AskArbiter,
        }
    }

    async fn look_again(&mut self, records: Vec<Ref>) -> Result<(), store::Error> {
        let mut by_kind: BTreeMap<(Side, Kind), Vec<Id>> = BTreeMap::new();
        for record in records {
            by_kind
                .entry((record.side, record.kind))
                .or_default()
                .push(record.id);
        }
        for ((side, kind), ids) in by_kind {
            if let Some(found) = self.look_up(side, kind, ids.clone()).await? {
                blocking(|| self.compare_slice(side, kind, &ids, found))?;
            }
        }
        Ok(())
    }

    fn later(&self, owed: &Owed, outcome: &Outcome, now: Timestamp) -> Progress {
        match outcome {
            Outcome::Deferred { retry_after, .. } => {
                let backoff =
                    SignedDuration::from_secs(i64::from(2u32.saturating_pow(owed.attempts.min(9))));
                let wait = retry_after
                    .and_then(|wait| SignedDuration::try_from(wait).ok())
                    .unwrap_or(backoff);
                Progress::Waiting(now.checked_add(wait).unwrap_or(now))
            }
            _ => owed.progress,
        }
    }

    fn count(&mut self, intent: &Intent, outcome: &Outcome) {
        let counters = &mut self.knowledge.counters;
        counters.add("attempts", 1);
        match outcome {
            Outcome::Applied { .. } => {
                counters.add("writes", 1);
                match &intent.operation {
                    Operation::Create { kind, .. } => counters.add(&format!("created/{kind}"), 1),
                    Operation::Convert { .. } => counters.add("converted", 1),
                    Operation::Note { .. } => counters.add("notes", 1),
                    Operation::Update { set, .. } => {
                        counters.add(&format!("updated/{}", intent.side), 1);
                        if intent.lane == Lane::Disposition && set.contains_key(field::DISPOSITION)
                        {
                            counters.add("dispositions_delivered", 1);
                        }
                    }
                }
            }
            Outcome::Refused {
                remedy: Remedy::LookAgain,
                ..
            } => {}
            Outcome::Refused { .. } => counters.add("refused", 1),
            Outcome::Conflict { .. } => counters.add("conflicted", 1),
            Outcome::Deferred { .. } => counters.add("deferred", 1),
            Outcome::Unknown => counters.add("unknown", 1),
        }
    }
}

/// Under which id the refusal of a shared write is remembered: it speaks for this content, and somebody else's may be good.
fn refused_as(intent: &Intent) -> contract::IntentId {
    use sha2::{Digest, Sha256};
    let content =
        serde_json::to_string(&intent.operation).expect("operations are plain data with text keys");
    let digest: String = Sha256::digest(content.as_bytes())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    contract::IntentId(format!("{}-{digest}", intent.id))
}

/// What is new about a person, as lines of history.
fn record_news(change: &mut Change<'_>, before: Option<&Person>, decision: &Decision) {
    let after = &decision.person;
    let was = |pick: fn(&Person) -> bool| before.is_some_and(pick);
    let mut news = Vec::new();
    if after.opted_out && !was(|person| person.opted_out) {
        news.push("opted out".to_owned());
    }
    if after.handed_over.is_some() && !was(|person| person.handed_over.is_some()) {
        news.push("handed over to sales".to_owned());
    }
    if before.map_or(decide::Stage::Inquiry, |person| person.stage) != after.stage {
        news.push(format!("stage {}", after.stage));
    }
    let disposition = |person: &Person| person.verdict.as_ref().map(|verdict| verdict.disposition);
    if before.and_then(disposition) != disposition(after) {
        news.push(
            disposition(after).map_or("sales no longer says anything".to_owned(), |disposition| {
                format!("sales says {disposition}")
            }),
        );
    }
    for (question, review) in &after.reviews {
        if before.is_none_or(|before| before.reviews.get(question) != Some(review)) {
            news.push(format!("for the arbiter: {}", review.question));
        }
    }
    if !news.is_empty() {
        change.fact(json!({"fact": "decided", "person": after.id, "news": news, "reasons": decision.reasons, "stage": after.stage}));
    }
}
