//! Companies: invented names with the legal forms of their country, domains that follow from the name or do not, and
//! the ways in which people write down a web site.

use super::lists::{Lists, Place, fold};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use std::collections::BTreeSet;

/// A company as it is, whatever a system knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    /// Its place in [`Lists::places`].
    pub(crate) place: usize,
    /// Name without the legal form.
    pub(crate) brand: String,
    /// Name with the legal form.
    pub(crate) name: String,
    /// Domain of its web site as people write it; it may hold letters beyond ASCII.
    pub(crate) domain: String,
    /// Domain of its people's e-mail addresses, in ASCII. Usually the same.
    pub(crate) mail_domain: String,
    pub(crate) industry: &'static str,
}

/// Invents companies, no domain twice.
#[derive(Debug, Default)]
pub(crate) struct Founder {
    taken: BTreeSet<String>,
}

impl Founder {
    pub(crate) fn found(&mut self, lists: &Lists, rng: &mut StdRng) -> Company {
        let place = lists.place(rng);
        let here = &lists.places[place];
        let brand = brand(lists, here, rng);
        let domain = self.domain(lists, here, &brand, rng);
        let mail_domain = if rng.random_bool(0.05) {
            self.fresh(&fold(&stem(lists, rng)), here, rng)
        } else {
            idna::domain_to_ascii(&domain).unwrap_or_else(|_| fold(&domain))
        };
        let name = with_legal_form(&brand, here, rng);
        Company {
            place,
            brand,
            name,
            domain,
            mail_domain,
            industry: lists.word("industries", rng),
        }
    }

    fn domain(&mut self, lists: &Lists, place: &Place, brand: &str, rng: &mut StdRng) -> String {
        // One in twelve companies trades under another name than its web site's.
        if rng.random_bool(0.08) {
            return self.fresh(&fold(&stem(lists, rng)), place, rng);
        }
        let words: Vec<&str> = brand
            .split([' ', '&'])
            .filter(|word| !word.is_empty())
            .collect();
        let beyond_ascii = !brand.is_ascii();
        if beyond_ascii && rng.random_bool(0.5) {
            // An apostrophe is part of a name and of no domain.
            let written: String = words
                .concat()
                .to_lowercase()
                .chars()
                .filter(|letter| letter.is_alphanumeric())
                .collect();
            if idna::domain_to_ascii(&format!("{written}.com")).is_ok() {
                return self.fresh(&written, place, rng);
            }
        }
        let folded: Vec<String> = words
            .iter()
            .map(|word| fold(word))
            .filter(|word| !word.is_empty())
            .collect();
        let label = match rng.random_range(0..10) {
            0..4 => folded.concat(),
            4..7 => folded.join("-"),
            7..9 => folded.first().cloned().unwrap_or_default(),
            _ => {
                let initials: String = folded
                    .iter()
                    .filter_map(|word| word.chars().next())
                    .collect();
                format!(
                    "{initials}-{}",
                    ["group", "online", "gruppe", "hq"][rng.random_range(0..4)]
                )
            }
        };
        self.fresh(&label, place, rng)
    }

    /// A domain that nobody has yet.
    fn fresh(&mut self, label: &str, place: &Place, rng: &mut StdRng) -> String {
        let label = if label.is_empty() { "company" } else { label };
        let ending = place.endings.choose(rng).copied().unwrap_or("com");
        let mut domain = format!("{label}.{ending}");
        let mut number = 1;
        while !self.taken.insert(domain.clone()) {
            number += 1;
            domain = format!("{label}{number}.{ending}");
        }
        domain
    }
}

fn stem(lists: &Lists, rng: &mut StdRng) -> String {
    format!("{}{}", lists.word("heads", rng), lists.word("tails", rng))
}

fn brand(lists: &Lists, place: &Place, rng: &mut StdRng) -> String {
    let word = lists.word(words_of(place.code), rng);
    match rng.random_range(0..20) {
        0..11 => format!("{} {word}", stem(lists, rng)),
        11..14 => stem(lists, rng),
        14..16 => format!("{} {word}", lists.person(place, rng).1.written),
        16 => format!(
            "{} & {}",
            lists.person(place, rng).1.written,
            lists.person(place, rng).1.written
        ),
        17 => {
            let letters: String = (0..3)
                .map(|_| char::from(b'A' + rng.random_range(0..26u8)))
                .collect();
            format!("{letters} {} {word}", stem(lists, rng))
        }
        18 => format!("{} {word}", lists.word("umlauts", rng)),
        _ => lists.word("umlauts", rng).to_owned(),
    }
}

fn words_of(code: &str) -> &'static str {
    match code {
        "DE" | "AT" | "CH" => "words.de",
        "FR" | "BE" => "words.fr",
        "ES" | "MX" | "AR" => "words.es",
        "PT" | "BR" => "words.pt",
        "IT" => "words.it",
        "NL" => "words.nl",
        "SE" | "NO" | "DK" | "FI" | "IS" => "words.nordic",
        _ => "words.en",
    }
}

/// A company's name with a legal form of this place.
pub(crate) fn with_legal_form(brand: &str, place: &Place, rng: &mut StdRng) -> String {
    match place.legal_forms.choose(rng) {
        Some(form) if place.code == "ID" => format!("{form} {brand}"),
        Some(form) => format!("{brand} {form}"),
        None => brand.to_owned(),
    }
}

/// A company's name as somebody types it into a form.
pub(crate) fn as_typed(company: &Company, rng: &mut StdRng) -> String {
    match rng.random_range(0..20) {
        0..9 => company.name.clone(),
        9..16 => company.brand.clone(),
        16 => company.brand.to_uppercase(),
        17 => company.brand.to_lowercase(),
        18 => format!("{}  ", company.name),
        _ => company.name.replace('.', ""),
    }
}

/// A web site as somebody typed it into a CRM. Always names the domain, once in a while beside another.
pub(crate) fn website(domain: &str, rng: &mut StdRng) -> String {
    match rng.random_range(0..100) {
        0..38 => format!("https://www.{domain}"),
        38..54 => format!("http://www.{domain}/"),
        54..68 => domain.to_owned(),
        68..78 => format!("www.{domain}"),
        78..84 => format!("HTTP://WWW.{}", domain.to_uppercase()),
        84..89 => format!("https://{domain}/en/contact"),
        89..93 => format!("  www.{domain} "),
        93..96 => format!("https://shop.{domain}:443/index.html?utm_source=crm"),
        96..98 => format!("https://{domain}#top"),
        _ => format!("www.{domain}; www.{}", other_ending(domain)),
    }
}

fn other_ending(domain: &str) -> String {
    let label = domain.split('.').next().unwrap_or(domain);
    if domain.ends_with(".com") {
        format!("{label}.net")
    } else {
        format!("{label}.com")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn companies_are_many_and_no_domain_comes_twice() {
        let lists = Lists::read();
        let mut rng = StdRng::seed_from_u64(5);
        let mut founder = Founder::default();
        let companies: Vec<Company> = (0..6_000)
            .map(|_| founder.found(&lists, &mut rng))
            .collect();
        let domains: BTreeSet<&str> = companies
            .iter()
            .map(|company| company.domain.as_str())
            .collect();
        assert_eq!(domains.len(), companies.len());
        let names: BTreeSet<&str> = companies
            .iter()
            .map(|company| company.name.as_str())
            .collect();
        assert!(names.len() > 5_500, "{} names", names.len());
        assert!(
            companies
                .iter()
                .any(|company| company.mail_domain.starts_with("xn--")),
            "an internationalised domain"
        );
        for company in &companies {
            assert!(
                idna::domain_to_ascii(&company.domain).is_ok(),
                "{}",
                company.domain
            );
            assert!(company.mail_domain.is_ascii(), "{}", company.mail_domain);
        }
    }
}
