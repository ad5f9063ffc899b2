//! The body of `POST /provide`, from anybody: refused in a sentence, or read as content that is written and read back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsec_api::wire::{MAX_CONTENT_BYTES, ProvideRequest, Target};

fuzz_target!(|body: &[u8]| match ProvideRequest::decode(body) {
    Ok((content, _)) => {
        assert!(content.bytes().len() <= MAX_CONTENT_BYTES);
        let again = ProvideRequest::decode(&ProvideRequest::encode(&content));
        assert_eq!(again, Ok((content, Target::Dht)));
    }
    Err(error) => assert!(error.to_string().len() < 2_000),
});
