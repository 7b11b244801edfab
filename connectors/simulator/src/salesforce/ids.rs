const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The 18-character id of the n-th record with this three-character prefix. Ids of one prefix sort in the order of n.
pub(super) fn id(prefix: &str, mut number: u64) -> String {
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(number % 62).expect("a remainder of 62 fits")];
        number /= 62;
    }
    let short = format!(
        "{prefix}Qy0{}",
        digits
            .iter()
            .map(|digit| char::from(*digit))
            .collect::<String>()
    );
    let checksum = checksum(&short);
    short + &checksum
}

/// An id in its 18-character form; `None` where it has neither the form of 15 nor of 18 characters.
pub(super) fn full(id: &str) -> Option<String> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => Some(format!("{id}{}", checksum(id))),
        18 if checksum(&id[..15]).eq_ignore_ascii_case(&id[15..]) => {
            Some(format!("{}{}", &id[..15], checksum(&id[..15])))
        }
        _ => None,
    }
}

/// The last three characters: each says which of five characters are upper case, so that ids survive the loss of case.
fn checksum(short: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    short
        .as_bytes()
        .chunks(5)
        .map(|chunk| {
            let bits = chunk
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0_usize, |bits, (place, _)| bits | 1 << place);
            char::from(alphabet[bits])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_checksum_of_their_case() {
        assert_eq!(
            full("001A0000006Vm9r").as_deref(),
            Some("001A0000006Vm9rIAC")
        );
        assert_eq!(
            full("001A0000006Vm9rIAC").as_deref(),
            Some("001A0000006Vm9rIAC")
        );
        assert_eq!(full("001A0000006Vm9rIAB"), None);
        assert_eq!(full("001A0000006Vm9"), None);
        assert_eq!(full("001A0000006Vm9'"), None);
    }

    #[test]
    fn ids_sort_in_the_order_of_their_making() {
        let ids: Vec<_> = (0..10_000)
            .step_by(7)
            .map(|number| id("00Q", number))
            .collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| full(id).as_ref() == Some(id)));
    }
}
