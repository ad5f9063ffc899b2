use parsec_measure::RequestEnd::{Cancelled, DialTimeout, Pending, Timeout};
use proptest::prelude::*;

use super::*;
use crate::testing::{arbitrary_trace, at, ending, hop, put, request, trace};

/// Cause, requests, and from when to when in milliseconds.
fn path(trace: &Trace) -> Vec<(Cause, Vec<usize>, u128, u128)> {
    let in_ms = |Stretch { cause, requests, span }| (cause, requests, span.from.as_millis(), span.to.as_millis());
    stretches(trace).into_iter().map(in_ms).collect()
}

#[test]
fn a_lookup_is_the_chain_of_those_who_named_each_other() {
    let requests = vec![request("a", 0, 200), request("b", 0, 150), hop("c", 0, 200, 400), hop("d", 2, 400, 600)];
    assert_eq!(
        path(&trace(600, requests)),
        [(Cause::Lookup, vec![0], 0, 200), (Cause::Lookup, vec![2], 200, 400), (Cause::Lookup, vec![3], 400, 600)]
    );
}

#[test]
fn of_two_answers_at_once_the_one_that_named_the_peer_led_to_it() {
    let requests = vec![request("a", 0, 200), request("b", 0, 200), hop("c", 1, 200, 400)];
    assert_eq!(path(&trace(400, requests))[0], (Cause::Lookup, vec![1], 0, 200));
}

#[test]
fn a_request_that_had_to_wait_for_a_free_place_was_triggered_by_what_made_room() {
    let requests = vec![request("a", 0, 100), request("b", 0, 300), hop("c", 0, 300, 400)];
    assert_eq!(path(&trace(400, requests)), [(Cause::Lookup, vec![1], 0, 300), (Cause::Lookup, vec![2], 300, 400)]);
}

#[test]
fn dead_peers_account_for_the_time_in_which_nothing_else_ended() {
    let dead = |peer, ended| ending(DialTimeout, request(peer, 0, ended));
    let requests = vec![request("a", 0, 500), dead("b", 1_500), dead("c", 2_600), put("a", 2_600, 2_700)];
    assert_eq!(
        path(&trace(2_700, requests)),
        [
            (Cause::Lookup, vec![0], 0, 500),
            (Cause::Failed(DialTimeout), vec![1], 500, 1_500),
            (Cause::Failed(DialTimeout), vec![2], 1_500, 2_600),
            (Cause::Put, vec![3], 2_600, 2_700),
        ]
    );
}

#[test]
fn what_is_cancelled_or_ends_in_the_background_triggers_nothing() {
    let found = TracedRequest { providers: 1, ..request("a", 0, 100) };
    let requests = vec![found, ending(Cancelled, request("b", 0, 100)), put("c", 0, 9_000)];
    assert_eq!(path(&trace(100, requests)), [(Cause::Lookup, vec![0], 0, 100)]);
}

#[test]
fn an_operation_out_of_time_waited_for_what_was_under_way() {
    let requests = vec![
        request("a", 10, 110),
        ending(Cancelled, hop("b", 0, 110, 1_000)),
        ending(Pending, TracedRequest { ended: None, ..hop("c", 0, 110, 0) }),
    ];
    assert_eq!(
        path(&trace(1_000, requests)),
        [(Cause::Itself, vec![], 0, 10), (Cause::Lookup, vec![0], 10, 110), (Cause::UnderWay, vec![1, 2], 110, 1_000),]
    );
}

#[test]
fn a_return_some_time_after_the_last_end_was_the_nodes_own() {
    let requests = vec![put("a", 0, 300), ending(Timeout, put("b", 100, 200))];
    assert_eq!(path(&trace(800, requests)), [(Cause::Put, vec![0], 0, 300), (Cause::Itself, vec![], 300, 800)]);
}

#[test]
fn an_operation_without_requests_is_all_the_nodes_own() {
    assert_eq!(path(&trace(5, vec![])), [(Cause::Itself, vec![], 0, 5)]);
    assert_eq!(path(&trace(0, vec![])), []);
}

#[test]
fn a_part_knows_what_its_requests_waited_for() {
    let cold =
        TracedRequest { dialled: at(0), connected: at(200), opened: at(300), written: at(300), ..request("a", 0, 400) };
    let parts = parts(&trace(400, vec![cold]));
    let phases: Vec<_> = parts[0].phases.iter().map(|(_, took)| took.as_millis()).collect();
    assert_eq!((parts.len(), phases), (1, vec![0, 200, 100, 100]));
}

proptest! {
    #[test]
    fn the_path_leads_from_the_start_to_the_return_without_a_gap(trace in arbitrary_trace()) {
        let mut at = Duration::ZERO;
        for stretch in stretches(&trace) {
            prop_assert_eq!(stretch.span.from, at);
            prop_assert!(stretch.span.to > at);
            at = stretch.span.to;
        }
        prop_assert_eq!(at, trace.returned);
    }

    #[test]
    fn the_parts_add_up_to_the_whole(trace in arbitrary_trace()) {
        let parts = parts(&trace);
        prop_assert_eq!(parts.iter().map(|part| part.took).sum::<Duration>(), trace.returned);
        for part in parts.iter().filter(|part| matches!(part.cause, Cause::Lookup | Cause::Put)) {
            prop_assert_eq!(part.phases.iter().map(|(_, took)| *took).sum::<Duration>(), part.took);
        }
    }
}
