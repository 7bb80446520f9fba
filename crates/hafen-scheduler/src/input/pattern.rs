//! The small part of extended regular expressions that resource patterns use, matched without backtracking blow-up.

/// One piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Any,
    Literal(char),
    Class(Vec<(char, char)>, bool),
    Open(usize),
    Close(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    One,
    Optional,
    Star,
    Plus,
}

/// A parsed pattern: alternatives at its outermost level, each a run of counted pieces.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    branches: Vec<Branch>,
}

#[derive(Clone, Debug)]
struct Branch {
    pieces: Vec<(Piece, Count)>,
    from_start: bool,
    to_end: bool,
}

/// Where a match may go on: the piece, the place in the text, and the submatches so far.
type Choice = (usize, usize, Vec<(usize, usize)>);

/// Steps that one match may take; a pattern that needs more does not match.
const STEP_LIMIT: usize = 100_000;

impl Pattern {
    /// `None` when the pattern uses what is not known here (alternatives or counts on groups).
    pub(crate) fn parse(text: &str) -> Option<Pattern> {
        let mut branches = Vec::new();
        for branch in text.split('|') {
            branches.push(parse_branch(branch)?);
        }
        Some(Pattern { branches })
    }

    /// The submatches (the whole match first) when the text contains a match.
    pub(crate) fn find(&self, text: &str) -> Option<Vec<String>> {
        let text: Vec<char> = text.chars().collect();
        self.branches.iter().find_map(|branch| {
            let last = if branch.from_start { 0 } else { text.len() };
            (0..=last).find_map(|start| match_from(branch, &text, start))
        })
    }
}

fn parse_branch(text: &str) -> Option<Branch> {
    let (from_start, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let (to_end, text) = match text.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => (true, rest),
        _ => (false, text),
    };
    let mut pieces: Vec<(Piece, Count)> = Vec::new();
    let (mut open, mut groups) = (Vec::new(), 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let piece = match letter {
            '.' => Piece::Any,
            '\\' => Piece::Literal(letters.next()?),
            '[' => parse_class(&mut letters)?,
            '(' => {
                groups += 1;
                open.push(groups);
                Piece::Open(groups)
            }
            ')' => Piece::Close(open.pop()?),
            '*' | '+' | '?' => {
                let (piece, count) = pieces.last_mut()?;
                if matches!(piece, Piece::Open(_) | Piece::Close(_)) {
                    return None;
                }
                *count = match letter {
                    '*' => Count::Star,
                    '+' => Count::Plus,
                    _ => Count::Optional,
                };
                continue;
            }
            '{' | '}' => return None,
            other => Piece::Literal(other),
        };
        pieces.push((piece, Count::One));
    }
    open.is_empty().then_some(Branch { pieces, from_start, to_end })
}

fn parse_class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Piece> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = letters.next()?;
        if first == ']' && !ranges.is_empty() {
            return Some(Piece::Class(ranges, negated));
        }
        if letters.peek() == Some(&'-') {
            letters.next();
            match letters.next()? {
                ']' => {
                    ranges.push((first, first));
                    ranges.push(('-', '-'));
                    return Some(Piece::Class(ranges, negated));
                }
                last => ranges.push((first, last)),
            }
        } else {
            ranges.push((first, first));
        }
    }
}

fn accepts(piece: &Piece, letter: char) -> bool {
    match piece {
        Piece::Any => true,
        Piece::Literal(wanted) => *wanted == letter,
        Piece::Class(ranges, negated) => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *negated
        }
        Piece::Open(_) | Piece::Close(_) => false,
    }
}

/// Tries the branch at one place: an explicit stack of choices, longest first.
fn match_from(branch: &Branch, text: &[char], start: usize) -> Option<Vec<String>> {
    let mut choices: Vec<Choice> = vec![(0, start, vec![(start, start); 10])];
    let mut steps = 0;
    while let Some((mut piece, mut at, mut groups)) = choices.pop() {
        loop {
            steps += 1;
            if steps > STEP_LIMIT {
                return None;
            }
            let Some((kind, count)) = branch.pieces.get(piece) else {
                if branch.to_end && at != text.len() {
                    break;
                }
                groups[0] = (start, at);
                return Some(groups.iter().map(|(from, to)| text[*from..*to].iter().collect()).collect());
            };
            match kind {
                Piece::Open(group) if *group < 10 => groups[*group] = (at, at),
                Piece::Close(group) if *group < 10 => groups[*group].1 = at,
                Piece::Open(_) | Piece::Close(_) => {}
                _ => {
                    let (least, most) = match count {
                        Count::One => (1, 1),
                        Count::Optional => (0, 1),
                        Count::Star => (0, usize::MAX),
                        Count::Plus => (1, usize::MAX),
                    };
                    let run =
                        text[at..].iter().take(most).take_while(|letter| accepts(kind, **letter)).count();
                    if run < least {
                        break;
                    }
                    for shorter in least..run {
                        choices.push((piece + 1, at + shorter, groups.clone()));
                    }
                    at += run;
                }
            }
            piece += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_as_constraints_use_them() {
        let find = |pattern: &str, text: &str| Pattern::parse(pattern).and_then(|pattern| pattern.find(text));
        assert!(find("vm-.*", "my-vm-12").is_some());
        assert!(find("^vm-[0-9]+$", "vm-12x").is_none());
        assert_eq!(
            find("^(.*)-lsb$", "apache-lsb").map(|groups| groups[1].clone()),
            Some("apache".to_owned())
        );
        assert!(find("^a|b$", "cb").is_some());
        assert!(Pattern::parse("(a)*").is_none());
        assert!(find("(", "x").is_none());
    }
}
