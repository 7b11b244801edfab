//! Domains and addresses, read anew from their definitions (IDNA, Public Suffix List) and not from leadloop's reading of them.

use std::collections::BTreeSet;

/// The registrable domain of an e-mail address, in ASCII.
pub(crate) fn email_domain(email: &str) -> Option<String> {
    registrable(email.trim().rsplit_once('@')?.1)
}

/// The registrable domains of a web site field, which may hold several sites in any spelling.
pub(crate) fn website_domains(text: &str) -> BTreeSet<String> {
    let parts = text.split([' ', '\t', '\n', ',', ';', '|']);
    parts.filter_map(|part| registrable(host(part))).collect()
}

/// An e-mail address as a key: trimmed, in lower case. `None` where it cannot be delivered to.
pub(crate) fn address(email: &str) -> Option<String> {
    let email = email.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let local_fits =
        !local.is_empty() && !local.contains(['@', '(', ')', ',', ';', ':', '<', '>', '"', '\\']);
    let domain_fits = domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty())
        && !domain.contains('@');
    (local_fits
        && domain_fits
        && !email.contains(char::is_whitespace)
        && idna::domain_to_ascii(domain).is_ok())
    .then_some(email)
}

fn host(site: &str) -> &str {
    let site = site.split_once("://").map_or(site, |(_, rest)| rest);
    let site = site.split(['/', '?', '#']).next().unwrap_or_default();
    let site = site.rsplit_once('@').map_or(site, |(_, host)| host);
    site.split(':').next().unwrap_or_default()
}

fn registrable(host: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(host.trim().trim_end_matches('.')).ok()?;
    let domain = psl::domain(ascii.as_bytes())?;
    let known = domain.suffix().is_known();
    std::str::from_utf8(domain.as_bytes())
        .ok()
        .filter(|_| known)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_sites_in_every_spelling_name_their_domains() {
        for (site, domains) in [
            ("http://www.X-ray.COM/", &["x-ray.com"][..]),
            ("  www.nordwind.co.uk ", &["nordwind.co.uk"]),
            (
                "https://shop.nordwind.com.br:443/index.html?a=b",
                &["nordwind.com.br"],
            ),
            ("www.a.com; www.a.de", &["a.com", "a.de"]),
            ("https://müllerwind.de#top", &["xn--mllerwind-q9a.de"]),
            ("n/a", &[]),
            ("", &[]),
        ] {
            assert_eq!(
                website_domains(site).into_iter().collect::<Vec<_>>(),
                domains,
                "{site}"
            );
        }
    }

    #[test]
    fn an_address_is_a_key_only_if_it_can_be_delivered_to() {
        assert_eq!(
            address(" Jon.Abe@Nordwind.DE ").as_deref(),
            Some("jon.abe@nordwind.de")
        );
        for odd in [
            "",
            "jon",
            "jon@",
            "jon(at)company",
            "jon 22@mail",
            "jon@@web..de",
            "jon@mail",
        ] {
            assert_eq!(address(odd), None, "{odd}");
        }
    }
}
