//! The settings of the commands that answer questions about what was measured.

use std::path::{Path, PathBuf};

use parsec_layers::{ConfigError, Secrecy, Secret, Sources};
use parsec_measure::{Fleet, OperationKind, Share, StrategyKind, When};
use parsec_results::{Dimension, UNKNOWN};

use crate::common::{CommonConfig, DatabaseConfig, database_url};
use crate::declare::settings;
use crate::values::{Reading, Value, choice, names};

choice! {
    /// How results are written.
    ResultsFormat {
        Text = "text" or "table", "For people";
        Json = "json", "For programs: JSON";
        Csv = "csv", "Comma-separated, with a header";
        Markdown = "markdown", "For issue trackers";
    }
}

choice! {
    /// How a comparison is written.
    CompareFormat {
        Text = "text" or "table", "For people";
        Json = "json", "For programs: JSON";
        Markdown = "markdown", "For issue trackers";
    }
}

names! {
    OperationKind, "" {
        OperationKind::Provide = "provide", "Publications";
        OperationKind::Retrieve = "retrieve", "Lookups";
    }
}

names! {
    Dimension, "" {
        Dimension::Fleet = "fleet", "The fleet of the server";
        Dimension::Region = "region", "Its region";
        Dimension::Strategy = "strategy", "How the server publishes and finds; `unknown` if it does not say";
        Dimension::Agent = "agent", "The software that the server is: package and version; `unknown` if it does not say";
        Dimension::Peer = "peer", "The server itself, by its peer id";
        Dimension::Day = "day", "The day, in UTC";
        Dimension::Hour = "hour", "The hour, in UTC";
        Dimension::Probe = "probe", "Which look of the server at the same key, from 0; without it, later looks are left out";
    }
}

impl Value for When {
    fn read(text: &str) -> Reading<Self> {
        text.parse()
    }
}

/// One side of a comparison: which measurements stand on it. What it does not say is the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Its name: what was written.
    pub name: String,
    /// The fleet, if not all.
    pub fleet: Option<Fleet>,
    /// The region, if not all.
    pub region: Option<String>,
    /// The strategy of the servers or [`UNKNOWN`], if not all.
    pub strategy: Option<String>,
    /// Their software or [`UNKNOWN`], if not all.
    pub agent: Option<String>,
    /// From when on.
    pub since: Option<When>,
    /// Until when.
    pub until: Option<When>,
}

impl Side {
    /// What the servers say of themselves on this side.
    pub fn servers(&self) -> impl Iterator<Item = (Dimension, &str)> {
        let said = [(Dimension::Strategy, &self.strategy), (Dimension::Agent, &self.agent)];
        said.into_iter().filter_map(|(dimension, said)| Some((dimension, said.as_deref()?)))
    }
}

fn strategy(text: &str) -> Reading<String> {
    match <StrategyKind as Value>::read(text) {
        Err(reason) if text != UNKNOWN => Err(format!("{reason} (or {UNKNOWN}, for servers that do not say it)")),
        _ => Ok(text.to_owned()),
    }
}

impl Value for Side {
    fn read(text: &str) -> Reading<Self> {
        let expected = "expected what tells this side apart, such as fleet=optprov, region=eu-central-1, strategy=classic, agent=parsec/0.1.0 or since=14d,until=7d";
        let mut side = Self { name: text.to_owned(), ..Self::default() };
        for part in text.split(',') {
            let Some((key, value)) = part.split_once('=') else { return Err(expected.to_owned()) };
            let value = value.trim();
            let twice = match key.trim() {
                "fleet" => side.fleet.replace(<Fleet as Value>::read(value)?).is_some(),
                "region" => side.region.replace(<String as Value>::read(value)?).is_some(),
                "strategy" => side.strategy.replace(strategy(value)?).is_some(),
                "agent" => side.agent.replace(<String as Value>::read(value)?).is_some(),
                "since" => side.since.replace(value.parse()?).is_some(),
                "until" => side.until.replace(value.parse()?).is_some(),
                _ => return Err(expected.to_owned()),
            };
            if twice {
                return Err(format!("`{}` stands there twice", key.trim()));
            }
        }
        Ok(side)
    }
}

/// Where one side of a comparison is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The database that both sides have in common.
    Database,
    /// A database of its own, by its URL.
    OtherDatabase(Secret),
    /// A run that was kept in a file.
    File(PathBuf),
}

/// One side of a comparison: where it is read from, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// Where it is read from.
    pub place: Place,
    /// What of it.
    pub side: Side,
}

/// One half, out of the setting of this name, `compare.a` or `compare.b`, and those beside it. One of them has to be made; of
/// file and database at most one is there, because they are rivals.
fn half(
    from: &Sources,
    name: &str,
    (side, file, database): (Option<&Side>, Option<&Path>, Option<&Secret>),
) -> Result<Half, ConfigError> {
    let place = match (file, database) {
        (Some(file), _) => Place::File(file.to_owned()),
        (None, Some(url)) => Place::OtherDatabase(url.clone()),
        (None, None) if side.is_none() => return Err(ConfigError::Missing(from.key(name))),
        (None, None) => Place::Database,
    };
    Ok(Half { place, side: side.cloned().unwrap_or_default() })
}

/// A share, or so many percent.
pub(crate) fn share_or_percent(text: &str) -> Reading<Share> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let margin = number.parse::<f64>().ok().and_then(|number| Share::new(number / scale));
    margin.ok_or_else(|| "expected a share from 0 to 1 or percent, such as 0.05 or 5%".to_owned())
}

/// A difference that can be seen.
fn difference(text: &str) -> Reading<Share> {
    let difference = share_or_percent(text).ok().filter(|share| share.get() > 0.0);
    difference.ok_or_else(|| "expected more than 0 and at most 1, such as 0.2 or 20%".to_owned())
}

settings! {
    /// Which measurements a question is about.
    SelectionConfig(from) = "Selection";
    since: Option<When> = ("results.since", "since", "WHEN"), "Only what started then or later: 24h, 7d, 2026-11-27 or 2026-11-27T13:00:00Z";
    until: Option<When> = ("results.until", "until", "WHEN"), "Only what started before then";
    fleets: Option<Vec<Fleet>> = ("results.fleet", "fleet", "FLEETS"), "Only these fleets";
    regions: Option<Vec<String>> = ("results.region", "region", "REGIONS"), "Only these regions";
    kind: Option<OperationKind> = ("results.kind", "kind", "KIND"), "Only publications, or only lookups";
}

settings! {
    /// `parsec results`.
    ResultsConfig(from) = "Results";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them";
    failures: bool = ("results.failures", "failures", "BOOL"), "Show how attempts failed, class by class, instead of how long they took";
    by: Vec<Dimension> = ("results.by", "by", "DIMENSIONS").default("fleet"), "How to group; publications and lookups are always told apart";
    format: ResultsFormat = ("results.format", "format", "FORMAT").default("text"), "How the result is written";
}

settings! {
    /// `parsec compare`.
    CompareConfig(from) = "Compare";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them, on both sides";
    a: Option<Side> = ("compare.a", "a", "SIDE"), "What to compare with, such as fleet=default";
    a_file: Option<PathBuf> = ("compare.a_file", "a-file", "FILE").rivals(&["compare.a_database"]), "Run to compare with, as `bench --save` and `demo --save` write it";
    a_database: Option<Secret> = ("compare.a_database", "a-database", "URL").secrecy(Secrecy::SecretInUrl)
        .rivals(&["compare.a_file"]) by database_url, "Database to compare with, if it is another one";
    b: Option<Side> = ("compare.b", "b", "SIDE"), "What to compare, such as fleet=optprov";
    b_file: Option<PathBuf> = ("compare.b_file", "b-file", "FILE").rivals(&["compare.b_database"]), "Run to compare";
    b_database: Option<Secret> = ("compare.b_database", "b-database", "URL").secrecy(Secrecy::SecretInUrl)
        .rivals(&["compare.b_file"]) by database_url, "Database to compare, if it is another one";
    by: Option<Vec<Dimension>> = ("compare.by", "by", "DIMENSIONS"),
        "Compare within each region, day, …, instead of as a whole; two files are compared within each fleet unless a side names one";
    margin: Share = ("compare.margin", "margin", "SHARE").default("5%") by share_or_percent, "By how much times may differ and still count as equal";
    success_margin: Share = ("compare.success_margin", "success-margin", "SHARE").default("1%") by share_or_percent,
        "By how much success rates may differ and still count as equal, in percentage points";
    format: CompareFormat = ("compare.format", "format", "FORMAT").default("text"), "How the result is written";
    => halves: [Half; 2] = [
        half(from, "compare.a", (a.as_ref(), a_file.as_deref(), a_database.as_ref()))?,
        half(from, "compare.b", (b.as_ref(), b_file.as_deref(), b_database.as_ref()))?,
    ], "Both sides: what to compare with, and what to compare";
}

settings! {
    /// `parsec plan`.
    PlanConfig(from) = "Plan";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them";
    by: Vec<Dimension> = ("plan.by", "by", "DIMENSIONS").default("fleet"), "How to group; publications and lookups are always told apart";
    to_see: Share = ("plan.to_see", "to-see", "SHARE").default("20%") by difference, "The difference of times that is to be seen";
    format: ResultsFormat = ("plan.format", "format", "FORMAT").default("text"), "How the result is written";
}

settings! {
    /// `parsec incidents`.
    IncidentsConfig(from) = "Incidents";
    + common: CommonConfig, "What every command has";
    + database: DatabaseConfig, "Where the measurements are";
    + selection: SelectionConfig, "Which of them; those of the last 24 hours if it does not say from when on";
    format: ResultsFormat = ("incidents.format", "format", "FORMAT").default("text"), "How the result is written";
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::programs::Command;
    use crate::tests::{file, run};

    #[test]
    fn no_difference_is_none_to_be_seen() {
        assert_eq!(difference("20%").unwrap().get(), 0.2);
        for text in ["0%", "0", "-5%", "200%", "some"] {
            assert!(difference(text).unwrap_err().contains("more than 0 and at most 1"), "{text}");
        }
    }

    #[test]
    fn a_side_says_what_tells_it_apart() {
        let side = <Side as Value>::read("fleet=optprov, since=14d,until=7d").unwrap();
        assert_eq!((side.fleet.unwrap().as_str(), side.region), ("optprov", None));
        assert_eq!(side.until, Some(When::Ago(Duration::from_secs(7 * 86_400))));
        let side = <Side as Value>::read("strategy=classic,agent=parsec/0.1.0").unwrap();
        let said: Vec<_> = side.servers().collect();
        assert_eq!(said, [(Dimension::Strategy, "classic"), (Dimension::Agent, "parsec/0.1.0")]);
        assert_eq!(<Side as Value>::read("strategy=unknown").unwrap().strategy.as_deref(), Some(UNKNOWN));
        for (text, why) in [
            ("optprov", "expected what"),
            ("colour=red", "expected what"),
            ("fleet=a,fleet=b", "twice"),
            ("since=soon", "how long ago"),
            ("strategy=clasic", "did you mean `classic`? (or unknown, for servers that do not say it)"),
            ("agent=", "expected"),
        ] {
            let error = <Side as Value>::read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn of_the_file_and_the_database_of_a_side_the_one_in_the_higher_place_is_compared() {
        let (_dir, path) = file("p.toml", "[compare]\na_file = 'main.json'\nb_database = 'sqlite:b.db'\n");
        let places = |line: &str| match run(&format!("compare --config {} {line}", path.display()), &[]) {
            Ok((Command::Compare(config), _)) => Ok(config.halves.map(|half| half.place)),
            Ok(other) => panic!("{line}: {other:?}"),
            Err(refused) => Err(refused),
        };
        let database = |url: &str| Place::OtherDatabase(Secret::new(url));
        assert_eq!(places(""), Ok([Place::File("main.json".into()), database("sqlite:b.db")]));
        let swapped = places("--a-database sqlite:a.db --b-file branch.json");
        assert_eq!(swapped, Ok([database("sqlite:a.db"), Place::File("branch.json".into())]));
        for side in ["a", "b"] {
            let refused = places(&format!("--{side}-file x.json --{side}-database sqlite:x.db")).unwrap_err();
            let both = format!("flag --{side}-file and flag --{side}-database are both set; set only one of them");
            assert_eq!(refused, format!("error: {both}"));
        }
    }

    #[test]
    fn a_margin_is_a_share_or_percent() {
        for (text, share) in [("5%", 0.05), ("0.05", 0.05), ("0", 0.0), ("12.5 %", 0.125)] {
            assert_eq!(share_or_percent(text).map(Share::get), Ok(share), "{text}");
        }
        for text in ["", "5", "-1%", "NaN", "101%"] {
            assert!(share_or_percent(text).is_err(), "{text}");
        }
    }
}
