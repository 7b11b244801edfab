//! When two spellings are one value.

use contract::field;
use std::{collections::BTreeMap, sync::LazyLock};

/// A value as it is compared; `None` where it is blank.
pub(super) fn normal(name: &str, value: Option<&str>) -> Option<String> {
    let text = value?.trim();
    if text.is_empty() {
        return None;
    }
    Some(match name {
        field::EMAIL => text.to_lowercase(),
        field::PHONE => digits(text),
        field::COUNTRY => country(text),
        field::WEBSITE => text
            .to_lowercase()
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

/// The digits alone; a leading 00 is a plus.
fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits
        .strip_prefix("00")
        .map_or(digits.clone(), str::to_owned)
}

fn country(text: &str) -> String {
    static CODES: LazyLock<BTreeMap<String, &str>> =
        LazyLock::new(crate::population::country_codes);
    let text = text.to_lowercase();
    CODES.get(&text).map_or(text, |code| (*code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (name, one, other) in [
            (field::PHONE, "+49 (30) 123-456", "0049 30 123456"),
            (field::COUNTRY, "Deutschland", "Germany"),
            (field::COUNTRY, "USA", "united states"),
            (field::WEBSITE, "HTTPS://Acme.com/", "acme.com"),
            (field::CITY, " New  York", "New York"),
        ] {
            assert_eq!(
                normal(name, Some(one)),
                normal(name, Some(other)),
                "{one} ~ {other}"
            );
        }
        assert_ne!(
            normal(field::TITLE, Some("cto")),
            normal(field::TITLE, Some("CTO"))
        );
    }
}
