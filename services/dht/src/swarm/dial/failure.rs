//! Why a dial failed: a class for traces and counts, and a sentence for people.

use std::error::Error;
use std::io;

use libp2p::core::transport::TransportError;
use libp2p::swarm::DialError;
use libp2p::{Multiaddr, PeerId, connection_limits, dns, noise, quic};
use thiserror::Error;

use crate::wire::addresses;

/// Why dialling one address, or all addresses of a peer, failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    /// We have no transport for it.
    #[error("offers no transport that this node has, only {0}")]
    NoTransport(String),
    /// An earlier dial failed, and it is too soon for another.
    #[error("not dialled again so soon after a failed dial")]
    BackOff,
    /// This machine has no route to it, for instance no IPv6.
    #[error("{0}")]
    NoRoute(String),
    /// This machine or process has reached a limit of its own.
    #[error("{0}")]
    LocalLimit(String),
    /// Nothing came back within the time limit.
    #[error("{0}")]
    Unanswered(String),
    /// Another peer answered there.
    #[error("another peer answered there: {0}")]
    WrongPeer(PeerId),
    /// The peer's key is of a type, or in a form, that this build cannot read.
    #[error("the peer's key cannot be read: {0}")]
    Key(String),
    /// Refused, broken off, or not what it should be.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Classifies the error of a transport. Each transport has its own type for it, wrapped in those of the transports
    /// around it.
    pub(crate) fn of(error: &io::Error) -> Self {
        let words = words(error);
        let causes = || causes(error);
        if let Some(failure) = causes().find_map(|cause| cause.downcast_ref::<Self>()) {
            return failure.clone();
        }
        let system = |cause: &&(dyn Error + 'static)| cause.downcast_ref::<io::Error>().and_then(of_system);
        if let Some(failure) = causes().find_map(|cause| system(&cause)) {
            return failure(words);
        }
        if let Some(dns::Error::Dial(each)) = causes().find_map(|cause| cause.downcast_ref::<dns::Error<io::Error>>()) {
            return each.iter().map(Self::of_name).min_by_key(Self::rank).unwrap_or(Self::Other(words));
        }
        let noise = causes().find_map(|cause| cause.downcast_ref::<noise::Error>());
        if matches!(noise, Some(noise::Error::InvalidKey(_) | noise::Error::BadSignature)) {
            return Self::Key(words);
        }
        let quic = causes().find_map(|cause| cause.downcast_ref::<quic::Error>());
        if matches!(quic, Some(quic::Error::HandshakeTimedOut)) || is_timeout(&words) {
            return Self::Unanswered(words);
        }
        // What rustls says of a certificate whose key libp2p cannot read (libp2p-tls `certificate::parse`).
        if quic.is_some() && words.contains("invalid peer certificate") {
            return Self::Key(words);
        }
        Self::Other(words)
    }

    /// Classifies the failure of one address to which a DNS name was resolved.
    fn of_name(error: &dns::Error<io::Error>) -> Self {
        match error {
            dns::Error::Transport(error) => Self::of(error),
            dns::Error::MultiaddrNotSupported(address) => Self::NoTransport(addresses::transport_of(address)),
            other => Self::Other(in_one_line(&other.to_string())),
        }
    }

    /// Classifies the failure of a whole dial as reported by libp2p's swarm: the classes of its addresses, and the
    /// sentence that explains most.
    pub(crate) fn of_dial(error: &DialError) -> Self {
        match error {
            DialError::Transport(attempts) => Self::of_attempts(attempts),
            DialError::NoAddresses => Self::Other("no address is known".to_owned()),
            DialError::WrongPeerId { obtained, .. } => Self::WrongPeer(*obtained),
            DialError::LocalPeerId { .. } => Self::Other("the address is our own".to_owned()),
            DialError::Denied { cause } if cause.downcast_ref::<connection_limits::Exceeded>().is_some() => {
                Self::LocalLimit("as many connections stand as this node may have".to_owned())
            }
            other => Self::Other(in_one_line(&other.to_string())),
        }
    }

    fn of_attempts(attempts: &[(Multiaddr, TransportError<io::Error>)]) -> Self {
        let failures: Vec<(Self, &Multiaddr)> = attempts
            .iter()
            .map(|(address, error)| match error {
                TransportError::MultiaddrNotSupported(address) => {
                    (Self::NoTransport(addresses::transport_of(address)), address)
                }
                TransportError::Other(error) => (Self::of(error), address),
            })
            .collect();
        let Some((worst, address)) = failures.iter().min_by_key(|(failure, _)| failure.rank()) else {
            return Self::Other("no address could be tried".to_owned());
        };
        let tried = failures.iter().filter(|(failure, _)| failure.was_tried()).count();
        match worst {
            Self::NoTransport(_) => Self::NoTransport(transports(&failures)),
            Self::BackOff => Self::BackOff,
            Self::Key(words) => Self::Key(format!("{words} ({address}, {})", key_of(address))),
            other => other.with(|words| format!("{words} ({address}, {tried} of {} addresses tried)", failures.len())),
        }
    }

    /// The smaller, the more it says of the whole: a limit of our own before what it kept us from finding out, an answer
    /// that was waited for in vain before one that came at once.
    fn rank(&self) -> u8 {
        match self {
            Self::LocalLimit(_) => 0,
            Self::Unanswered(_) => 1,
            Self::Key(_) => 2,
            Self::WrongPeer(_) => 3,
            Self::Other(_) => 4,
            Self::NoRoute(_) => 5,
            Self::BackOff => 6,
            Self::NoTransport(_) => 7,
        }
    }

    fn with(&self, change: impl FnOnce(String) -> String) -> Self {
        let words = change(self.to_string());
        match self {
            Self::LocalLimit(_) => Self::LocalLimit(words),
            Self::Unanswered(_) => Self::Unanswered(words),
            Self::NoRoute(_) => Self::NoRoute(words),
            Self::Key(_) => Self::Key(words),
            _ => Self::Other(words),
        }
    }

    fn was_tried(&self) -> bool {
        !matches!(self, Self::NoTransport(_) | Self::BackOff)
    }

    /// Whether to leave the address alone for a while: not if the fault is on this machine and trying again costs
    /// nothing.
    pub(super) fn blames_address(&self) -> bool {
        matches!(self, Self::Unanswered(_) | Self::WrongPeer(_) | Self::Key(_) | Self::Other(_))
    }
}

/// What kind of key the peer at this address has, as far as its id tells: short keys stand in it as they are, of others there
/// is a hash (libp2p specs, `peer-ids`).
fn key_of(address: &Multiaddr) -> String {
    const IDENTITY: u64 = 0;
    let digest = addresses::split_peer(address).map(|(peer, _)| *peer.as_ref());
    // The protobuf of a public key begins with its type.
    match digest
        .filter(|hash: &libp2p::multihash::Multihash<64>| hash.code() == IDENTITY)
        .as_ref()
        .map(|hash| hash.digest())
    {
        Some([0x08, 1, ..]) => "an Ed25519 key".to_owned(),
        Some([0x08, 2, ..]) => "a secp256k1 key".to_owned(),
        Some([0x08, 3, ..]) => "an ECDSA key".to_owned(),
        Some([0x08, other, ..]) => format!("a key of type {other}"),
        _ => "an RSA or ECDSA key".to_owned(),
    }
}

/// What the addresses of a peer stand for, each once.
fn transports(failures: &[(Failure, &Multiaddr)]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (failure, _) in failures {
        if let Failure::NoTransport(name) = failure
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names.join(", ")
}

/// An error of the operating system that says more about this machine than about the peer.
fn of_system(error: &io::Error) -> Option<fn(String) -> Failure> {
    // Linux, the BSDs and macOS agree on these (`errno.h`); Linux and the others differ on the rest, which std knows by name.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    if let Some(ENFILE | EMFILE) = error.raw_os_error() {
        return Some(Failure::LocalLimit);
    }
    match error.kind() {
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::Unsupported => Some(Failure::NoRoute),
        io::ErrorKind::AddrInUse => Some(Failure::LocalLimit),
        io::ErrorKind::TimedOut => Some(Failure::Unanswered),
        _ => None,
    }
}

/// The words that the time-outs of all transports share (`TransportTimeoutError`, `quic::Error`, `io::ErrorKind::TimedOut`).
fn is_timeout(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("timeout") || words.contains("timed out")
}

/// An error and its causes, from the outside in. For an `io::Error`, `source` skips the error that it wraps.
fn causes(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error| cause(*error)).take(MAX_CAUSES)
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

/// How many causes are examined: twice as many as there are with ten transports around each other.
const MAX_CAUSES: usize = 32;

/// The message of the innermost cause, in one line.
fn words(error: &io::Error) -> String {
    causes(error).last().map_or_else(|| in_one_line(&error.to_string()), |cause| in_one_line(&cause.to_string()))
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::rpc::RpcError;

    fn wrapped(error: io::Error) -> io::Error {
        io::Error::other(io::Error::other(error))
    }

    #[test]
    fn a_limit_of_this_machine_is_told_from_what_the_network_does() {
        let of = |errno| Failure::of(&wrapped(io::Error::from_raw_os_error(errno)));
        assert!(matches!(of(24), Failure::LocalLimit(words) if words.contains("Too many open files")));
        assert!(matches!(of(23), Failure::LocalLimit(_)));
        assert!(matches!(Failure::of(&wrapped(io::ErrorKind::ConnectionRefused.into())), Failure::Other(_)));
        assert!(matches!(Failure::of(&wrapped(io::ErrorKind::NetworkUnreachable.into())), Failure::NoRoute(_)));
        assert!(matches!(Failure::of(&wrapped(io::ErrorKind::TimedOut.into())), Failure::Unanswered(_)));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_named_with_its_kind() {
        // Protobuf: type 9, which there is not.
        let unknown = libp2p::identity::PublicKey::try_decode_protobuf(&[0x08, 9, 0x12, 1, 0]).unwrap_err();
        let failure = Failure::of(&wrapped(io::Error::other(noise::Error::InvalidKey(unknown))));
        let peer =
            PeerId::from_multihash(libp2p::multihash::Multihash::wrap(0, &[0x08, 9, 0x12, 1, 0]).unwrap()).unwrap();
        let address: Multiaddr = format!("/ip4/10.0.0.1/tcp/1/p2p/{peer}").parse().unwrap();
        let error = TransportError::Other(io::Error::other(failure));
        let words = RpcError::from(Failure::of_dial(&DialError::Transport(vec![(address, error)]))).to_string();
        assert!(words.contains("the peer's key cannot be read: ") && words.contains("unknown key type 9"), "{words}");
        assert!(words.ends_with("a key of type 9)"), "{words}");
    }

    #[test]
    fn what_was_found_out_deep_below_is_what_is_said() {
        let failure = Failure::WrongPeer(PeerId::random());
        assert_eq!(Failure::of(&wrapped(io::Error::other(failure.clone()))), failure);
    }

    fn attempt(address: &str, failure: Failure) -> (Multiaddr, TransportError<io::Error>) {
        (address.parse().unwrap(), TransportError::Other(io::Error::other(failure)))
    }

    #[test]
    fn of_several_addresses_the_most_telling_failure_speaks_in_one_line() {
        let refused = || attempt("/ip4/10.0.0.1/tcp/1", Failure::Other("Connection refused".to_owned()));
        let lost = || attempt("/ip4/10.0.0.2/udp/1/quic-v1", Failure::Unanswered("Handshake\ntimed out".to_owned()));
        let web =
            || attempt("/ip4/10.0.0.2/udp/1/quic-v1/webtransport", Failure::NoTransport("webtransport".to_owned()));
        let of = |attempts| Failure::of_dial(&DialError::Transport(attempts));
        assert_eq!(
            of(vec![refused(), web()]).to_string(),
            "Connection refused (/ip4/10.0.0.1/tcp/1, 1 of 2 addresses tried)"
        );
        assert!(matches!(of(vec![refused(), lost(), web()]), Failure::Unanswered(_)));
        let back_off = || attempt("/ip4/10.0.0.3/tcp/1", Failure::BackOff);
        assert_eq!(of(vec![back_off(), web()]), Failure::BackOff);
        let circuit = attempt("/p2p-circuit", Failure::NoTransport("p2p-circuit".to_owned()));
        assert_eq!(of(vec![web(), circuit, web()]), Failure::NoTransport("webtransport, p2p-circuit".to_owned()));
        let limit = attempt("/ip4/10.0.0.3/tcp/1", Failure::LocalLimit("Too many open files".to_owned()));
        assert!(matches!(of(vec![lost(), limit]), Failure::LocalLimit(_)));
    }
}
