//! What may follow a command, read from its usage: `ID [HOST] {set | show} NAME...`.

/// No usage has more ways of being written.
const WAYS_MAXIMUM: usize = 256;

/// A word of a usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'u> {
    /// A placeholder in capitals, or a word as it is written.
    pub(super) word: &'u str,
    /// Others of the kind may follow.
    repeats: bool,
}

impl Token<'_> {
    /// Whether it stands for something else.
    pub(super) fn is_placeholder(&self) -> bool {
        let mut letters = self.word.chars().filter(|char| char.is_alphabetic()).peekable();
        letters.peek().is_some() && letters.all(char::is_uppercase)
    }

    fn takes(&self, word: &str) -> bool {
        self.is_placeholder() || self.word == word
    }
}

/// The words and placeholders that may follow some words of a command.
pub(super) fn next<'u>(usage: &'u str, words: &[&str]) -> Vec<Token<'u>> {
    let mut found: Vec<Token<'u>> = Vec::new();
    for way in ways(&tokens(usage)) {
        let mut places = vec![0];
        for word in words {
            let taken = places.iter().filter_map(|place| Some((*place, way.get(*place)?)));
            let taken = taken.filter(|(_, token)| token.takes(word));
            places = taken
                .flat_map(|(place, token)| [Some(place + 1), token.repeats.then_some(place)])
                .flatten()
                .collect();
        }
        let tokens = places.iter().filter_map(|place| way.get(*place));
        for token in tokens {
            if !found.iter().any(|known| known.word == token.word) {
                found.push(*token);
            }
        }
    }
    found
}

/// All placeholders of a usage.
#[cfg(test)]
pub(super) fn placeholders(usage: &str) -> impl Iterator<Item = &str> {
    let tokens = tokens(usage).into_iter().map(|word| Token { word, repeats: false });
    tokens.filter(Token::is_placeholder).map(|token| token.word)
}

/// The signs and words of a usage.
fn tokens(usage: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for word in usage.split_whitespace() {
        let mut rest = word;
        while let Some(char) = rest.chars().next() {
            let length = match char {
                '[' | ']' | '{' | '}' | '|' => 1,
                '.' if rest.starts_with("...") => 3,
                _ => rest.find(['[', ']', '{', '}', '|']).unwrap_or(rest.len()),
            };
            let length = match rest.get(..length).and_then(|word| word.strip_suffix("...")) {
                Some(word) if !word.is_empty() => word.len(),
                _ => length,
            };
            let (token, behind) = rest.split_at(length);
            tokens.push(token);
            rest = behind;
        }
    }
    tokens
}

/// All ways to write what the tokens mean.
fn ways<'u>(tokens: &[&'u str]) -> Vec<Vec<Token<'u>>> {
    choice(&mut tokens.iter().copied().peekable())
}

type Rest<'r, 'u> = std::iter::Peekable<std::iter::Copied<std::slice::Iter<'r, &'u str>>>;

/// Ways between which `|` stands, up to a closing sign.
fn choice<'u>(rest: &mut Rest<'_, 'u>) -> Vec<Vec<Token<'u>>> {
    let mut all = sequence(rest);
    while rest.next_if_eq(&"|").is_some() {
        all.extend(sequence(rest));
    }
    all.truncate(WAYS_MAXIMUM);
    all
}

fn sequence<'u>(rest: &mut Rest<'_, 'u>) -> Vec<Vec<Token<'u>>> {
    let mut ways: Vec<Vec<Token<'u>>> = vec![Vec::new()];
    while let Some(token) = rest.next_if(|token| !matches!(*token, "]" | "}" | "|")) {
        let mut part = match token {
            "[" => {
                let mut inner = choice(rest);
                rest.next();
                inner.push(Vec::new());
                inner
            }
            "{" => {
                let inner = choice(rest);
                rest.next();
                inner
            }
            word => vec![vec![Token { word, repeats: false }]],
        };
        if rest.next_if_eq(&"...").is_some() {
            // What repeats is one word, or one of several: each may come again.
            part.iter_mut().flatten().for_each(|token| token.repeats = true);
        }
        ways = ways
            .iter()
            .flat_map(|way| part.iter().map(|more| [way.as_slice(), more.as_slice()].concat()))
            .take(WAYS_MAXIMUM)
            .collect();
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(usage: &str, words: &str, expected: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let found: Vec<&str> = next(usage, &words).iter().map(|token| token.word).collect();
        assert_eq!(found.join(" "), expected, "{usage} after {words:?}");
    }

    #[test]
    fn what_may_follow_is_in_the_usage() {
        is("", "", "");
        is("ID [HOST] [LIFETIME] [force]", "", "ID");
        is("ID [HOST] [LIFETIME] [force]", "vm1", "HOST LIFETIME force");
        is("ID {set | show | delete} NAME [VALUE]", "vm1", "set show delete");
        is("ID {set | show | delete} NAME [VALUE]", "vm1 set", "NAME");
        is("ID {set | show | delete} NAME [VALUE]", "vm1 other", "");
        is("GROUP {add ID [{before | after} ID] | remove ID}", "g", "add remove");
        is("GROUP {add ID [{before | after} ID] | remove ID}", "g add x", "before after");
        is("GROUP {add ID [{before | after} ID] | remove ID}", "g add x after", "ID");
        is("GROUP {add ID [{before | after} ID] | remove ID}", "g remove x", "");
    }

    #[test]
    fn what_repeats_may_come_again() {
        is("ID...", "a b c", "ID");
        is("[xml] [changed | FILTER]...", "", "xml changed FILTER");
        is("[xml] [changed | FILTER]...", "xml a", "FILTER");
        is("[--force] ID...", "", "--force ID");
    }
}
