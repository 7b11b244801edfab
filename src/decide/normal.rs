//! Values as they are compared: two values that mean the same are equal after normalising.

use contract::{Value, field};

/// The form in which two values of a field are compared; `None` is blank.
pub fn normal(field_name: &str, value: Option<&Value>) -> Option<String> {
    let value = value?;
    let text = value.to_string();
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(match field_name {
        field::EMAIL => text.to_lowercase(),
        field::PHONE => phone(text),
        field::COUNTRY => country(text),
        field::WEBSITE => text
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_lowercase(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

/// An e-mail address that identifies a person: trimmed, in lower case, and valid by RFC 5321/5322 syntax.
pub fn email(text: Option<&str>) -> Option<String> {
    let text = text?.trim().to_lowercase();
    email_address::EmailAddress::is_valid(&text).then_some(text)
}

fn phone(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (
        text.trim_start().starts_with('+'),
        digits.strip_prefix("00"),
    ) {
        (true, _) => format!("+{digits}"),
        (false, Some(rest)) => format!("+{rest}"),
        (false, None) if digits.is_empty() => text.to_lowercase(),
        (false, None) => digits,
    }
}

/// Names and codes of countries that are often written in several ways (ISO 3166-1 alpha-2 on the right).
const COUNTRIES: [(&str, &str); 58] = [
    ("united states", "us"),
    ("united states of america", "us"),
    ("usa", "us"),
    ("u.s.a.", "us"),
    ("u.s.", "us"),
    ("america", "us"),
    ("united kingdom", "gb"),
    ("uk", "gb"),
    ("u.k.", "gb"),
    ("great britain", "gb"),
    ("england", "gb"),
    ("germany", "de"),
    ("deutschland", "de"),
    ("austria", "at"),
    ("österreich", "at"),
    ("switzerland", "ch"),
    ("schweiz", "ch"),
    ("suisse", "ch"),
    ("france", "fr"),
    ("spain", "es"),
    ("españa", "es"),
    ("italy", "it"),
    ("italia", "it"),
    ("netherlands", "nl"),
    ("the netherlands", "nl"),
    ("nederland", "nl"),
    ("holland", "nl"),
    ("belgium", "be"),
    ("belgië", "be"),
    ("belgique", "be"),
    ("sweden", "se"),
    ("sverige", "se"),
    ("norway", "no"),
    ("norge", "no"),
    ("denmark", "dk"),
    ("danmark", "dk"),
    ("finland", "fi"),
    ("suomi", "fi"),
    ("poland", "pl"),
    ("polska", "pl"),
    ("portugal", "pt"),
    ("ireland", "ie"),
    ("czech republic", "cz"),
    ("czechia", "cz"),
    ("brazil", "br"),
    ("brasil", "br"),
    ("mexico", "mx"),
    ("méxico", "mx"),
    ("canada", "ca"),
    ("australia", "au"),
    ("new zealand", "nz"),
    ("japan", "jp"),
    ("日本", "jp"),
    ("china", "cn"),
    ("india", "in"),
    ("singapore", "sg"),
    ("south korea", "kr"),
    ("turkey", "tr"),
];

/// A country as its two-letter code where it is a well-known spelling, else in lower case.
pub fn country(text: &str) -> String {
    let text = text.trim().to_lowercase();
    match COUNTRIES.iter().find(|(name, _)| *name == text) {
        Some((_, code)) => (*code).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_compares_equal() {
        for (name, one, other) in [
            (field::EMAIL, "Ada@Example.com ", "ada@example.com"),
            (field::PHONE, "+49 (30) 123-456", "0049 30 123456"),
            (field::COUNTRY, "Deutschland", "DE"),
            (field::COUNTRY, "USA", "United States"),
            (field::WEBSITE, "https://Acme.com/", "acme.com"),
            (field::CITY, "New  York ", "New York"),
        ] {
            assert_eq!(
                normal(name, Some(&one.into())),
                normal(name, Some(&other.into())),
                "{one} ~ {other}"
            );
        }
    }

    #[test]
    fn what_differs_stays_different() {
        assert_ne!(
            normal(field::PHONE, Some(&"030 123456".into())),
            normal(field::PHONE, Some(&"+49 30 123456".into()))
        );
        assert_ne!(
            normal(field::TITLE, Some(&"cto".into())),
            normal(field::TITLE, Some(&"CTO".into()))
        );
        assert_eq!(normal(field::TITLE, Some(&"  ".into())), None);
    }

    #[test]
    fn only_an_address_identifies() {
        assert_eq!(
            email(Some(" Ada@Example.com")).as_deref(),
            Some("ada@example.com")
        );
        for odd in ["", "ada", "ada@", "@example.com", "ada example.com"] {
            assert_eq!(email(Some(odd)), None, "{odd}");
        }
    }
}
