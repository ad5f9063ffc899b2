//! The live page, as HTML and as documents for programs: readable without script, and the same for whoever looks.
//!
//! - [`whole`]: a page around its content; [`STYLE`](style()), [`SCRIPT`]: what it loads from its own server
//! - [`Overview`]: who is there, what is under way, what came last; [`SeenProcess`]: how the process is that shows it
//! - [`measured`]: groups of measurements, with charts; [`answers`]: comparisons, peers, incidents, one operation
//! - [`form`]: what can be chosen, and stands in the address

pub mod answers;
pub mod form;
mod layout;
pub mod measured;
mod overview;
mod process;
#[cfg(test)]
mod tests;
mod times;

pub use layout::{Frame, Place, error, style, whole};
pub use overview::{Overview, SeenAttempt};
pub use process::{SeenActor, SeenDatabase, SeenProcess, WaitingRows};

/// The script of the page, which only adds to it.
pub const SCRIPT: &str = include_str!("page.js");

use comfy_table::Table;
use maud::{Markup, html};

/// A table for people, as HTML. The first column names the rows.
fn table(caption: &str, of: &Table) -> Markup {
    let cells = |row: &comfy_table::Row| row.cell_iter().map(comfy_table::Cell::content).collect::<Vec<_>>();
    html! {
        div class="wide" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                @if let Some(header) = of.header() {
                    thead { tr { @for head in cells(header) { th scope="col" { (head) } } } }
                }
                tbody { @for row in of.row_iter() { tr { (in_a_row(cells(row))) } } }
            }
        }
    }
}

fn in_a_row(cells: Vec<String>) -> Markup {
    html! {
        @for (index, cell) in cells.into_iter().enumerate() {
            @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
        }
    }
}

/// A section with a heading.
fn section(id: &str, heading: &str, inside: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby=(format!("{id}-heading")) {
            h2 id=(format!("{id}-heading")) { (heading) }
            (inside)
        }
    }
}
