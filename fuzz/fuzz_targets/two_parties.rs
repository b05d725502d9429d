#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quartet_sim::fuzz::two_parties(data));
