//! Reads a world from a TOML file.

use std::time::Duration;

use parsec_dht::Warmth;
use thiserror::Error;
use toml::de::DeTable;

use super::super::strict::{Table, Wrong, line};
use super::{CHURN, Connections, Fates, Liars, MAX_KEPT, MAX_PEERS, MIN_PEERS, NodeShape, Tables, Times, World};
use crate::Region;

/// The largest file of a world: the shipped ones have a few thousand bytes.
pub const MAX_WORLD_BYTES: u64 = 1 << 20;

/// By how much shares that should be 1 together may be off: as written by hand.
const ROUNDING: f64 = 1e-6;

/// A file that is no world.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("world {file}, line {line}: {what}")]
pub struct WorldError {
    file: String,
    line: usize,
    what: String,
}

impl World {
    /// Reads the text of a file. `file` names it in errors.
    ///
    /// # Errors
    /// [`WorldError`] names the line and what would be right.
    pub fn read(file: &str, text: &str) -> Result<Self, WorldError> {
        let error = |Wrong { line, what }| WorldError { file: file.to_owned(), line, what };
        let entries = DeTable::parse(text).map_err(|no_toml| {
            let at = no_toml.span().map_or(0, |span| span.start);
            error(Wrong { line: line(text, at), what: format!("it is no TOML: {}", no_toml.message()) })
        })?;
        world(Table::whole(text, entries.get_ref())).map_err(error)
    }
}

fn world(mut table: Table<'_>) -> Result<World, Wrong> {
    let name = table.name()?;
    let about = table.words("about")?;
    let peers = table.whole_number("peers", MIN_PEERS..=MAX_PEERS)?;
    let alpha = table.whole_number("alpha", 1..=100)? as usize;
    let churn = table.optional("churn").then(|| table.duration("churn", CHURN)).transpose()?;
    let fates = fates(table.table("fates")?)?;
    let regions = regions(&mut table)?;
    let tables = tables(table.table("tables")?)?;
    let times = times(&mut table)?;
    let node = node(table.table("node")?)?;
    let mut crawl = table.table("crawl")?;
    let crawl_gone = crawl.share("gone")?;
    crawl.finish()?;
    table.finish()?;
    let (liars, after) = (Liars::default(), Duration::ZERO);
    Ok(World { name, about, peers, fates, regions, tables, times, node, crawl_gone, alpha, liars, churn, after })
}

fn fates(mut table: Table<'_>) -> Result<Fates, Wrong> {
    let fates = Fates {
        refusing: table.share("refusing")?,
        black_hole: table.share("black_hole")?,
        silent: table.share("silent")?,
        slow: table.share("slow")?,
    };
    let all = fates.refusing + fates.black_hole + fates.silent + fates.slow;
    // Half of a percent of the fewest peers is nobody.
    if all > 0.99 {
        return Err(table.wrong(format!(
            "the shares of `fates` add up to {all:.3}; expected 0.99 at most: somebody has to answer"
        )));
    }
    table.finish()?;
    Ok(fates)
}

fn regions<'a>(table: &mut Table<'a>) -> Result<Vec<(Region, f64)>, Wrong> {
    let mut own = table.table("regions")?;
    let mut regions = Vec::new();
    for region in Region::ALL {
        regions.push((region, own.share(region.name())?));
    }
    let all: f64 = regions.iter().map(|(_, share)| share).sum();
    if (all - 1.0).abs() > ROUNDING {
        return Err(own.wrong(format!("the shares of `regions` add up to {all:.3}; expected 1")));
    }
    own.finish()?;
    Ok(regions)
}

fn tables(mut table: Table<'_>) -> Result<Tables, Wrong> {
    let (missing, silent) = (table.share("missing")?, table.share("silent")?);
    let stale = table.table("stale")?;
    let nothing = stale.wrong("`tables.stale` is empty; expected shares by bucket, such as b0 = 0.04".to_owned());
    let bucket = |name: &str| name.strip_prefix('b')?.parse().ok().filter(|bucket: &u32| *bucket < 256);
    let stale = stale.shares("bucket from b0 to b255", bucket)?;
    if stale.is_empty() {
        return Err(nothing);
    }
    table.finish()?;
    Ok(Tables { stale, missing, silent })
}

fn times(table: &mut Table<'_>) -> Result<Times, Wrong> {
    let (mut dial, mut answer) = (table.table("dial")?, table.table("answer")?);
    let wrong_addresses = dial.optional("wrong_addresses").then(|| dial.share("wrong_addresses")).transpose()?;
    let times = Times {
        wrong_addresses: wrong_addresses.unwrap_or(0.0),
        dial_round_trips: dial.number("round_trips", 0.0..=20.0)?,
        dial_live: dial.quantiles("live")?,
        dial_slow: dial.quantiles("slow")?,
        dial_refusing: dial.quantiles("refusing")?,
        dial_black_hole: dial.quantiles("black_hole")?,
        answer_round_trips: answer.number("round_trips", 0.0..=20.0)?,
        answer_live: answer.quantiles("live")?,
        answer_slow: answer.quantiles("slow")?,
        steady: answer.share("steady")?,
    };
    dial.finish()?;
    answer.finish()?;
    Ok(times)
}

fn node(mut table: Table<'_>) -> Result<NodeShape, Wrong> {
    let expected = "a list of one region or more, such as [\"eu-central-1\"]";
    let node = NodeShape {
        regions: table.list("regions", expected, |name| name.parse::<Region>().map_err(|error| error.to_string()))?,
        connections: connections(&mut table)?,
        staleness: table.number("staleness", 0.0..=10.0)?,
    };
    table.finish()?;
    Ok(node)
}

fn connections(table: &mut Table<'_>) -> Result<Connections, Wrong> {
    if !table.optional("connections") {
        let (in_table, elsewhere) = (table.share("connected")?, table.share("connected_elsewhere")?);
        return Ok(Connections::Shares { in_table, elsewhere });
    }
    if let Some(other) = ["connected", "connected_elsewhere"].into_iter().find(|other| table.optional(other)) {
        let what = "expected either: a node that keeps connections has those that it had before";
        return Err(table.wrong_at(other, format!("`node.{other}` stands beside `node.connections`; {what}")));
    }
    let mut kept = table.table("connections")?;
    let (low, high) = (kept.whole_number("low", 0..=MAX_KEPT)?, kept.whole_number("high", 1..=MAX_KEPT)?);
    if low > high {
        return Err(kept.wrong_at("low", format!("`node.connections.low` is {low}; expected at most `high`, {high}")));
    }
    kept.finish()?;
    Ok(Connections::Kept(Warmth { low, high }))
}
