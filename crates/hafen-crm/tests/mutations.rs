//! Texts that are nearly configurations: none of them is more than told what is wrong with it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test reads its cases")]

mod common;

use common::dice::Dice;
use common::generate::{self, Dialect};
use hafen_crm::fuzzing::run;

/// Texts that every run tries.
const TEXTS: u64 = 4000;

/// Words and signs that mean something somewhere.
const PIECES: [&str; 24] = [
    "\\",
    "\n",
    "\\\n",
    "\"",
    "'",
    "#",
    "=",
    ":",
    "(",
    ")",
    "[",
    "{",
    "}",
    "@",
    "$id=",
    "$id-ref=",
    " rule ",
    " xml <",
    "and",
    "/",
    "\u{feff}",
    "ä",
    "\0",
    "999999999999999999999",
];

fn mutate(dice: &mut Dice, text: &mut Vec<u8>) {
    let at = dice.below(text.len());
    let end = (at + 1 + dice.below(12)).min(text.len());
    match dice.below(6) {
        0 => drop(text.drain(at..end)),
        1 => {
            let piece = text[at..end].to_vec();
            let _ = text.splice(at..at, piece).count();
        }
        2 => {
            let other = dice.below(text.len());
            text.swap(at, other);
        }
        3 => text.truncate(at.max(1)),
        4 => {
            let piece = dice.pick(&PIECES).as_bytes().to_vec();
            let _ = text.splice(at..at, piece).count();
        }
        _ => text[at] = u8::try_from(dice.below(256)).unwrap_or(0),
    }
}

#[test]
fn texts_that_are_nearly_right_break_nothing() {
    for seed in 0..TEXTS {
        let mut dice = Dice::new(seed);
        let whole = generate::text(seed % 97, Dialect::Whole);
        // A few statements, so that most mutations are met.
        let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let skip = dice.below(lines.len());
        let mut text: Vec<u8> = lines.drain(skip..).take(6).collect::<String>().into_bytes();
        for _ in 0..1 + dice.below(5) {
            if !text.is_empty() {
                mutate(&mut dice, &mut text);
            }
        }
        let shown = String::from_utf8_lossy(&text).into_owned();
        if std::panic::catch_unwind(|| run(&text)).is_err() {
            panic!("seed {seed} breaks it:\n{shown}");
        }
    }
}
