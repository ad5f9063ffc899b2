//! What a gateway grants to anybody who connects: numbers, times and bytes.

use std::time::Duration;

/// How many connections may be open at once: enough for dozens of schedulers, and a limit for strangers. The next
/// one takes the place of another, as `places` says.
const CONNECTIONS: usize = 256;

/// How many more there may be from addresses that have proved to be a scheduler's: as many operations as a server has at
/// the same time.
const RESERVED: usize = 64;

/// How many of them one address may hold: the number of simultaneous operations and as many again for other requests,
/// in case all come through one proxy. A single stranger cannot keep everybody else out.
const CONNECTIONS_PER_ADDRESS: usize = 128;

/// How long a handshake of TLS may take: a few round trips.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a client may take to send the head of its first request.
const HEAD: Duration = Duration::from_secs(10);

/// How long a request's body may take to arrive: a megabyte at the speed of a slow line.
const BODY: Duration = Duration::from_secs(20);

/// How long an idle connection is kept. Schedulers come back after a minute, and open a new one.
const IDLE: Duration = Duration::from_secs(5);

/// How long it may take from one answer until the whole head of the next request is there: reading the answer,
/// thinking, and sending the head. The HTTP library limits only the first head. It has no limit for an answer that is
/// not read, nor for a body that it discards; this limit covers all three. The largest answer, with a trace, has some
/// hundred kilobytes: it is sized for a slow line, too.
const TURN: Duration = Duration::from_secs(30);

/// How long data from the client is still read and discarded once its connection is to be closed. If the connection
/// were closed at once, the client might never see the answer that says why.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a gateway grants. The default is for processes in service; tests use shorter times.
///
/// The size of a body has its own limit ([`parsec_api::wire::MAX_BODY_BYTES`]). The HTTP library limits the head of a
/// request to 128 KiB and 96 headers; for all connections together that is 32 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be open at once.
    pub connections: usize,
    /// How many more may be from schedulers.
    pub reserved: usize,
    /// How many may come from one address.
    pub connections_per_address: usize,
    /// How long a handshake of TLS may take.
    pub handshake: Duration,
    /// How long the head of the first request may take to arrive.
    pub head: Duration,
    /// How long the body of a request may take to arrive.
    pub body: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// How long it may take from one answer to the head of the next request.
    pub turn: Duration,
    /// How long data from the client is still read and discarded before closing.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            reserved: RESERVED,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            handshake: HANDSHAKE,
            head: HEAD,
            body: BODY,
            idle: IDLE,
            turn: TURN,
            farewell: FAREWELL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_connection_and_a_turn_is_longer_than_its_parts() {
        let limits = Limits::default();
        assert!(2 * limits.connections_per_address <= limits.connections);
        assert!(limits.turn > limits.idle + limits.head);
    }
}
