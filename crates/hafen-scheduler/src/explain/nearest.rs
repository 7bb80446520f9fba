//! What somebody may have meant.

/// The name that differs least from what was typed, unless all differ much.
pub(super) fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let bound = (typed.chars().count() / 3).max(2);
    let measured = names.map(|name| (distance(typed, name), name));
    let (least, name) = measured.min_by_key(|(least, name)| (*least, *name))?;
    (least <= bound).then(|| name.to_owned())
}

/// How many letters have to be added, removed or changed.
fn distance(left: &str, right: &str) -> usize {
    /// Names are not looked at any further.
    const LETTERS_MAXIMUM: usize = 128;
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).take(LETTERS_MAXIMUM).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().flat_map(char::to_lowercase).take(LETTERS_MAXIMUM).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["host1", "host2", "web", "database"];
        let near = |typed: &str| nearest(typed, names.into_iter());
        assert_eq!(near("hots2").as_deref(), Some("host2"));
        assert_eq!(near("Databse").as_deref(), Some("database"));
        assert_eq!(near("storage"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
