//! The order in which people expect names: without regard to case, and numbers by their value.

use std::cmp::Ordering;

/// Orders two names; of equal numbers the one with fewer digits comes first (`7` before `007`).
pub(crate) fn by_name(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let (Some(l), Some(r)) = (left.first(), right.first()) {
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (number, digits, rest) = number(left);
            let (other_number, other_digits, other_rest) = self::number(right);
            (left, right) = (rest, other_rest);
            number.cmp(&other_number).then(digits.cmp(&other_digits))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            l.to_ascii_lowercase().cmp(&r.to_ascii_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// The number at the beginning, how many digits it has, and what follows it.
fn number(text: &[u8]) -> (u64, usize, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits]
        .iter()
        .fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    (value, digits, &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value() {
        let sorted = [
            "1", "2", "02", "10", "a", "a1", "a1x", "A2", "a2b", "a02", "a9", "a10", "ab", "b-a", "b_a",
            "c001n02", "c001n11", "node-a", "node-b", "Node-c", "z",
        ];
        let mut mixed = sorted;
        mixed.reverse();
        mixed.sort_by(|left, right| by_name(left, right));
        assert_eq!(mixed, sorted);
    }
}
