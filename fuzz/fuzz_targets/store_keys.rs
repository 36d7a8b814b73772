#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_store::fuzz::keys(data));
