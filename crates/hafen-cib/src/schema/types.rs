//! Types of attributes' values.

/// What values an attribute may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Anything.
    Text,
    /// A name that no other element of the configuration has.
    Id,
    /// The id of an element of the configuration.
    IdRef,
    /// A whole number, or plus or minus `INFINITY`.
    Score,
    /// A whole number of any size.
    Integer,
    /// A whole number from 0 up.
    Natural,
    /// `true`, `false`, `1` or `0`.
    Boolean,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from 1 up.
    Positive,
    /// A number from 1 to 9.
    LevelIndex,
    /// Names with commas between them.
    DeviceNames,
    /// Digits and hyphens.
    Range,
    /// A property's name, but none of these, which have no meaning any more.
    NotOneOf(&'static [&'static str]),
}

impl Type {
    /// What is expected, where a value is not that.
    pub(super) fn fault(self, value: &str) -> Option<String> {
        let trimmed = value.trim_matches([' ', '\t', '\n', '\r']);
        let (fits, expected) = match self {
            Type::Text => (true, "a text"),
            Type::Id => (
                is_name(trimmed),
                "an id (it begins with a letter or `_`, and has letters, digits and `._-`)",
            ),
            Type::IdRef => (is_name(trimmed), "the id of another element"),
            Type::Score => (
                is_integer(trimmed) || matches!(trimmed, "INFINITY" | "+INFINITY" | "-INFINITY"),
                "a whole number, INFINITY or -INFINITY",
            ),
            Type::Integer => (is_integer(trimmed), "a whole number"),
            Type::Natural => (is_natural(trimmed), "a whole number from 0 up"),
            Type::Boolean => (matches!(trimmed, "true" | "false" | "1" | "0"), "true or false"),
            Type::Word(words) => {
                return (!words.contains(&trimmed)).then(|| format!("one of {}", words.join(", ")));
            }
            Type::Positive => (is_positive(trimmed), "a whole number from 1 up"),
            Type::LevelIndex => (is_level_index(trimmed), "a number from 1 to 9"),
            Type::DeviceNames => (are_device_names(value), "names of fence devices with commas between them"),
            Type::Range => {
                let fits =
                    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                (fits, "a range of numbers")
            }
            Type::NotOneOf(words) => (!words.contains(&value), "an option that still has a meaning"),
        };
        (!fits).then(|| expected.to_owned())
    }
}

/// A name without a colon, as XML has it.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '\u{b7}'))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_integer(text: &str) -> bool {
    digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

fn is_natural(text: &str) -> bool {
    digits(text.strip_prefix('+').unwrap_or(text))
        || text.strip_prefix('-').is_some_and(|rest| digits(rest) && rest.bytes().all(|byte| byte == b'0'))
}

fn is_positive(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    digits(text) && text.bytes().any(|byte| byte != b'0')
}

fn is_level_index(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    digits(text) && matches!(text.trim_start_matches('0').as_bytes(), [b'1'..=b'9'])
}

fn are_device_names(text: &str) -> bool {
    text.split(',').all(|name| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged() {
        for (values, good, bad) in [
            (Type::Id, &["a.b-c_d", "_x", "ü"][..], &["", "1a", "a:b", "a b"][..]),
            (Type::Score, &["+5", " 5 ", "-INFINITY", "99999999999999999999"], &["", "lots", "1.5", "--1"]),
            (Type::Natural, &["0", "+7", "-0"], &["-1", "x", ""]),
            (Type::Boolean, &["1", "true"], &["yes", "True", ""]),
            (Type::Positive, &["1", "+10", "010"], &["0", "00", "-1", ""]),
            (Type::LevelIndex, &["1", "09"], &["0", "10", "-1", ""]),
            (Type::DeviceNames, &["a", "a,b.c"], &["", "a,", "a b"]),
            (Type::Range, &["1-2", "22"], &["", "a"]),
            (Type::NotOneOf(&["old"]), &["new"], &["old"]),
            (Type::Word(&["a"]), &["a"], &["b", ""]),
        ] {
            for value in good {
                assert_eq!(values.fault(value), None, "{values:?} {value:?}");
            }
            for value in bad {
                assert!(values.fault(value).is_some(), "{values:?} {value:?}");
            }
        }
    }
}
