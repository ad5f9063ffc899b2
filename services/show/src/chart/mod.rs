//! Charts, drawn as SVG. What they show comes from `parsec-results`: here it gets axes, a sentence that says what is to be seen, and a
//! table of what is drawn. No script, no other file: the colours come from [`style()`], which a page has once.
//!
//! - [`ecdf`]: which share was done after which time
//! - [`over_time`]: quantiles and failures, day by day
//! - [`boxes`]: how times spread, group by group
//! - [`heat`]: one figure by two things at once
//! - [`rounds`]: rounds due, played and left out
//! - [`spent`]: what the time went to; [`waterfall`]: one operation, request by request
//! - [`scanned`]: how long it took at several values of one thing
//! - [`timeline`]: how strategies fare while things happen
//! - [`records`]: who has a record, by its age

mod axis;
mod boxes;
mod ecdf;
mod frame;
mod heat;
mod over_time;
mod records;
mod rounds;
mod scanned;
mod spent;
mod style;
mod timeline;
mod waterfall;

pub use boxes::boxes;
pub use ecdf::{Room, Times, ecdf};
pub(crate) use ecdf::{STEPS, TOLD};
pub use heat::{Cell, heat};
pub use over_time::{Period, over_time};
pub use records::records;
pub use rounds::rounds;
pub use scanned::scanned;
pub use spent::spent;
pub use style::style;
pub use timeline::timeline;
pub use waterfall::waterfall;

use maud::{PreEscaped, html};
use parsec_results::statistics::Sample;
use serde_json::Value;

use crate::table;

/// A chart, for those who look and for those who read.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it is about.
    pub title: String,
    /// What is to be seen, in a sentence or two.
    pub says: String,
    /// The picture: an `svg` element.
    pub svg: String,
    /// What is drawn.
    pub data: Data,
}

impl Chart {
    /// The picture as a file of its own, with its colours and its title.
    pub fn standalone(&self) -> String {
        let (head, inside) = self.svg.split_once('>').unwrap_or((&self.svg, ""));
        let before = html! {
            style { (PreEscaped(style::plain())) }
            title { (self.title) }
            rect width="100%" height="100%" fill=(style::ground()) {}
        };
        format!("{head}>{}{inside}\n", before.into_string())
    }
}

/// The values that a chart is drawn from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// The names of the columns, with units.
    pub heads: Vec<String>,
    /// What is not known is null.
    pub rows: Vec<Vec<Value>>,
}

impl Data {
    pub(crate) fn of<const N: usize>(heads: [&str; N], rows: Vec<Vec<Value>>) -> Self {
        Self { heads: heads.map(str::to_owned).to_vec(), rows }
    }

    /// For spreadsheets.
    pub fn csv(&self) -> String {
        table::csv(&self.heads, self.rows.clone())
    }
}

/// A group of attempts with the name under which it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub sample: &'a Sample,
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
