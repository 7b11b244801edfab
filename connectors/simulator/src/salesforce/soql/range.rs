use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// A named stretch of days, such as `TODAY` or `LAST_N_DAYS:7`. Days are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Range {
    /// Whole days, counted from today: from the first, up to but not including the second.
    Days(i64, i64),
    /// Whole calendar months, counted from this one.
    Months(i64, i64),
    /// Whole calendar years, counted from this one.
    Years(i64, i64),
}

impl Range {
    /// The range with this name, if there is one.
    pub(super) fn named(name: &str, count: Option<usize>) -> Option<Range> {
        let name = name.to_ascii_uppercase();
        let Some(count) = count else {
            return Some(match name.as_str() {
                "YESTERDAY" => Range::Days(-1, 0),
                "TODAY" => Range::Days(0, 1),
                "TOMORROW" => Range::Days(1, 2),
                "LAST_90_DAYS" => Range::Days(-90, 1),
                "NEXT_90_DAYS" => Range::Days(1, 91),
                "LAST_MONTH" => Range::Months(-1, 0),
                "THIS_MONTH" => Range::Months(0, 1),
                "NEXT_MONTH" => Range::Months(1, 2),
                "LAST_YEAR" => Range::Years(-1, 0),
                "THIS_YEAR" => Range::Years(0, 1),
                "NEXT_YEAR" => Range::Years(1, 2),
                _ => return None,
            });
        };
        // More days than the calendar has would overflow its arithmetic.
        let count = i64::try_from(count)
            .ok()
            .filter(|count| *count <= 100_000)?;
        Some(match name.as_str() {
            "LAST_N_DAYS" => Range::Days(-count, 1),
            "NEXT_N_DAYS" => Range::Days(1, count + 1),
            "N_DAYS_AGO" => Range::Days(-count, 1 - count),
            "LAST_N_MONTHS" => Range::Months(-count, 0),
            "NEXT_N_MONTHS" => Range::Months(1, count + 1),
            _ => return None,
        })
    }

    /// The first day and the day after the last one.
    pub(super) fn days(self, now: Timestamp) -> (Date, Date) {
        let today = now.to_zoned(TimeZone::UTC).date();
        let shifted = |from: Date, span: Span| from.saturating_add(span);
        match self {
            Range::Days(first, end) => (shifted(today, first.days()), shifted(today, end.days())),
            Range::Months(first, end) => {
                let month = today.first_of_month();
                (shifted(month, first.months()), shifted(month, end.months()))
            }
            Range::Years(first, end) => {
                let year = today.first_of_year();
                (shifted(year, first.years()), shifted(year, end.years()))
            }
        }
    }

    /// The first moment and the moment after the last one.
    pub(super) fn moments(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let (first, end) = self.days(now);
        (midnight(first), midnight(end))
    }
}

/// The start of a day in UTC; a day beyond the calendar's end counts as its last moment.
pub(super) fn midnight(day: Date) -> Timestamp {
    DateTime::from(day)
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
