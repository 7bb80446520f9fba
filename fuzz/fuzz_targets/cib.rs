//! Reads CIBs, edits them and writes them: `./dev fuzz cib --seconds 60`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hafen_cib::fuzzing::run(input));
