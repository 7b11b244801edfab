//! What a portal lets its callers spend: calls per ten seconds, searches per second, calls per day.
//!
//! Source: HubSpot's usage guidelines (developer tooling, platform). Searches have a bucket of their own and no headers.

use super::request::Problem;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;
use std::collections::VecDeque;

/// Calls spent so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    recent: VecDeque<Timestamp>,
    searches: VecDeque<Timestamp>,
    day: Option<Date>,
    pub(super) today: u64,
}

/// What may be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps<'a> {
    pub(super) ten_secondly: u32,
    pub(super) search_per_second: u32,
    pub(super) daily: u64,
    pub(super) zone: &'a TimeZone,
}

impl Limits {
    /// Spends one call, or refuses it.
    pub(super) fn spend(
        &mut self,
        caps: Caps<'_>,
        is_search: bool,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.turn(caps.zone, now);
        if self.today >= caps.daily {
            return Err(exceeded("You have reached your daily limit.", "DAILY"));
        }
        let (calls, cap, span) = match is_search {
            true => (
                &mut self.searches,
                caps.search_per_second,
                SignedDuration::from_secs(1),
            ),
            false => (
                &mut self.recent,
                caps.ten_secondly,
                SignedDuration::from_secs(10),
            ),
        };
        while calls
            .front()
            .is_some_and(|at| now.duration_since(*at) >= span)
        {
            calls.pop_front();
        }
        if calls.len() >= cap as usize {
            return Err(match is_search {
                true => exceeded("You have reached your secondly limit.", "SECONDLY"),
                false => exceeded(
                    "You have reached your ten_secondly_rolling limit.",
                    "TEN_SECONDLY_ROLLING",
                ),
            });
        }
        calls.push_back(now);
        self.today += 1;
        Ok(())
    }

    /// The daily count starts over at the portal's midnight.
    pub(super) fn turn(&mut self, zone: &TimeZone, now: Timestamp) {
        let day = now.to_zoned(zone.clone()).date();
        if self.day != Some(day) {
            self.day = Some(day);
            self.today = 0;
        }
    }

    /// The headers that every answer but a search's bears. A token from OAuth sees no daily figures.
    pub(super) fn headers(&self, caps: Caps<'_>, oauth: bool, headers: &mut HeaderMap) {
        let left = u64::from(caps.ten_secondly).saturating_sub(self.recent.len() as u64);
        headers.insert(
            "x-hubspot-ratelimit-max",
            HeaderValue::from(caps.ten_secondly),
        );
        headers.insert("x-hubspot-ratelimit-remaining", HeaderValue::from(left));
        headers.insert(
            "x-hubspot-ratelimit-interval-milliseconds",
            HeaderValue::from_static("10000"),
        );
        if !oauth {
            headers.insert("x-hubspot-ratelimit-daily", HeaderValue::from(caps.daily));
            headers.insert(
                "x-hubspot-ratelimit-daily-remaining",
                HeaderValue::from(caps.daily.saturating_sub(self.today)),
            );
        }
    }
}

fn exceeded(message: &str, policy: &str) -> Problem {
    let mut problem = Problem::new(429, "RATE_LIMITS", message);
    problem.extra = json!({ "errorType": "RATE_LIMIT", "policyName": policy });
    problem
}
