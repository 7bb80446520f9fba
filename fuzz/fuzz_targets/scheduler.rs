//! Reads, plans and prints: `./dev fuzz scheduler --seconds 60`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hafen_scheduler::fuzzing::run(input));
