//! The rooms of each crate: who stands above whom, and how large it may be.

/// A crate and the rooms in it that have an order.
pub(crate) struct House {
    /// The folder of the crate.
    pub(crate) at: &'static str,
    /// Folders or files of `src`, from top to bottom: each knows those below it alone. What is not listed is free.
    pub(crate) rooms: &'static [&'static str],
    /// How many lines its production code may have.
    pub(crate) lines: Option<usize>,
}

/// A crate without rooms, of any size.
const SMALL: House = House { at: "", rooms: &[], lines: None };

/// Every crate of the workspace.
pub(crate) const HOUSES: &[House] = &[
    House {
        at: "actors",
        rooms: &["scheduling", "serving", "viewing", "recording", "telemetry", "supervision"],
        ..SMALL
    },
    House { at: "schema", ..SMALL },
    House { at: "services/answers", ..SMALL },
    House { at: "services/api", ..SMALL },
    House { at: "services/bench", ..SMALL },
    House { at: "services/conformance", ..SMALL },
    House {
        at: "services/dht",
        rooms: &["node", "table", "operation", "swarm", "denylist", "wire", "strategy"],
        ..SMALL
    },
    House { at: "services/doctor", ..SMALL },
    House { at: "services/ecs", ..SMALL },
    House { at: "services/export", ..SMALL },
    House { at: "services/host", rooms: &["log", "process", "machine", "memory"], ..SMALL },
    House { at: "services/lab", ..SMALL },
    House {
        at: "services/layers",
        rooms: &["cli", "warnings", "show", "sources", "redact", "error", "plain", "app", "key", "secrecy"],
        // Besides: completions that offer files beside names.
        lines: Some(1_600),
    },
    House { at: "services/measure", ..SMALL },
    House { at: "services/output", ..SMALL },
    // Besides what it was drawn with: the page, as a process of its own, beside a scheduler and in the demonstration; and a demonstration of
    // simulated fleets, with servers, a clock and a database of its own, to which something may happen; and a list of keys that are published at once.
    House { at: "services/parsec", lines: Some(3_800), ..SMALL },
    House { at: "services/results", ..SMALL },
    // Besides: what a demonstration plays in a world, where it goes, and what that rules out; and many keys in place of one content.
    House { at: "services/settings", lines: Some(2_820), ..SMALL },
    House { at: "services/show", ..SMALL },
    House { at: "services/store", ..SMALL },
    House { at: "services/tls", ..SMALL },
    House { at: "tests/generator", ..SMALL },
    House { at: "tests/support", ..SMALL },
];
