//! `cargo +nightly fuzz run cib fuzz/corpus crates/hafen-cib/corpus`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hafen_cib::fuzzing::run(input));
