//! Chaos: three fleets, a scheduler and a database, struck by everything that the outage tests strike them with one by one,
//! at random and several at a time. At the end every attempt that was due has exactly one row, and everybody is well.
//!
//! A run is drawn from a seed (module [`plan`]), which is printed. The short run belongs to the tests that everybody runs: its
//! seed is fixed, because a test that fails there has to fail again on the machine of whoever looks for the reason. The long
//! one draws a seed, unless it is told one: it is there to find what nobody thought of.
//!
//! | variable | |
//! | --- | --- |
//! | `PARSEC_CHAOS_SEED` | repeats a run |
//! | `PARSEC_CHAOS_SECONDS` | how long faults strike |
//! | `PARSEC_CHAOS_FAULTS` | only those whose names contain one of these words, separated by commas |

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod checks;
mod clock;
mod flood;
mod health;
mod plan;
mod report;
mod rot;
mod run;
mod slot;
mod strangers;
mod world;

use std::str::FromStr;
use std::time::Duration;

use parsec_test_support::{deployment, http, process, stage};
use plan::Plan;

/// Of the run that everybody has: the first of those whose minute has each kind of fault.
const FIXED_SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_seconds_of_chaos() {
    run::play(&plan(FIXED_SEED, 60)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes seven minutes; CONTRIBUTING.md says when to run it"]
async fn five_minutes_of_chaos() {
    run::play(&plan(rand::random_range(0..1_000_000_000), 300)).await;
}

/// What is to happen, unless whoever started the test wants something else.
fn plan(seed: u64, seconds: u64) -> Plan {
    let seed = told("PARSEC_CHAOS_SEED").unwrap_or(seed);
    let length = Duration::from_secs(told("PARSEC_CHAOS_SECONDS").unwrap_or(seconds));
    let plan = Plan::draw(seed, length, world::CAST);
    match told::<String>("PARSEC_CHAOS_FAULTS") {
        Some(words) => plan.only(&words.split(',').collect::<Vec<_>>()),
        None => plan,
    }
}

#[expect(clippy::disallowed_methods, reason = "libtest takes no arguments for tests")]
fn told<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name} is `{text}`: {error}")))
}
