//! The rooms of each crate: who stands above whom, and how much of one still stands in a circle.

/// A crate and the rooms in it that have an order.
pub(crate) struct House {
    /// The folder of the crate.
    pub(crate) at: &'static str,
    /// Folders or files of `src`, from top to bottom: each knows those below it alone. What is not listed is free.
    pub(crate) rooms: &'static [&'static str],
    /// How many files stand in circles. May only become smaller, to none.
    pub(crate) in_circles: usize,
    /// How many arrows lead upwards. May only become smaller, to none.
    pub(crate) upwards: usize,
    /// How many lines its production code may have.
    pub(crate) lines: Option<usize>,
}

/// A crate without rooms or circles, of any size.
const SMALL: House = House { at: "", rooms: &[], in_circles: 0, upwards: 0, lines: None };

/// Every crate of the workspace.
pub(crate) const HOUSES: &[House] = &[
    House { at: "actors", rooms: &["scheduling", "serving", "recording", "telemetry", "supervision"], ..SMALL },
    House { at: "schema", ..SMALL },
    House { at: "services/api", ..SMALL },
    House { at: "services/conformance", ..SMALL },
    House { at: "services/dht", rooms: &["node", "table", "operation", "swarm", "wire", "strategy"], ..SMALL },
    House { at: "services/lab", ..SMALL },
    House { at: "services/measure", in_circles: 5, ..SMALL },
    House { at: "services/parsec", in_circles: 14, lines: Some(3_400), ..SMALL },
    House { at: "services/results", ..SMALL },
    House { at: "services/settings", lines: Some(4_100), ..SMALL },
    House { at: "services/show", ..SMALL },
    House { at: "services/store", in_circles: 10, ..SMALL },
    House { at: "tests/support", ..SMALL },
];
