//! Reads configurations in the crm language, applies and shows them: `./dev fuzz crm --seconds 60`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hafen_crm::fuzzing::run(input));
