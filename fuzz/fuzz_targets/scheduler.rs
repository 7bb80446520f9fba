//! `cargo +nightly fuzz run scheduler fuzz/corpus-scheduler`, with the `cib.xml` of `crates/hafen-scheduler/cases` as seeds
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hafen_scheduler::fuzzing::run(input));
