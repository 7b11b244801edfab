//! Turns a parser's complaint about an unknown word into one with a suggestion.

/// Adds "did you mean …" to serde's messages about unknown fields and variants.
pub fn with_suggestion(message: &str) -> String {
    let message = message.trim().replace('\n', " ");
    if !message.starts_with("unknown ") {
        return message;
    }
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = quoted.split_first() else {
        return message;
    };
    match nearest(unknown, known) {
        Some(word) => format!("{message}; did you mean `{word}`?"),
        None => message,
    }
}

/// The known word that is nearest to a misspelt one, if any is near.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        assert!(
            with_suggestion("unknown field `agrement`, expected one of `agreement`, `every`")
                .ends_with("did you mean `agreement`?")
        );
        assert_eq!(
            with_suggestion("unknown field `zzzzzz`, expected `every`"),
            "unknown field `zzzzzz`, expected `every`"
        );
        assert_eq!(
            with_suggestion("invalid type: integer"),
            "invalid type: integer"
        );
    }
}
