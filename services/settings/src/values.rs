//! Single values: what a text must look like to be one, and what to say if it does not.
//!
//! A reader gives back what would have been right; the caller knows the place and the value.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use parsec_dht::{PrivatePeers, Warmth};
use parsec_lab::Latency;
use parsec_measure::{AttemptId, Cid, ParseCidError, Share, StrategyKind};
use reqwest::Url;
use tracing_subscriber::EnvFilter;

use crate::secrecy::Secret;

/// What a reader makes of a text: the value, or what would have been right.
pub(super) type Reading<T> = Result<T, String>;

/// The largest port that `nodes_ecs.server_port` and `nodes_ecs.peer_port` can hold: they are SMALLINT.
const MAX_STORED_PORT: u16 = i16::MAX as u16;

/// A place to listen on or to call, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// An IP address or a name.
    pub host: String,
    /// The port; 0 takes a free one when listening.
    pub port: u16,
}

impl HostPort {
    /// The address to listen on or to call, IPv4 before IPv6. `localhost` is 127.0.0.1 without asking anybody:
    /// it works where no name does, and two processes that are told so mean the same address.
    ///
    /// # Errors
    /// If the name has no address, in the words of the system.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            return Ok((Ipv4Addr::LOCALHOST, self.port).into());
        }
        let mut addresses: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let none = || std::io::Error::new(std::io::ErrorKind::NotFound, format!("`{}` has no address", self.host));
        addresses.first().copied().ok_or_else(none)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, self.port).fmt(f),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// With fewer than a tenth of the peers in order, a DHT is none.
const MAX_DEAD: f64 = 0.9;

/// A share of the peers that are out of order.
pub(super) fn dead_share(text: &str) -> Reading<Share> {
    let share = share(text).ok().filter(|share| share.get() <= MAX_DEAD);
    share.ok_or_else(|| format!("expected a share from 0 to {MAX_DEAD}, such as 0.15"))
}

/// The same beside the share `other`, called `name`.
pub(super) fn dead_share_beside(other: Share, name: &'static str) -> impl Fn(&str) -> Reading<Share> {
    move |text| match dead_share(text)? {
        share if share.get() + other.get() > MAX_DEAD => {
            Err(format!("with {} {name} besides, expected at most {MAX_DEAD} in all", other.get()))
        }
        share => Ok(share),
    }
}

/// Names that a setting is chosen from; one may have an older name, which is still read.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal $(or $older:literal)?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The name as one writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub(super) fn read(text: &str) -> Reading<Self> {
                let all = [$(Self::$variant),+];
                let names = || all.map(Self::as_str).join(", ");
                let text = match text { $($($older => $text,)?)+ _ => text };
                all.into_iter().find(|choice| choice.as_str() == text).ok_or_else(|| format!("expected one of: {}", names()))
            }
        }
    };
}

choice! {
    /// How lines are written.
    OutputFormat {
        /// For people.
        Text = "text",
        /// One JSON object on each line.
        Json = "json",
    }
}

choice! {
    /// How settings are written.
    ShowFormat {
        /// For people.
        Text = "text" or "table",
        /// One array of objects.
        Json = "json",
        /// A configuration file.
        Toml = "toml",
    }
}

choice! {
    /// A program that completes command lines.
    Shell {
        /// GNU's.
        Bash = "bash",
        /// The Z shell.
        Zsh = "zsh",
        /// The friendly one.
        Fish = "fish",
    }
}

choice! {
    /// What to do with a spool.
    SpoolAction {
        /// Say what waits.
        List = "list",
        /// Say what cannot be read.
        Verify = "verify",
        /// Write what waits.
        Replay = "replay",
    }
}

choice! {
    /// How a comparison is written.
    BenchFormat {
        /// For people.
        Text = "text" or "table",
        /// One array of objects.
        Json = "json",
        /// Comma-separated, with a header.
        Csv = "csv",
    }
}

choice! {
    /// How the peers of a comparison are connected.
    BenchTransport {
        /// Within the process, on a virtual clock.
        Memory = "memory",
        /// TCP on loopback.
        Tcp = "tcp",
        /// QUIC on loopback.
        Quic = "quic",
    }
}

choice! {
    /// TLS to the database, in the words of libpq.
    SslMode {
        /// Never.
        Disable = "disable",
        /// If the server offers it.
        Prefer = "prefer",
        /// Always, with whatever certificate.
        Require = "require",
        /// Always, with a certificate of a known authority.
        VerifyCa = "verify-ca",
        /// Always, with a certificate of a known authority for this host.
        VerifyFull = "verify-full",
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What went wrong.
    Error,
    /// And what might.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And every step.
    Trace,
}

impl LogLevel {
    /// Reads names, and the numbers of logrus, the original's log library: 0 panic, 1 fatal, 2 error, …, 6 trace.
    pub(super) fn read(text: &str) -> Reading<Self> {
        match text {
            "error" | "0" | "1" | "2" => Ok(Self::Error),
            "warn" | "warning" | "3" => Ok(Self::Warn),
            "info" | "4" => Ok(Self::Info),
            "debug" | "5" => Ok(Self::Debug),
            "trace" | "6" => Ok(Self::Trace),
            _ => Err("expected error, warn, info, debug or trace, or a number from 0 (panic) over 2 (error) and 4 (info) to 6 (trace)".to_owned()),
        }
    }
}

/// What is logged beside the level, in the syntax of tracing.
pub(super) fn log_filter(text: &str) -> Reading<String> {
    let bad = |error| {
        format!("{error}; expected directives such as libp2p_kad=debug,libp2p_swarm=trace, separated by commas")
    };
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(bad)
}

pub(super) fn any_text(text: &str) -> Reading<String> {
    Ok(text.to_owned())
}

pub(super) fn text(text: &str) -> Reading<String> {
    if text.trim().is_empty() { Err("expected a text that is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn path(path: &str) -> Reading<PathBuf> {
    text(path).map(PathBuf::from)
}

pub(super) fn host(host: &str) -> Reading<String> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !plain.is_empty() && (plain.parse::<IpAddr>().is_ok() || is_name(plain)) {
        Ok(plain.to_owned())
    } else {
        Err("expected an IP address or a host name; 0.0.0.0 listens on all addresses".to_owned())
    }
}

/// A host that is told to others.
pub(super) fn told_host(text: &str) -> Reading<String> {
    let host = host(text)?;
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => {
            Err("expected an address that others can dial, or a name of one, not all addresses".to_owned())
        }
        _ => Ok(host),
    }
}

pub(super) fn host_port(text: &str) -> Reading<HostPort> {
    let expected = || "expected HOST:PORT, such as localhost:7070 or [::1]:7070".to_owned();
    let (name, number) = text.rsplit_once(':').ok_or_else(expected)?;
    if name.contains(':') && !name.starts_with('[') {
        return Err(expected());
    }
    let host = host(name).map_err(|_| expected())?;
    let port = within(1..=u16::MAX)(number).map_err(|_| expected())?;
    Ok(HostPort { host, port })
}

/// A place to ask something over plain HTTP: an agent on the same machine.
pub(super) fn metadata_url(text: &str) -> Reading<Url> {
    let url = text.parse::<Url>().ok().filter(|url| url.scheme() == "http" && url.has_host());
    url.ok_or_else(|| "expected an http:// URL such as http://169.254.170.2/v4/0123456789".to_owned())
}

pub(super) fn within<T: FromStr + PartialOrd + fmt::Display>(range: RangeInclusive<T>) -> impl Fn(&str) -> Reading<T> {
    move |text| {
        let (first, last) = (range.start(), range.end());
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {first} to {last}"))
    }
}

/// The most connections that can be asked for: what a node may have to others anyway.
const MAX_CONNECTIONS: u32 = 8_192;

pub(super) fn connections(text: &str) -> Reading<Warmth> {
    let marks = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match marks {
        Some((low, high)) if low <= high && high <= MAX_CONNECTIONS => Ok(Warmth { low, high }),
        _ => Err(format!("expected two numbers up to {MAX_CONNECTIONS}, the lower one first, such as 160-192")),
    }
}

pub(super) fn share(text: &str) -> Reading<Share> {
    let share = text.parse().ok().and_then(Share::new);
    share.ok_or_else(|| "expected a number from 0 to 1, such as 0.01".to_owned())
}

pub(super) fn stored_port(column: &'static str) -> impl Fn(&str) -> Reading<u16> {
    move |text| match within(0..=u16::MAX)(text)? {
        port if port > MAX_STORED_PORT => Err(format!(
            "expected a port up to {MAX_STORED_PORT}: the database keeps it in nodes_ecs.{column}, a SMALLINT"
        )),
        port => Ok(port),
    }
}

/// The forms that Go's `strconv.ParseBool` takes.
pub(super) fn switch(text: &str) -> Reading<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("expected true or false (or 1 or 0)".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Reading<Duration> {
    crate::duration::parse(text).ok_or_else(|| "expected a duration such as 500ms, 30s or 1m30s".to_owned())
}

pub(super) fn positive_duration(text: &str) -> Reading<Duration> {
    match duration(text)? {
        Duration::ZERO => Err("expected a duration longer than zero, such as 30s or 1m30s".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads what `item` reads, separated by commas; nothing at all is an empty list.
pub(super) fn list<T>(item: impl Fn(&str) -> Reading<T>) -> impl Fn(&str) -> Reading<Vec<T>> {
    move |text| text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&item).collect()
}

/// A list of at least one item, none of them twice.
pub(super) fn distinct<T: PartialEq + fmt::Display>(
    item: impl Fn(&str) -> Reading<T>,
) -> impl Fn(&str) -> Reading<Vec<T>> {
    let read = list(item);
    move |text| {
        let items = read(text)?;
        let twice = (1..items.len()).find(|index| items[..*index].contains(&items[*index]));
        match twice {
            Some(index) => Err(format!("`{}` stands there twice", items[index])),
            None if items.is_empty() => Err("expected at least one name".to_owned()),
            None => Ok(items),
        }
    }
}

pub(super) fn strategy(text: &str) -> Reading<StrategyKind> {
    let expected = || {
        format!(
            "unknown strategy `{text}`; expected one of: {}",
            StrategyKind::ALL.map(StrategyKind::as_str).join(", ")
        )
    };
    text.parse().map_err(|_| expected())
}

/// What to do with private addresses of other peers.
pub(super) fn private_peers(text: &str) -> Reading<PrivatePeers> {
    match text {
        "auto" => Ok(PrivatePeers::Auto),
        "dial" => Ok(PrivatePeers::Dial),
        "ignore" => Ok(PrivatePeers::Ignore),
        _ => Err("expected one of: auto, dial, ignore".to_owned()),
    }
}

/// The time that a round trip takes on a simulated network in which nodes of these strategies measure.
pub(super) fn round_trip(strategies: &[StrategyKind]) -> impl Fn(&str) -> Reading<Duration> {
    move |text| {
        let round_trip = duration(text)?;
        Latency::fixed(round_trip, strategies).map_err(|error| error.to_string())?;
        Ok(round_trip)
    }
}

/// The same for one that may also be `realistic` or `none`.
pub(super) fn latency(strategies: &[StrategyKind]) -> impl Fn(&str) -> Reading<Latency> {
    move |text| {
        let latency: Latency = parsed(text)?;
        latency.suits(strategies).map_err(|error| error.to_string())
    }
}

pub(super) fn cid(text: &str) -> Reading<Cid> {
    text.parse().map_err(|error: ParseCidError| format!("{} (expected `Qm…` or a multibase CIDv1)", error.reason))
}

pub(super) fn operation_id(text: &str) -> Reading<AttemptId> {
    let expected = |_| "expected the id of an operation, a UUID such as `parsec trace` lists them".to_owned();
    text.parse().map(AttemptId).map_err(expected)
}

/// A multiaddr by its looks; what it says is for those to judge who know libp2p.
pub(super) fn multiaddr(text: &str) -> Reading<String> {
    if text.starts_with('/') && text.len() > 1 {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a multiaddr; expected one such as /ip4/192.0.2.1/tcp/4001"))
    }
}

pub(super) fn peer_multiaddr(text: &str) -> Reading<String> {
    if multiaddr(text)?.contains("/p2p/") {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` does not end in /p2p/ and a peer id; expected one such as /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…"
        ))
    }
}

pub(super) fn protocol_id(text: &str) -> Reading<String> {
    if text.starts_with('/') && text.len() > 1 {
        Ok(text.to_owned())
    } else {
        Err("expected a protocol such as /ipfs/kad/1.0.0".to_owned())
    }
}

pub(super) fn database_url(text: &str) -> Reading<Secret> {
    let rest = ["sqlite:", "postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(Secret::new(text)),
        _ => Err("expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned()),
    }
}

pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Reading<T> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, ms) in [("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("1h0m0s", 3_600_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "30", "-5s", "soon", "1.5.5s"] {
            assert!(duration(text).unwrap_err().contains("1m30s"), "{text}");
        }
        assert!(positive_duration("0s").unwrap_err().contains("longer than zero"));
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for (text, number) in [("0", 0.0), ("1", 1.0), ("0.01", 0.01), ("1e-3", 0.001)] {
            assert_eq!(share(text).map(|share| share.get().to_bits()), Ok(f64::to_bits(number)), "{text}");
        }
        for text in ["", "1%", "-0.1", "1.01", "NaN", "inf", "0,5"] {
            assert!(share(text).unwrap_err().contains("from 0 to 1"), "{text}");
        }
    }

    #[test]
    fn localhost_is_an_address_without_asking_anybody() {
        let resolve =
            |host: &str| HostPort { host: host.to_owned(), port: 0 }.resolve().map(|address| address.to_string());
        assert_eq!(resolve("localhost").unwrap(), "127.0.0.1:0");
        assert_eq!(resolve("0.0.0.0").unwrap(), "0.0.0.0:0");
        assert_eq!(resolve("::1").unwrap(), "[::1]:0");
    }

    #[test]
    fn a_place_to_call_needs_host_and_port() {
        for text in ["localhost:7070", "10.0.0.1:1", "[::1]:7070", "server-1.internal:65535"] {
            assert_eq!(host_port(text).unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":7070", "localhost:", "localhost:0", "localhost:65536", "::1:7070", "a b:1"] {
            assert!(host_port(text).unwrap_err().contains("localhost:7070"), "{text}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("geheim")), "***");
    }
}
