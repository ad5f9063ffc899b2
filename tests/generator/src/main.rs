//! Writes a history that nobody measured into a database:
//!
//! `cargo run --release -p parsec-generator -- sqlite:/tmp/million.db --operations 1000000 --seed 1`
#![expect(clippy::print_stdout, reason = "it is typed at a terminal")]

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use parsec_generator::{History, write};
use parsec_measure::Share;

const USAGE: &str = "usage: parsec-generator DATABASE_URL [--operations N] [--seed N] [--days N] [--failures SHARE] \
                     [--traces SHARE|none] [--checks SHARE]";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let Some(url) = words.next().filter(|url| !url.starts_with('-')) else { bail!(USAGE) };
    let mut history = History::default();
    while let Some(flag) = words.next() {
        let value = words.next().with_context(|| format!("{flag} needs a value"))?;
        let wrong = || format!("cannot use `{value}` for {flag}");
        match flag.as_str() {
            "--operations" => history.operations = value.parse().with_context(wrong)?,
            "--seed" => history.seed = value.parse().with_context(wrong)?,
            "--days" => history.days = value.parse().with_context(wrong)?,
            "--failures" => history.failures = value.parse().with_context(wrong)?,
            "--traces" if value == "none" => history.traces = None,
            "--traces" => history.traces = Some(Share::new(value.parse().with_context(wrong)?).with_context(wrong)?),
            "--checks" => history.checks = value.parse().with_context(wrong)?,
            _ => bail!("unknown flag {flag}\n{USAGE}"),
        }
    }
    let store = parsec_store::connect(&url.parse()?).await?;
    store.migrate().await?;
    let begin = Instant::now();
    println!("{} operations from {} to {}", history.total(), history.begin(), history.end);
    write(store, history, |done| {
        if done % 100_000 < 1_000 {
            println!("{done} after {:.0} s", begin.elapsed().as_secs_f64());
        }
    })
    .await?;
    println!("written in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
