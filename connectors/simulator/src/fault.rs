//! What goes wrong between a vendor and its callers, by script or by seed.
//!
//! A fault strikes requests whose `METHOD /path?query` contains a text, on the n-th match, every k-th, or by a chance drawn from a
//! seed: the same seed and the same requests fail alike.

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The vendor refuses with this status and does nothing. With a `Retry-After` in seconds where given.
    Answer(u16, Option<u64>),
    /// The vendor does its work, and a gateway answers with this status all the same.
    AppliedButAnswer(u16),
    /// The vendor does its work, and the answer is lost.
    LostAnswer,
    /// The request is lost, and the caller cannot tell whether it arrived.
    LostRequest,
    /// No connection: the caller knows that nothing was sent.
    Refused,
    /// The answer comes late.
    Delay(Duration),
    /// The vendor does the first half of a batch; a gateway answers 504.
    HalfBatch,
    /// The vendor does its work and answers with half a JSON text.
    Malformed,
    /// The vendor does nothing; a proxy answers 200 with a page of HTML.
    Html,
}

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// On the n-th request that matches, from 1.
    Nth(u64),
    /// On every k-th request that matches.
    Every(u64),
    /// On every request that matches.
    Always,
    /// On this many of a thousand, by the seed.
    PerMille(u16),
}

/// One fault in waiting.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Strikes requests whose `METHOD /path?query` contains this. Empty: all.
    pub matching: String,
    /// When.
    pub when: When,
    /// What happens.
    pub effect: Effect,
    seen: u64,
    struck: u64,
}

impl Fault {
    /// A fault that has not struck yet.
    pub fn new(matching: impl Into<String>, when: When, effect: Effect) -> Self {
        Fault {
            matching: matching.into(),
            when,
            effect,
            seen: 0,
            struck: 0,
        }
    }
}

/// The faults of one site.
#[derive(Debug)]
pub struct Faults {
    faults: Vec<Fault>,
    chance: StdRng,
}

impl Default for Faults {
    fn default() -> Self {
        Faults::seeded(0)
    }
}

impl Faults {
    /// No faults yet; chances will be drawn from the seed.
    pub fn seeded(seed: u64) -> Self {
        Faults {
            faults: Vec::new(),
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// Adds a fault. Where several strike one request, the first added wins.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// From now on nothing goes wrong.
    pub fn clear(&mut self) {
        self.faults.clear();
    }

    /// How often any fault has struck.
    pub fn struck(&self) -> u64 {
        self.faults.iter().map(|fault| fault.struck).sum()
    }

    /// What happens to this request. Every fault that matches counts it.
    pub fn judge(&mut self, request: &str) -> Option<Effect> {
        let mut effect = None;
        for fault in &mut self.faults {
            if !request.contains(&fault.matching) {
                continue;
            }
            fault.seen += 1;
            let strikes = match fault.when {
                When::Nth(place) => fault.seen == place,
                When::Every(step) => step > 0 && fault.seen.is_multiple_of(step),
                When::Always => true,
                When::PerMille(share) => self.chance.random_range(0..1000) < share,
            };
            if strikes && effect.is_none() {
                fault.struck += 1;
                effect = Some(fault.effect.clone());
            }
        }
        effect
    }
}

/// The first half (rounded up) of a JSON batch; a body with no batch in it stays whole.
pub(crate) fn first_half(body: &Bytes) -> Bytes {
    let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(body) else {
        return body.clone();
    };
    for name in ["inputs", "records", "compositeRequest", "batchRequests"] {
        if let Some(items) = json.get_mut(name).and_then(serde_json::Value::as_array_mut) {
            items.truncate(items.len().div_ceil(2));
            return Bytes::from(json.to_string());
        }
    }
    body.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripted_faults_strike_on_their_call_only() {
        let mut faults = Faults::default();
        faults.add(Fault::new("POST /crm", When::Nth(2), Effect::LostAnswer));
        let struck: Vec<bool> = ["POST /crm/a", "GET /crm/a", "POST /crm/b", "POST /crm/c"]
            .iter()
            .map(|request| faults.judge(request).is_some())
            .collect();
        assert_eq!(struck, [false, false, true, false]);
        assert_eq!(faults.struck(), 1);
    }

    #[test]
    fn chances_repeat_with_the_seed() {
        let run = |seed| {
            let mut faults = Faults::seeded(seed);
            faults.add(Fault::new("", When::PerMille(300), Effect::Html));
            (0..50)
                .map(|_| faults.judge("GET /").is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn half_a_batch_is_its_first_half() {
        let half = first_half(&Bytes::from_static(br#"{"inputs":[1,2,3]}"#));
        assert_eq!(half, Bytes::from_static(br#"{"inputs":[1,2]}"#));
    }
}
