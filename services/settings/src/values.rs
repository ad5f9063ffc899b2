//! Single values: what a text must look like to be one, and what to say if it does not.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use parsec_api::token::ApiToken;
use parsec_dht::{PrivatePeers, Warmth};
use parsec_ecs::Container;
pub(crate) use parsec_layers::plain::{Reading, distinct, list, no_choice, parsed, path, text, within};
use parsec_layers::{Choice, ConfigError, Form, Kind, Secret, Sources, plain::switch};
use parsec_measure::{Cid, Fleet, Latency, ParseCidError, Share, StrategyKind, read_duration};
use parsec_store::SslMode;
use reqwest::Url;

/// What one setting says.
pub(crate) trait Value: Sized + fmt::Debug {
    /// How it is written.
    const KIND: Kind = Kind::Text;
    /// What it can be, if that is one of a few.
    const CHOICES: &'static [Choice] = &[];

    /// Reads it as most settings of this type are read.
    fn read(text: &str) -> Reading<Self>;
}

/// A field for a setting: a value, or one that may be missing.
pub(crate) trait Field: Sized {
    type Value: Value;

    /// The field; `None` if there has to be a value, and is none.
    fn of(value: Option<Self::Value>) -> Option<Self>;
}

impl<T: Value> Field for T {
    type Value = T;

    fn of(value: Option<T>) -> Option<T> {
        value
    }
}

impl<T: Value> Field for Option<T> {
    type Value = T;

    fn of(value: Option<T>) -> Option<Option<T>> {
        Some(value)
    }
}

/// A setting that is read without having an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle<T>(PhantomData<T>);

impl<T: Value> Field for Idle<T> {
    type Value = T;

    fn of(_: Option<T>) -> Option<Self> {
        Some(Self(PhantomData))
    }
}

/// The value of a field of the settings of a command.
pub(crate) fn field<F: Field>(
    from: &Sources,
    name: &str,
    read: impl Fn(&str) -> Reading<F::Value>,
) -> Result<F, ConfigError> {
    F::of(from.optional(name, read)?).ok_or_else(|| ConfigError::Missing(from.key(name)))
}

/// How such a field is written, what it can be, and what a text means for it: a text that is the same for all that mean the
/// same.
pub(crate) const fn form<F: Field>() -> Form {
    (F::Value::KIND, F::Value::CHOICES, |text| F::Value::read(text).map(|value| format!("{value:?}")))
}

/// The types of settings: how each is written, and read unless a setting says otherwise.
macro_rules! values {
    ($($type:ty: $kind:ident = $read:expr;)*) => {
        $(impl Value for $type {
            const KIND: Kind = Kind::$kind;

            fn read(text: &str) -> Reading<Self> {
                ($read)(text)
            }
        })*
    };
}

values! {
    String: Text = text;
    PathBuf: Text = path;
    Secret: Text = |text: &str| Ok(Secret::new(text));
    bool: Switch = switch;
    u16: Number = within(0..=u16::MAX);
    u32: Number = within(0..=u32::MAX);
    u64: Number = within(0..=u64::MAX);
    Share: Decimal = share;
    Duration: Text = positive_duration;
    IpAddr: Text = |text: &str| text.parse().map_err(|_| "expected an IP address such as 10.0.2.100".to_owned());
    Url: Text = parsed;
    Warmth: Text = connections;
    ApiToken: Text = |text| ApiToken::new(text).map_err(|error| error.to_string());
    Cid: Text = cid;
    Container: Text = parsed;
    Fleet: Text = parsed;
    Latency: Text = parsed;
}

impl<T: Value + PartialEq + fmt::Display> Value for Vec<T> {
    const KIND: Kind = Kind::List;
    const CHOICES: &'static [Choice] = T::CHOICES;

    fn read(text: &str) -> Reading<Self> {
        distinct(T::read)(text)
    }
}

/// Names that a setting of this type is chosen from, each with what it means; one may have an older name, which is still
/// read. A noun is used where the name alone would not say what is unknown.
macro_rules! names {
    ($type:ty, $noun:literal $($kind:ident)? { $($value:path = $name:literal $(or $older:literal)*, $help:literal;)+ }) => {
        impl $crate::values::Value for $type {
            $(const KIND: parsec_layers::Kind = parsec_layers::Kind::$kind;)?
            const CHOICES: &'static [parsec_layers::Choice] = &[$(($name, $help)),+];

            fn read(text: &str) -> $crate::values::Reading<Self> {
                match text {
                    $($name $(| $older)* => Ok($value),)+
                    _ => Err($crate::values::no_choice($noun, text, Self::CHOICES)),
                }
            }
        }
    };
}

/// Declares a type whose values are names.
macro_rules! choice {
    ($(#[$doc:meta])* $type:ident $(: $kind:ident)? { $($value:ident = $name:literal $(or $older:literal)*, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type { $(#[doc = $help] $value),+ }

        impl $type {
            /// The name as one writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $name),+ }
            }
        }

        $crate::values::names! { $type, "" $($kind)? { $($type::$value = $name $(or $older)*, $help;)+ } }
    };
}

pub(crate) use {choice, names};

choice! {
    /// How lines are written.
    OutputFormat {
        Text = "text", "For people";
        Json = "json", "For programs";
    }
}

names! {
    SslMode, "" {
        SslMode::Disable = "disable", "Never";
        SslMode::Prefer = "prefer", "If the server offers it";
        SslMode::Require = "require", "Always, with whatever certificate; with --db-sslrootcert, as verify-ca";
        SslMode::VerifyCa = "verify-ca", "Always, with a certificate of a known authority";
        SslMode::VerifyFull = "verify-full", "Always, with a certificate of a known authority for this host";
    }
}

names! {
    StrategyKind, "strategy" {
        StrategyKind::Classic = "classic", "Find the closest peers, then send the record to each of them";
        StrategyKind::Optprov = "optprov", "Send records during the lookup, to peers that are probably among the closest";
        StrategyKind::Fullrt = "fullrt", "Know every peer from a crawl, and need no lookup";
        StrategyKind::Libp2p = "libp2p", "Use the queries of rust-libp2p";
    }
}

names! {
    PrivatePeers, "" {
        PrivatePeers::Auto = "auto", "Ignore them if all bootstrap peers are public";
        PrivatePeers::Dial = "dial", "Dial them";
        PrivatePeers::Ignore = "ignore", "Ignore them";
    }
}

choice! {
    /// How much is logged: names, and the numbers of logrus, the original's log library (0 panic, 1 fatal, 2 error, …, 6 trace).
    LogLevel: Number {
        Error = "error" or "0" or "1" or "2", "What went wrong";
        Warn = "warn" or "warning" or "3", "And what might";
        Info = "info" or "4", "And what happens";
        Debug = "debug" or "5", "And why";
        Trace = "trace" or "6", "And every step";
    }
}

fn share(text: &str) -> Reading<Share> {
    let share = text.parse().ok().and_then(Share::new);
    share.ok_or_else(|| "expected a number from 0 to 1, such as 0.01".to_owned())
}

pub(crate) fn duration(text: &str) -> Reading<Duration> {
    read_duration(text).ok_or_else(|| "expected a duration such as 500ms, 30s or 1m30s".to_owned())
}

fn positive_duration(text: &str) -> Reading<Duration> {
    match duration(text)? {
        Duration::ZERO => Err("expected a duration longer than zero, such as 30s or 1m30s".to_owned()),
        duration => Ok(duration),
    }
}

/// The most connections that can be asked for: what a node may have to others anyway.
const MAX_CONNECTIONS: u32 = 8_192;

fn connections(text: &str) -> Reading<Warmth> {
    let marks = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match marks {
        Some((low, high)) if low <= high && high <= MAX_CONNECTIONS => Ok(Warmth { low, high }),
        _ => Err(format!("expected two numbers up to {MAX_CONNECTIONS}, the lower one first, such as 160-192")),
    }
}

fn cid(text: &str) -> Reading<Cid> {
    text.parse().map_err(|error: ParseCidError| format!("{} (expected `Qm…` or a multibase CIDv1)", error.reason))
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
    fn a_name_that_was_mistyped_is_guessed_and_another_one_is_not() {
        for (text, guess) in
            [("clasic", "; did you mean `classic`?"), ("fulrt", "; did you mean `fullrt`?"), ("fast", "")]
        {
            let message = <StrategyKind as Value>::read(text).unwrap_err();
            let expected =
                format!("unknown strategy `{text}`; expected one of: classic, optprov, fullrt, libp2p{guess}");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("geheim")), "***");
    }
}
