//! Text to CIB and CIB to text are inverses, on generated configurations.

mod common;

use common::generate::Dialect;
use common::shape::shape;
use common::{EMPTY, difference, generate, make, shown};

/// Configurations that every run tries.
const CONFIGURATIONS: u64 = 1500;

fn there_and_back(seed: u64) -> Result<(), String> {
    let text = generate::text(seed, Dialect::Whole);
    let first = make(EMPTY, &text).map_err(|told| format!("{told}\n{text}"))?;
    let said = shown(&first);
    let second = make(EMPTY, &said).map_err(|told| format!("{told}\n{said}"))?;
    let again = shown(&second);
    if again != said {
        return Err(difference("the text", ["first", "again"], &said, &again));
    }
    let [one, other] = [&first, &second].map(|cib| shape(cib).join("\n"));
    if one != other {
        return Err(difference("the CIB", ["first", "again"], &one, &other));
    }
    Ok(())
}

#[test]
fn what_is_shown_makes_the_same() {
    let mut failures = Vec::new();
    for seed in 0..CONFIGURATIONS {
        if let Err(told) = there_and_back(seed) {
            failures.push(format!("== seed {seed}: {told}"));
        }
    }
    let total = failures.len();
    failures.truncate(5);
    assert!(failures.is_empty(), "{}\n{total} of {CONFIGURATIONS} differ", failures.join("\n"));
}
