//! What a peer of the DHT sends back: length, protobuf, peers, addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| parsec_dht::fuzz_answer(bytes));
