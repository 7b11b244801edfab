//! Domains as companies register them: in ASCII (IDNA, RFC 5891), cut to the registrable part by the Public Suffix List.

use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fmt, sync::LazyLock};

/// A registrable domain in ASCII and lower case (`example.co.uk`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Domain(String);

impl Domain {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The registrable domain of a host name, if it has one: not an address, not a bare suffix, under a suffix that exists.
pub fn parse(host: &str) -> Option<Domain> {
    let host = host.trim().trim_end_matches('.');
    let ascii = idna::domain_to_ascii(host).ok()?;
    let domain = psl::domain(ascii.as_bytes())?;
    if !domain.suffix().is_known() {
        return None;
    }
    Some(Domain(
        std::str::from_utf8(domain.as_bytes()).ok()?.to_owned(),
    ))
}

/// The domain of an e-mail address.
pub fn of_email(email: Option<&str>) -> Option<Domain> {
    let email = crate::decide::normal::email(email)?;
    parse(email.rsplit_once('@')?.1)
}

/// The domain of a web site as people write it: with or without scheme, `www`, port and path.
pub fn of_website(website: Option<&str>) -> Option<Domain> {
    all_of(website?).into_iter().next()
}

/// Every domain in a field that may hold several web sites, or an e-mail address, in the order they stand there.
pub fn all_of(text: &str) -> Vec<Domain> {
    let mut domains = Vec::new();
    for part in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|')) {
        let rest = part.split_once("://").map_or(part, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let host = host.split(':').next().unwrap_or_default();
        if let Some(domain) = parse(host)
            && !domains.contains(&domain)
        {
            domains.push(domain);
        }
    }
    domains
}

/// Whether a domain gives mail addresses to the public.
pub fn is_free_mail(domain: &Domain) -> bool {
    static LIST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        include_str!("free_mail.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect()
    });
    LIST.contains(domain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(website: &str, expected: &[&str]) {
        assert_eq!(
            all_of(website)
                .iter()
                .map(Domain::as_str)
                .collect::<Vec<_>>(),
            expected,
            "{website}"
        );
    }

    #[test]
    fn web_sites_as_people_write_them() {
        check("http://www.Acme.com/", &["acme.com"]);
        check("acme.co.uk", &["acme.co.uk"]);
        check("https://shop.acme.co.uk:8443/en?x=1#top", &["acme.co.uk"]);
        check(" ACME.COM. ", &["acme.com"]);
        check("acme.com; www.acme.de", &["acme.com", "acme.de"]);
        check("info@acme.com", &["acme.com"]);
        check("https://müller.de", &["xn--mller-kva.de"]);
    }

    #[test]
    fn a_shop_on_a_hosting_suffix_is_its_own_company_and_a_department_is_its_universitys() {
        check("https://tea.myshopify.com", &["tea.myshopify.com"]);
        check("cs.ox.ac.uk", &["ox.ac.uk"]);
    }

    #[test]
    fn what_is_no_domain_is_none() {
        for text in [
            "",
            "n/a",
            "none",
            "co.uk",
            "192.168.1.1",
            "localhost",
            "http://",
            "acme.invalidsuffix",
            "...",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn public_mail_providers_are_known() {
        assert!(is_free_mail(&parse("gmail.com").expect("a domain")));
        assert!(is_free_mail(&of_email(Some("x@gmx.de")).expect("a domain")));
        assert!(!is_free_mail(&parse("acme.com").expect("a domain")));
    }
}
