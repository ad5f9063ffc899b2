//! The answer of a server, of any make: refused in a sentence, or read as a measurement that does not contradict itself and
//! that we could have answered ourselves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsec_api::wire::{Answer, MAX_DURATION, MAX_STEPS};
use parsec_measure::{MAX_TRACED_REQUESTS, OperationKind, OutcomeClass};

fuzz_target!(|body: &[u8]| {
    let answer = match Answer::decode(body) {
        Ok(answer) => answer,
        Err(error) => return assert!(error.to_string().len() < 2_000),
    };
    for kind in OperationKind::ALL {
        let cid = answer.cid().to_owned();
        let Ok(measured) = answer.clone().into_measured(kind) else { continue };
        assert_eq!(measured.class == OutcomeClass::Ok, measured.error.is_none());
        assert!((1..=MAX_STEPS).contains(&measured.steps.len()));
        // The sum, where the whole is not given.
        assert!(measured.duration <= MAX_DURATION * MAX_STEPS as u32);
        assert!(measured.error.as_deref().is_none_or(|error| !error.contains('\0')));
        assert!(measured.trace.as_deref().is_none_or(|trace| trace.requests.len() <= MAX_TRACED_REQUESTS));
        let ours = Answer::from_measured(&cid, &measured, kind).with_trace(measured.trace.as_deref());
        if measured.duration <= MAX_DURATION {
            let again = Answer::decode(&ours.encode()).and_then(|answer| answer.into_measured(kind));
            let again = again.expect("what we write, we read");
            assert_eq!((again.class, again.duration), (measured.class, measured.duration));
        }
    }
});
