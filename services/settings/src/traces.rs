//! The settings of the commands that show what operations did.

use std::path::PathBuf;

use parsec_measure::{IdPart, OutcomeClass};
use parsec_results::Dimension;
use parsec_store::MAX_LISTED_OPERATIONS;

use crate::common::{CommonConfig, DatabaseConfig};
use crate::declare::settings;
use crate::results::{ResultsFormat, SelectionConfig};
use crate::values::{OutputFormat, Reading, Value, choice, names, parsed, within};

/// The most peers of a table: more than anybody reads.
const MAX_WORST: u32 = 1_000;

choice! {
    /// How operations are written for other tools.
    TraceExport {
        Perfetto = "perfetto", "Trace events, as ui.perfetto.dev and chrome://tracing read them";
        Jsonl = "jsonl", "JSON, a line for each operation";
    }
}

names! {
    OutcomeClass, "" {
        OutcomeClass::Ok = "ok", "Published, or found";
        OutcomeClass::NotFound = "not_found", "The lookup ended without a provider";
        OutcomeClass::WrongProvider = "wrong_provider", "Providers were named, and who had published was not among them";
        OutcomeClass::Timeout = "timeout", "It ran past its limit";
        OutcomeClass::NoPeers = "no_peers", "The routing table was empty";
        OutcomeClass::DialFailed = "dial_failed", "No peer could be connected to";
        OutcomeClass::NoTransport = "no_transport", "No peer has a transport that the node has";
        OutcomeClass::LocalLimit = "local_limit", "The measuring machine had reached a limit";
        OutcomeClass::Protocol = "protocol", "No peer answered as the protocol wants it";
        OutcomeClass::ServerUnreachable = "server_unreachable", "The server could not be reached";
        OutcomeClass::ServerNotReady = "server_not_ready", "The server could not measure yet";
        OutcomeClass::ServerError = "server_error", "The answer was no measurement";
        OutcomeClass::WrongNode = "wrong_node", "Another node answered";
        OutcomeClass::Cancelled = "cancelled", "The process was stopping";
        OutcomeClass::RecordLost = "record_lost", "The result was lost in a crash";
    }
}

impl Value for IdPart {
    fn read(text: &str) -> Reading<Self> {
        parsed(text)
    }
}

/// Which operations `parsec trace` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A list of those that were selected.
    List,
    /// This one.
    One(IdPart),
    /// These two, side by side.
    Diff(IdPart, IdPart),
}

impl Value for Asked {
    fn read(text: &str) -> Reading<Self> {
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["diff", a, b] => Ok(Self::Diff(IdPart::read(a)?, IdPart::read(b)?)),
            ["diff", ..] => Err("expected the ids of two operations after `diff`".to_owned()),
            [id] => Ok(Self::One(IdPart::read(id)?)),
            _ => Err("expected the id of one operation, or `diff` and two".to_owned()),
        }
    }
}

settings! {
    /// `parsec trace`.
    TraceConfig(from) = "Trace";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the traces are";
    + selection: SelectionConfig, "Which operations are listed";
    newest: u32 = ("trace.newest", "newest", "N").default("20") by within(1..=MAX_LISTED_OPERATIONS), "How many of them, the newest first";
    slowest: Option<u32> = ("trace.slowest", "slowest", "N") by within(1..=MAX_LISTED_OPERATIONS), "Instead, how many of those that took longest";
    outcomes: Option<Vec<OutcomeClass>> = ("trace.outcome", "outcome", "OUTCOMES"), "Only those that ended like this, also those without a trace";
    format: OutputFormat = ("trace.format", "format", "FORMAT").default("text"), "How it is written";
    export: Option<TraceExport> = ("trace.export", "export", "EXPORT"), "Write the operations with their traces, for other tools";
    output: Option<PathBuf> = ("trace.output", "output", "FILE").short('o'), "The file that an export is written to, instead of stdout";
    addresses: bool = ("trace.addresses", "addresses", "BOOL"), "Export the addresses of other peers, too; without it, only their ids";
    => asked: Asked = from.argument(Asked::read)?.unwrap_or(Asked::List), "Which operations";
}

settings! {
    /// `parsec explain`.
    ExplainConfig(from) = "Explain";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the traces are";
    + selection: SelectionConfig, "Which operations";
    by: Vec<Dimension> = ("explain.by", "by", "DIMENSIONS").default("fleet"), "How to group; publications and lookups are always told apart";
    format: ResultsFormat = ("explain.format", "format", "FORMAT").default("text"), "How the result is written";
    => id: Option<IdPart> = from.argument(IdPart::read)?, "The operation to explain; `None` adds up all that were selected";
}

settings! {
    /// `parsec peers`.
    PeersConfig(from) = "Peers";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the traces are";
    + selection: SelectionConfig, "Which operations";
    worst: u32 = ("peers.worst", "worst", "N").default("20") by within(1..=MAX_WORST), "How many peers, those first that the most time was spent on";
    addresses: bool = ("peers.addresses", "addresses", "BOOL"), "Show their addresses, too, as far as traces have them";
    format: ResultsFormat = ("peers.format", "format", "FORMAT").default("text"), "How the result is written";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_asked_for_by_a_part_of_its_id_and_two_are_compared() {
        let part = |text: &str| text.parse::<IdPart>().unwrap();
        assert_eq!(Asked::read("099a8057"), Ok(Asked::One(part("099a8057"))));
        assert_eq!(Asked::read("diff 099a8057 774b"), Ok(Asked::Diff(part("099a8057"), part("774b"))));
        for (text, expected) in [
            ("diff 099a8057", "expected the ids of two operations"),
            ("099a8057 774b", "expected the id of one operation, or `diff` and two"),
            ("latest", "at least 4 digits"),
            ("diff 099a8057 x", "at least 4 digits"),
        ] {
            let error = Asked::read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn every_outcome_can_be_asked_for() {
        for class in OutcomeClass::ALL {
            assert_eq!(<OutcomeClass as Value>::read(class.as_str()), Ok(class));
        }
    }
}
