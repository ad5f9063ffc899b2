//! Servers that break the contract: each ends as an error of the right class, in time, and before it has sent much.

use std::time::Instant;

use parsec_test_support::hostile::{Hostile, Mode};

use super::*;

/// More than the largest answer and what lies in buffers on the way, and far less than the hostile send if they may.
const MUCH: u64 = 32 << 20;

/// The longest that a call with the limit [`SHORT`] may take on a busy machine.
const IN_TIME: Duration = Duration::from_secs(20);

/// How a call ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Answer,
    Unreachable,
    TimedOut,
    NotReady,
    Status(u16),
    BadAnswer,
}

impl End {
    fn of<T>(result: &Result<T, CallError>) -> Self {
        match result {
            Ok(_) => Self::Answer,
            Err(CallError::Unreachable { .. }) => Self::Unreachable,
            Err(CallError::TimedOut { .. }) => Self::TimedOut,
            Err(CallError::NotReady { .. }) => Self::NotReady,
            Err(CallError::Status { code, .. }) => Self::Status(*code),
            Err(CallError::BadAnswer { .. }) => Self::BadAnswer,
        }
    }

    fn class(&self) -> OutcomeClass {
        match self {
            Self::Answer => OutcomeClass::Ok,
            Self::Unreachable | Self::TimedOut => OutcomeClass::ServerUnreachable,
            Self::NotReady => OutcomeClass::ServerNotReady,
            Self::Status(_) | Self::BadAnswer => OutcomeClass::ServerError,
        }
    }
}

/// How an operation ends.
fn operation(mode: Mode) -> End {
    match mode {
        Mode::Honest => End::Answer,
        Mode::NotReady | Mode::Busy => End::NotReady,
        Mode::Fails => End::Status(500),
        Mode::Redirects => End::Status(302),
        Mode::Mute | Mode::Late(_) | Mode::Drips(_) | Mode::EndlessPromises => End::TimedOut,
        Mode::HangsUp | Mode::Resets => End::Unreachable,
        Mode::Garbage | Mode::WebPage | Mode::Compressed => End::BadAnswer,
        Mode::TenGigabytes | Mode::EndlessBody | Mode::EndlessHead | Mode::EndlessExtension => End::BadAnswer,
    }
}

/// How the question whether it is ready ends: the body of a yes is not read, so nothing in it can do harm.
fn readiness(mode: Mode) -> End {
    match mode {
        Mode::WebPage | Mode::Compressed | Mode::Drips(_) | Mode::Resets => End::Answer,
        Mode::TenGigabytes | Mode::EndlessBody | Mode::EndlessExtension => End::Answer,
        other => operation(other),
    }
}

fn every_mode() -> impl Iterator<Item = Mode> {
    let quick = |mode| if let Mode::Drips(_) = mode { Mode::Drips(Duration::from_millis(5)) } else { mode };
    Mode::HOSTILE.map(quick).into_iter().chain([Mode::Honest, Mode::NotReady, Mode::Busy])
}

#[tokio::test]
async fn whatever_a_server_does_with_an_operation_ends_in_time_and_under_the_right_class() {
    let content = Content::from(b"hello".to_vec());
    for mode in every_mode() {
        let server = Hostile::start(mode).await;
        let (place, client) = (endpoint(server.address()), impatient());
        let began = Instant::now();
        let published = client.provide(&place, caller("default"), &content).await;
        let found = client.retrieve(&place, caller("default"), CID).await;
        assert!(began.elapsed() < IN_TIME, "{mode:?} took {:?}", began.elapsed());
        for result in [&published, &found] {
            assert_eq!(End::of(result), operation(mode), "{mode:?}: {result:?}");
            let class = result.as_ref().map_or_else(CallError::class, |answered| answered.measured.class);
            assert_eq!(class, operation(mode).class(), "{mode:?}: {result:?}");
        }
        assert_eq!(server.operations(), 2, "{mode:?}: nothing is asked twice, and no redirect followed");
        if mode != Mode::EndlessPromises {
            assert!(server.sent() < MUCH, "{mode:?} sent {} bytes", server.sent());
        }
    }
}

#[tokio::test]
async fn whatever_a_server_says_of_its_readiness_ends_in_time() {
    let server = Hostile::start(Mode::Honest).await;
    let (place, client) = (endpoint(server.address()), impatient());
    for (mode, count) in every_mode().zip(1..) {
        server.is_ready(mode);
        let began = Instant::now();
        let result = client.readiness(&place).await;
        assert!(began.elapsed() < IN_TIME, "{mode:?} took {:?}", began.elapsed());
        assert_eq!(End::of(&result), readiness(mode), "{mode:?}: {result:?}");
        assert_eq!(server.questions(), count, "{mode:?}: nothing is asked twice");
    }
    // What was harmless by itself was so in all.
    assert!(server.sent() < 8 * MUCH, "{} bytes", server.sent());
}

#[tokio::test]
async fn the_reason_of_a_server_that_has_enough_to_do_is_told() {
    let server = Hostile::start(Mode::Busy).await;
    let error = client().retrieve(&endpoint(server.address()), caller("default"), CID).await.unwrap_err();
    assert_eq!(error, CallError::NotReady { reason: "enough to do".to_owned() });
}

#[tokio::test]
async fn a_server_that_mends_its_ways_is_measured_again() {
    let server = Hostile::start(Mode::Fails).await;
    let place = endpoint(server.address());
    assert!(client().retrieve(&place, caller("default"), CID).await.is_err());
    server.measures(Mode::Honest);
    let answered = client().retrieve(&place, caller("default"), CID).await.unwrap();
    assert_eq!((answered.cid.as_str(), answered.measured.class), (CID, OutcomeClass::Ok));
}

#[tokio::test]
async fn an_error_of_a_server_repeats_no_more_than_a_sentence_of_what_it_sent() {
    for mode in Mode::HOSTILE {
        let server = Hostile::start(mode).await;
        let error = impatient().retrieve(&endpoint(server.address()), caller("default"), CID).await.unwrap_err();
        assert!(error.to_string().chars().count() < 500, "{mode:?}: {error}");
    }
}
