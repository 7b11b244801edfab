//! The word lists that people, places and companies are drawn from.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use std::{collections::BTreeMap, sync::LazyLock};

/// All lists, read once per population.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) places: Vec<Place>,
    names: BTreeMap<&'static str, Names>,
    words: BTreeMap<&'static str, Vec<&'static str>>,
}

/// A country and what is usual in it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) code: &'static str,
    pub(crate) country: &'static str,
    pub(crate) spellings: Vec<&'static str>,
    pub(crate) dial: &'static str,
    pub(crate) endings: Vec<&'static str>,
    pub(crate) legal_forms: Vec<&'static str>,
    /// City and state.
    pub(crate) cities: Vec<(&'static str, &'static str)>,
}

/// A name as its bearer writes it, and as it stands in an e-mail address.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) written: &'static str,
    pub(crate) latin: String,
}

#[derive(Debug, Default)]
struct Names {
    given: Vec<Name>,
    family: Vec<Name>,
}

impl Lists {
    pub(crate) fn read() -> Lists {
        let places = lines(include_str!("places.txt")).map(place).collect();
        let names = lines(include_str!("names.txt"))
            .map(|line| {
                let mut parts = line.split('|');
                let code = parts.next().unwrap_or_default();
                let mut list = || comma(parts.next().unwrap_or_default()).map(name).collect();
                (
                    code,
                    Names {
                        given: list(),
                        family: list(),
                    },
                )
            })
            .collect();
        let words = lines(include_str!("words.txt"))
            .filter_map(|line| line.split_once(": "))
            .map(|(key, list)| (key, comma(list).collect()))
            .collect();
        Lists {
            places,
            names,
            words,
        }
    }

    /// The words under a heading of `words.txt`; empty where there is no such heading.
    pub(crate) fn words(&self, heading: &str) -> &[&'static str] {
        self.words.get(heading).map_or(&[], Vec::as_slice)
    }

    /// One word under a heading.
    pub(crate) fn word(&self, heading: &str, rng: &mut StdRng) -> &'static str {
        self.words(heading).choose(rng).copied().unwrap_or_default()
    }

    /// A given and a family name as they meet in this country: where people come from everywhere, so do the names.
    pub(crate) fn person(&self, place: &Place, rng: &mut StdRng) -> (Name, Name) {
        let mixed = matches!(
            place.code,
            "US" | "GB" | "CA" | "AU" | "DE" | "FR" | "NL" | "SE"
        );
        let code = if mixed && rng.random_bool(0.3) {
            self.anywhere(rng)
        } else {
            place.code
        };
        let family_code = if mixed && rng.random_bool(0.1) {
            self.anywhere(rng)
        } else {
            code
        };
        (
            self.pick(code, |names| &names.given, rng),
            self.pick(family_code, |names| &names.family, rng),
        )
    }

    /// One place, the larger markets more often.
    pub(crate) fn place(&self, rng: &mut StdRng) -> usize {
        let large = self.places.len().min(8);
        if rng.random_bool(0.55) {
            rng.random_range(0..large)
        } else {
            rng.random_range(0..self.places.len())
        }
    }

    fn anywhere(&self, rng: &mut StdRng) -> &'static str {
        self.places.choose(rng).map_or("US", |place| place.code)
    }

    fn pick(&self, code: &str, list: impl Fn(&Names) -> &Vec<Name>, rng: &mut StdRng) -> Name {
        let names = self.names.get(code).or_else(|| self.names.values().next());
        names
            .and_then(|names| list(names).choose(rng))
            .cloned()
            .unwrap_or(Name {
                written: "Nemo",
                latin: "nemo".to_owned(),
            })
    }
}

/// Countries by every spelling in the lists, in lower case, to the country's code.
pub(crate) fn country_codes() -> BTreeMap<String, &'static str> {
    let mut codes = BTreeMap::new();
    for place in lines(include_str!("places.txt")).map(place) {
        for spelling in place.spellings.iter().chain([&place.country, &place.code]) {
            codes.insert(spelling.to_lowercase(), place.code);
        }
    }
    codes
}

/// Domains of public mail providers in the lists.
pub(crate) fn freemail() -> &'static [&'static str] {
    static LIST: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let list =
            lines(include_str!("words.txt")).find_map(|line| line.strip_prefix("freemail: "));
        comma(list.unwrap_or_default()).collect()
    });
    &LIST
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn comma(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn place(line: &'static str) -> Place {
    let mut parts = line.split('|');
    let mut part = || parts.next().unwrap_or_default();
    Place {
        code: part(),
        country: part(),
        spellings: comma(part()).collect(),
        dial: part(),
        endings: comma(part()).collect(),
        legal_forms: comma(part()).collect(),
        cities: comma(part())
            .filter_map(|city| city.split_once('/'))
            .collect(),
    }
}

fn name(entry: &'static str) -> Name {
    match entry.split_once('=') {
        Some((written, latin)) => Name {
            written,
            latin: fold(latin),
        },
        None => Name {
            written: entry,
            latin: fold(entry),
        },
    }
}

/// Lower-case ASCII letters and digits as people put their names into addresses; hyphens stay, the rest goes.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::new();
    for letter in text.to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' | '-' => folded.push(letter),
            _ => folded.push_str(
                FOLDS
                    .iter()
                    .find(|(from, _)| from.contains(letter))
                    .map_or("", |(_, to)| to),
            ),
        }
    }
    folded.trim_matches('-').to_owned()
}

const FOLDS: [(&str, &str); 27] = [
    ("áàâãāăąạảấầẩẫậắằẳẵặǎ", "a"),
    ("äæ", "ae"),
    ("å", "a"),
    ("ćčç", "c"),
    ("ďđð", "d"),
    ("éèêëēĕėęěẹẻẽếềểễệ", "e"),
    ("ğģ", "g"),
    ("íìîïīįıịỉĩǐ", "i"),
    ("ķ", "k"),
    ("łľĺļ", "l"),
    ("ñńňņ", "n"),
    ("óòôõōőọỏốồổỗộơớờởỡợǒɔ", "o"),
    ("öø", "oe"),
    ("œ", "oe"),
    ("ŕřŗ", "r"),
    ("śšşșṣ", "s"),
    ("ß", "ss"),
    ("ťţț", "t"),
    ("úùûūŭůűųụủũưứừửữự", "u"),
    ("üǚǜ", "ue"),
    ("ý", "y"),
    ("ÿ", "y"),
    ("źżž", "z"),
    ("þ", "th"),
    ("ẹ́", "e"),
    ("ş", "s"),
    ("ě", "e"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_names_cities_and_endings() {
        let lists = Lists::read();
        assert!(lists.places.len() > 35);
        for place in &lists.places {
            assert!(
                lists.names.contains_key(place.code),
                "{} has no names",
                place.code
            );
            assert!(
                !place.cities.is_empty()
                    && !place.endings.is_empty()
                    && !place.legal_forms.is_empty(),
                "{}",
                place.code
            );
        }
        for names in lists.names.values() {
            for name in names.given.iter().chain(&names.family) {
                assert!(!name.latin.is_empty(), "{} folds to nothing", name.written);
            }
        }
        let given: usize = lists.names.values().map(|names| names.given.len()).sum();
        let family: usize = lists.names.values().map(|names| names.family.len()).sum();
        assert!(
            given > 300 && family > 300,
            "{given} given and {family} family names"
        );
    }

    #[test]
    fn names_fold_as_people_write_them_in_addresses() {
        for (name, folded) in [
            ("Jürgen", "juergen"),
            ("Ødegård", "oedegard"),
            ("O'Donnell", "odonnell"),
            ("Đặng", "dang"),
            ("Weiß", "weiss"),
        ] {
            assert_eq!(fold(name), folded);
        }
    }
}
