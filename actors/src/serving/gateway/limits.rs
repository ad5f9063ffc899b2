//! What a gateway grants to whoever connects: numbers, times and bytes.

use std::time::Duration;

/// How many connections may be open at once: dozens of schedulers, and a bound on strangers. The next one waits until
/// one of them ends, which the times below see to.
const CONNECTIONS: usize = 256;

/// How many of them one address may hold: as many as operations are taken on at once and again as many that only ask,
/// should all come through one proxy; so that it takes more than one stranger to keep everybody else out.
const CONNECTIONS_PER_ADDRESS: usize = 128;

/// How long a handshake of TLS may take: a few round trips.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a client may take to send the head of its first request.
const HEAD: Duration = Duration::from_secs(10);

/// How long a request's body may take to arrive: a megabyte at the speed of a slow line.
const BODY: Duration = Duration::from_secs(20);

/// How long a connection is kept on which nothing happens. Schedulers come back after a minute, and make a new one.
const IDLE: Duration = Duration::from_secs(5);

/// How long it may take from one answer to the whole head of the next request: to take the answer off the line, to think,
/// and to send the head. The HTTP library has a limit for the first head alone, and none for an answer that nobody takes
/// or for a body that it throws away; this is the limit of all three. The largest answer, with a trace, has some
/// hundred kilobytes: that is a slow line again.
const TURN: Duration = Duration::from_secs(30);

/// How long what a client still sends is thrown away once its connection is to be closed: closed at once, it might never
/// see the answer that says why.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a gateway grants. That of a process in service is the default; tests take shorter ones.
///
/// The size of a body has its own bound ([`parsec_api::wire::MAX_BODY_BYTES`]). The head of a request is bounded by the HTTP
/// library: 128 KiB and 96 headers, which times the number of connections is 32 MiB in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be open at once.
    pub connections: usize,
    /// How many of them may come from one address.
    pub connections_per_address: usize,
    /// How long a handshake of TLS may take.
    pub handshake: Duration,
    /// How long the head of the first request may take to arrive.
    pub head: Duration,
    /// How long the body of a request may take to arrive.
    pub body: Duration,
    /// How long a connection is kept on which nothing happens.
    pub idle: Duration,
    /// How long it may take from one answer to the head of the next request.
    pub turn: Duration,
    /// How long what a client still sends is thrown away.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
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
