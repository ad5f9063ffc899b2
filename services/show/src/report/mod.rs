//! The report on a period: what was measured, what it comes to, and what it does not allow to say. One value, as a page that needs no other
//! file or as Markdown.
//!
//! - [`Measurements`]: what a report is made of
//! - [`report`]: the report, section by section
//! - [`Report::html`], [`Report::markdown`]: how it leaves us

mod html;
mod markdown;
mod measurements;
mod operations;
mod sections;
#[cfg(test)]
mod tests;
mod tiles;
mod with;

pub(crate) use html::{PAGE, part};
pub use measurements::Measurements;
pub(crate) use operations::waterfall;
pub(crate) use sections::judged;
pub use sections::report;
pub(crate) use tiles::tiles;

use crate::chart::{Chart, Data};

/// A report, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// What it is about, in sentences.
    pub lead: Vec<String>,
    /// In the order in which they are read.
    pub sections: Vec<Section>,
}

/// A part of a report with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What links lead to.
    pub id: &'static str,
    /// Its heading.
    pub heading: String,
    /// What stands below it.
    pub parts: Vec<Part>,
}

/// Something in a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A heading within the section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A list of sentences.
    List(Vec<String>),
    /// Figures to be seen at a glance.
    Tiles(Vec<Tile>),
    /// A table.
    Table(Data),
    /// A picture.
    Chart(Chart),
    /// Charts that belong together, with what tells them apart.
    Charts(Vec<Chart>),
}

/// A figure with what it is of and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// What it is: `p50`.
    pub name: String,
    /// The figure with its unit.
    pub value: String,
    /// Its interval, how many attempts, and how it has changed.
    pub detail: String,
}
