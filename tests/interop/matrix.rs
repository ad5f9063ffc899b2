//! Who publishes times who finds, with what each of them took.

use std::fmt;

/// How wide a cell is.
const WIDTH: usize = 13;

/// Somebody who publishes or finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Party {
    /// Whose software it is.
    pub(crate) side: Side,
    /// How it publishes and finds.
    pub(crate) strategy: &'static str,
}

/// Whose software somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Ours.
    Rust,
    /// go-libp2p-kad-dht.
    Go,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Rust => "Rust",
            Side::Go => "Go",
        };
        write!(f, "{side} {}", self.strategy)
    }
}

/// The one that may miss a record: see [`Matrix::failures`].
const GO_FULLRT: Party = Party { side: Side::Go, strategy: "fullrt" };

/// Seconds, or why it failed.
pub(crate) type Attempt = Result<f64, String>;

/// One row for each who publishes: its own attempts, and those of each who looks for what it published.
#[derive(Debug)]
pub(crate) struct Matrix {
    title: String,
    finders: Vec<Party>,
    rows: Vec<(Party, Vec<Attempt>, Vec<Vec<Attempt>>)>,
}

impl Matrix {
    pub(crate) fn new(title: String, providers: &[Party], finders: &[Party]) -> Self {
        let row = |provider: &Party| (*provider, Vec::new(), vec![Vec::new(); finders.len()]);
        Self { title, finders: finders.to_vec(), rows: providers.iter().map(row).collect() }
    }

    pub(crate) fn provided(&mut self, provider: usize, attempt: Attempt) {
        self.rows[provider].1.push(attempt);
    }

    pub(crate) fn found(&mut self, provider: usize, finder: usize, attempt: Attempt) {
        self.rows[provider].2[finder].push(attempt);
    }

    /// The cells that something failed in, by name, with the reasons. Go's fullrt may miss a record, but not always: as soon
    /// as a second peer names the provider, or half of them have answered, it cancels the search, and with it the first
    /// provider if that has not been handed over yet. On loopback everybody answers at once.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (provider, own, others) in &self.rows {
            let own = std::iter::once((format!("{provider} publishes"), false, own));
            let finder = |(finder, attempts): (&Party, _)| {
                let may_miss = *finder == GO_FULLRT;
                (format!("{provider} publishes, {finder} finds"), may_miss, attempts)
            };
            for (cell, may_miss, attempts) in own.chain(self.finders.iter().zip(others).map(finder)) {
                let failed = attempts.iter().filter_map(|attempt| attempt.as_ref().err());
                if may_miss && attempts.iter().any(Result::is_ok) {
                    continue;
                }
                failures.extend(failed.map(|reason| format!("{cell}: {reason}")));
                if attempts.is_empty() {
                    failures.push(format!("{cell}: never tried"));
                }
            }
        }
        failures
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, first: &str, cells: Vec<String>| {
            write!(f, "| {first:WIDTH$} |")?;
            cells.into_iter().try_for_each(|cell| write!(f, " {cell:>WIDTH$} |"))?;
            writeln!(f)
        };
        writeln!(f, "{}", self.title)?;
        let finders = self.finders.iter().map(ToString::to_string);
        line(f, "", std::iter::once("publishes".to_owned()).chain(finders).collect())?;
        let rule = "-".repeat(WIDTH);
        line(f, &rule, vec![rule.clone(); self.finders.len() + 1])?;
        for (provider, own, others) in &self.rows {
            line(f, &provider.to_string(), std::iter::once(own).chain(others).map(|cell| text(cell)).collect())?;
        }
        Ok(())
    }
}

/// The median in milliseconds and how many attempts there were; if some failed, how many succeeded.
fn text(attempts: &[Attempt]) -> String {
    let mut seconds: Vec<f64> = attempts.iter().filter_map(|attempt| attempt.as_ref().ok().copied()).collect();
    if seconds.len() < attempts.len() || seconds.is_empty() {
        return format!("{} of {} ok", seconds.len(), attempts.len());
    }
    seconds.sort_unstable_by(f64::total_cmp);
    let middle = (seconds[(seconds.len() - 1) / 2] + seconds[seconds.len() / 2]) / 2.0;
    format!("{:.1} ms, n={}", middle * 1e3, seconds.len())
}

#[test]
fn a_cell_shows_its_median_and_a_failing_one_names_itself() {
    let classic = Party { side: Side::Rust, strategy: "classic" };
    let mut matrix = Matrix::new("title".to_owned(), &[classic], &[classic]);
    for seconds in [0.004, 0.001, 0.002, 0.009] {
        matrix.provided(0, Ok(seconds));
    }
    assert_eq!(matrix.failures(), ["Rust classic publishes, Rust classic finds: never tried"]);
    matrix.found(0, 0, Ok(0.001));
    assert!(matrix.failures().is_empty());
    matrix.found(0, 0, Err("not found".to_owned()));
    assert_eq!(matrix.failures(), ["Rust classic publishes, Rust classic finds: not found"]);
    let row = matrix.to_string().lines().last().unwrap().to_owned();
    assert_eq!(row, "| Rust classic  |   3.0 ms, n=4 |     1 of 2 ok |");
}

#[test]
fn the_fullrt_of_go_may_miss_a_record_but_not_always() {
    let mut matrix = Matrix::new("title".to_owned(), &[GO_FULLRT], &[GO_FULLRT]);
    matrix.provided(0, Ok(0.001));
    matrix.found(0, 0, Err("not found".to_owned()));
    assert_eq!(matrix.failures(), ["Go fullrt publishes, Go fullrt finds: not found"]);
    matrix.found(0, 0, Ok(0.001));
    assert!(matrix.failures().is_empty());
}
