//! Reads a scenario from a TOML file.

use std::time::Duration;

use thiserror::Error;
use toml::de::DeTable;

use super::super::strict::{Table, Wrong, line};
use super::super::world::{CHURN, MAX_PEERS, MIN_PEERS};
use super::{Event, REFRESH, Scenario, TICK, Transports, What};

/// The largest file of a scenario: the shipped ones have less than two thousand bytes.
pub const MAX_SCENARIO_BYTES: u64 = 1 << 20;

/// A scenario lasts a day at most, and so does the wait for a lookup: after two days a record has expired in go-libp2p-kad-dht
/// (`ProvideValidity`), which is not played.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest: in less, nothing has come to its end.
const SHORTEST: Duration = Duration::from_secs(60);

const SECOND: Duration = Duration::from_secs(1);

/// The most events: each is drawn for each peer at each change.
const MAX_EVENTS: usize = 100;

/// The most rows of each strategy and operation: one a minute for a day.
const MAX_ROWS: u128 = 1_440;

/// The smallest share of peers that has to be left.
const LEAST_LEFT: f64 = 0.01;

/// A file that is no scenario.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("scenario {file}, line {line}: {what}")]
pub struct ScenarioError {
    file: String,
    line: usize,
    what: String,
}

impl Scenario {
    /// Reads the text of a file. `file` names it in errors.
    ///
    /// # Errors
    /// [`ScenarioError`] names the line and what would be right.
    pub fn read(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let error = |Wrong { line, what }| ScenarioError { file: file.to_owned(), line, what };
        let entries = DeTable::parse(text).map_err(|no_toml| {
            let at = no_toml.span().map_or(0, |span| span.start);
            error(Wrong { line: line(text, at), what: format!("it is no TOML: {}", no_toml.message()) })
        })?;
        scenario(Table::whole(text, entries.get_ref())).map_err(error)
    }
}

fn scenario(mut table: Table<'_>) -> Result<Scenario, Wrong> {
    let (name, about) = (table.name()?, table.words("about")?);
    let length = table.duration("length", SHORTEST..=DAY)?;
    let step = table.optional("step").then(|| table.duration("step", SECOND..=length)).transpose()?;
    let step = step.unwrap_or(TICK.min(length));
    let rows = length.as_nanos().div_ceil(step.as_nanos());
    if rows > MAX_ROWS {
        let what = format!(
            "`step` cuts the length into {rows} rows; expected at most {MAX_ROWS}: a longer step, or a shorter length"
        );
        return Err(table.wrong_at("step", what));
    }
    let refresh = table.optional("refresh").then(|| table.duration("refresh", SECOND..=DAY)).transpose()?;
    let after = table.optional("lookup_after").then(|| table.duration("lookup_after", Duration::ZERO..=DAY));
    let churn = table.optional("churn").then(|| table.duration("churn", CHURN)).transpose()?;
    let mut scenario = Scenario {
        name,
        about,
        length,
        step,
        refresh: refresh.unwrap_or(REFRESH),
        lookup_after: after.transpose()?.unwrap_or(Duration::ZERO),
        churn,
        events: Vec::new(),
        starts: Duration::ZERO,
        is_scattered: false,
    };
    if table.optional("event") {
        let mut so_far = SoFar { at: Duration::ZERO, left: 1.0, is_blocked: false };
        for event in table.tables("event", MAX_EVENTS)? {
            scenario.events.push(so_far.next(event, length)?);
        }
    }
    table.finish()?;
    Ok(scenario)
}

/// What has happened before an event.
struct SoFar {
    at: Duration,
    /// The share of peers that has neither gone silent nor left.
    left: f64,
    is_blocked: bool,
}

/// What an event may be.
const KINDS: [&str; 5] = ["silent", "leave", "back", "merge", "udp_blocked"];

impl SoFar {
    fn next(&mut self, mut table: Table<'_>, length: Duration) -> Result<Event, Wrong> {
        let at = table.duration("at", Duration::ZERO..=DAY)?;
        if at >= length {
            let what =
                format!("`event.at` is {at:?}, and the scenario ends after {length:?}; expected an earlier time");
            return Err(table.wrong_at("at", what));
        }
        if at < self.at {
            let what = format!(
                "`event.at` is {at:?}, and the event above it happens at {:?}; expected events in the order of their times",
                self.at
            );
            return Err(table.wrong_at("at", what));
        }
        let there: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
        let [kind] = there[..] else {
            let what = format!("an event has {} of {}; expected exactly one", there.len(), KINDS.join(", "));
            return Err(table.wrong(what));
        };
        let what = self.what(kind, &mut table)?;
        table.finish()?;
        self.at = at;
        Ok(Event { at, what })
    }

    fn what(&mut self, kind: &'static str, table: &mut Table<'_>) -> Result<What, Wrong> {
        if kind == "merge" {
            return Ok(What::Merge(table.whole_number("merge", MIN_PEERS..=MAX_PEERS)?));
        }
        if kind == "udp_blocked" {
            return self.udp(table);
        }
        let share = table.share(kind)?;
        if kind == "back" {
            if self.left == 1.0 {
                let what =
                    "`event.back`: nobody has gone silent or left before; expected it after such an event".to_owned();
                return Err(table.wrong_at("back", what));
            }
            self.left += (1.0 - self.left) * share;
            return Ok(What::Back(share));
        }
        self.left *= 1.0 - share;
        // Shares of shares differ in their last digits from what they are said to be.
        if self.left < LEAST_LEFT * (1.0 - 1e-9) {
            let what = format!(
                "`event.{kind}` is {share}: after it {:.1} % of the peers that answered at first are left; expected at least {} %, because somebody has to answer",
                self.left * 100.0,
                LEAST_LEFT * 100.0
            );
            return Err(table.wrong_at(kind, what));
        }
        Ok(if kind == "silent" { What::Silent(share) } else { What::Leave(share) })
    }

    fn udp(&mut self, table: &mut Table<'_>) -> Result<What, Wrong> {
        let blocks = table.yes_or_no("udp_blocked")?;
        if blocks == self.is_blocked {
            let (is, other) = if blocks { ("blocked", "false") } else { ("open", "true") };
            let what = format!("`event.udp_blocked` is {blocks}, and UDP is {is} already; expected {other}");
            return Err(table.wrong_at("udp_blocked", what));
        }
        self.is_blocked = blocks;
        if !blocks {
            return Ok(What::Udp(None));
        }
        let transports = Transports { quic_only: table.share("quic_only")?, tcp_only: table.share("tcp_only")? };
        if transports.quic_only + transports.tcp_only > 1.0 {
            let what = format!(
                "`event.quic_only` and `event.tcp_only` add up to {:.3}; expected at most 1",
                transports.quic_only + transports.tcp_only
            );
            return Err(table.wrong_at("tcp_only", what));
        }
        if transports.quic_only > 1.0 - LEAST_LEFT {
            let what = format!(
                "`event.quic_only` is {}; expected at most {}: somebody has to be reached over TCP",
                transports.quic_only,
                1.0 - LEAST_LEFT
            );
            return Err(table.wrong_at("quic_only", what));
        }
        Ok(What::Udp(Some(transports)))
    }
}
