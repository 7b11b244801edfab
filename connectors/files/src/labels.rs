use crate::dialect::{Dialect, plain};
use contract::{Value, field};

/// Values of HubSpot's own lists that an export shows by label and its interface by internal value.
const LABELS: &[(&str, &[&str])] = &[
    (
        field::STATUS,
        &[
            "NEW",
            "OPEN",
            "IN_PROGRESS",
            "OPEN_DEAL",
            "UNQUALIFIED",
            "ATTEMPTED_TO_CONTACT",
            "CONNECTED",
            "BAD_TIMING",
        ],
    ),
    (
        field::LEAD_SOURCE,
        &[
            "ORGANIC_SEARCH",
            "PAID_SEARCH",
            "EMAIL_MARKETING",
            "SOCIAL_MEDIA",
            "REFERRALS",
            "OTHER_CAMPAIGNS",
            "DIRECT_TRAFFIC",
            "OFFLINE_SOURCES",
            "PAID_SOCIAL",
            "AI_REFERRALS",
        ],
    ),
    (
        field::LIFECYCLE,
        &[
            "subscriber",
            "lead",
            "marketingqualifiedlead",
            "salesqualifiedlead",
            "opportunity",
            "customer",
            "evangelist",
            "other",
        ],
    ),
];

/// A label of HubSpot's own lists as its internal value; what is not such a label stays as it is.
pub(crate) fn internal(dialect: Dialect, name: &str, value: Value) -> Value {
    let (Dialect::Hubspot, Some(text)) = (dialect, value.as_text()) else {
        return value;
    };
    let label = plain(text);
    let lists = LABELS.iter().filter(|(field, _)| *field == name);
    let found = lists
        .flat_map(|(_, list)| list.iter())
        .find(|internal| plain(internal) == label);
    match found {
        // The one label that is not its internal value in other letters.
        Some(&"OFFLINE_SOURCES") => Value::from("OFFLINE"),
        Some(internal) => Value::from(*internal),
        None => value,
    }
}
