//! What a request was doing at which time.

use std::time::Duration;

use parsec_measure::TracedRequest;

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its turn: no dial has begun, and none was needed so far.
    Queued,
    /// A connection.
    Dial,
    /// A stream, and that the request is written to it.
    Open,
    /// The answer.
    Wait,
}

impl Phase {
    /// Every phase, in the order in which a request goes through them.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Dial, Self::Open, Self::Wait];

    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dial => "dial",
            Self::Open => "open",
            Self::Wait => "wait",
        }
    }
}

/// A stretch of time, as offsets from the start of the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
}

impl Span {
    /// How long it is.
    pub fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// What both have in common; of no length if that is nothing.
    pub fn common(self, other: Self) -> Self {
        let from = self.from.max(other.from);
        Self { from, to: self.to.min(other.to).max(from) }
    }
}

/// The phases of a request between `asked` and `end`, one after the other without a gap. A phase that was skipped has no
/// length; a time that lies outside of its place, as no measurement has it, is moved to the nearest that does not.
pub fn phases(request: &TracedRequest, end: Duration) -> [(Phase, Span); 4] {
    let TracedRequest { asked, dialled, connected, opened, written, .. } = *request;
    let reached = [dialled.or(connected).or(opened).or(written), connected.or(opened).or(written), written];
    let mut from = asked.min(end);
    let mut index = 0;
    Phase::ALL.map(|phase| {
        let to = reached.get(index).copied().flatten().map_or(end, |stamp| stamp.clamp(from, end));
        index += 1;
        let span = Span { from, to };
        from = to;
        (phase, span)
    })
}

#[cfg(test)]
mod tests {
    use parsec_measure::RequestEnd;

    use super::*;
    use crate::testing::{at, request};

    fn lengths(request: &TracedRequest) -> [u128; 4] {
        phases(request, request.ended.unwrap()).map(|(_, span)| span.length().as_millis())
    }

    #[test]
    fn a_cold_request_goes_through_all_phases() {
        let cold = TracedRequest {
            dialled: at(5),
            connected: at(25),
            opened: at(34),
            written: at(35),
            ..request("peer-a", 0, 55)
        };
        assert_eq!(lengths(&cold), [5, 20, 10, 20]);
    }

    #[test]
    fn what_was_not_needed_has_no_length_and_what_was_not_reached_neither() {
        let warm = TracedRequest { connected: at(0), written: at(1), ..request("peer-a", 0, 21) };
        assert_eq!(lengths(&warm), [0, 0, 1, 20]);
        let dead = TracedRequest { dialled: at(1), end: RequestEnd::DialTimeout, ..request("peer-a", 0, 5_001) };
        assert_eq!(lengths(&dead), [1, 5_000, 0, 0]);
        assert_eq!(lengths(&request("peer-a", 3, 10)), [7, 0, 0, 0]);
    }
}
