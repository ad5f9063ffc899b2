//! Operations named by a part of their identity: nobody types 32 digits.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::AttemptId;

/// How many hexadecimal digits an identity has.
const DIGITS: usize = 32;

/// The fewest digits that name an operation: with less, nearly every operation would be meant by chance.
pub const MIN_ID_DIGITS: usize = 4;

/// How many digits a list shows at least. The end of an identity is random: of a million operations, one in four thousand has the
/// same eight as another.
const SHOWN_DIGITS: usize = 8;

/// Before which digits the usual text of a UUID has a dash.
const DASHES: [usize; 4] = [8, 12, 16, 20];

/// The identity of an operation, or as much of its beginning or its end as somebody has written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdPart(String);

/// A text that is no part of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the id of an operation, a UUID such as `parsec trace` lists them, or at least {MIN_ID_DIGITS} digits of its beginning or its end"
)]
pub struct NoIdPart;

impl FromStr for IdPart {
    type Err = NoIdPart;

    fn from_str(text: &str) -> Result<Self, NoIdPart> {
        let digits: String = text.trim_matches('…').chars().filter(|c| *c != '-').collect();
        let is_part = (MIN_ID_DIGITS..=DIGITS).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
        if is_part { Ok(Self(digits.to_ascii_lowercase())) } else { Err(NoIdPart) }
    }
}

impl fmt::Display for IdPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u128::from_str_radix(&self.0, 16) {
            Ok(whole) if self.0.len() == DIGITS => write!(f, "{}", Uuid::from_u128(whole)),
            _ => f.pad(&self.0),
        }
    }
}

impl IdPart {
    /// The first and the last identity that begin like this.
    pub fn range(&self) -> (AttemptId, AttemptId) {
        let filled = |digit: &str| format!("{}{}", self.0, digit.repeat(DIGITS - self.0.len()));
        let read = |digits: String| AttemptId(Uuid::from_u128(u128::from_str_radix(&digits, 16).unwrap_or_default()));
        (read(filled("0")), read(filled("f")))
    }

    /// How the usual text of an identity ends that ends like this.
    pub fn ending(&self) -> String {
        let first = DIGITS - self.0.len();
        let mut text = String::with_capacity(self.0.len() + DASHES.len());
        for (place, digit) in (first..).zip(self.0.chars()) {
            if place > first && DASHES.contains(&place) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }
}

/// The ends of identities that tell these apart, all of the same length.
pub fn short_ids(ids: &[AttemptId]) -> Vec<String> {
    let all: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
    let ends = |digits: usize| all.iter().map(move |id| &id[DIGITS - digits..]);
    let tell_apart = |digits: &usize| {
        let mut sorted: Vec<&str> = ends(*digits).collect();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1])
    };
    let digits = (SHOWN_DIGITS..DIGITS).find(tell_apart).unwrap_or(DIGITS);
    ends(digits).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_operation_is_named_by_its_identity_its_beginning_or_its_end() {
        let part = |text: &str| text.parse::<IdPart>().unwrap();
        assert_eq!(part("01890A5DAC96774bbcceb302099a8057").to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
        assert_eq!(part("01890a5d-ac96").to_string(), "01890a5dac96");
        assert_eq!(part("…09-9A8057").ending(), "099a8057");
        assert_eq!(part("ccceb302099a8057").ending(), "ccce-b302099a8057");
        let (first, last) = part("01890a5d-ac9").range();
        assert_eq!(first.0.to_string(), "01890a5d-ac90-0000-0000-000000000000");
        assert_eq!(last.0.to_string(), "01890a5d-ac9f-ffff-ffff-ffffffffffff");
        for text in ["", "8057x", "805", "latest", "01890a5d-ac96-774b-bcce-b302099a80570"] {
            assert!(text.parse::<IdPart>().unwrap_err().to_string().contains("at least 4 digits"), "{text}");
        }
    }

    #[test]
    fn as_many_digits_are_shown_as_tell_operations_apart() {
        let ids = |numbers: [u128; 2]| numbers.map(|number| AttemptId(Uuid::from_u128(number)));
        assert_eq!(short_ids(&ids([0x1_0000_0001, 2])), ["00000001", "00000002"]);
        assert_eq!(short_ids(&ids([0x1_0000_0001, 0x2_0000_0001])), ["100000001", "200000001"]);
        assert_eq!(short_ids(&[]), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn what_is_listed_names_what_was_listed(numbers in proptest::collection::btree_set(any::<u128>(), 1..20), from in 0..28usize) {
            let ids: Vec<_> = numbers.into_iter().map(|number| AttemptId(Uuid::from_u128(number))).collect();
            for (id, short) in ids.iter().zip(short_ids(&ids)) {
                let short: IdPart = short.parse().unwrap();
                let meant: Vec<_> = ids.iter().filter(|id| id.0.to_string().ends_with(&short.ending())).collect();
                prop_assert_eq!(meant, [id]);
                let text = id.0.simple().to_string();
                let (first, last) = text[..DIGITS - from].parse::<IdPart>().unwrap().range();
                prop_assert!((first..=last).contains(id));
            }
        }
    }
}
