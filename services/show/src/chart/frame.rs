//! What charts have in common: a drawing area with axes around it, and a legend above.

use maud::{Markup, html};

use super::axis::{Scale, Tick};
use super::style::SERIES;

/// The size of a chart, in its own units; on a page it is as wide as there is room for.
pub(super) const WIDTH: f64 = 640.0;

/// Room for the labels of the vertical axis, and for what stands at the right end of a line.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 16.0;

/// Room below for the labels and the name of the horizontal axis.
const BELOW: f64 = 40.0;

/// The height of a line of the legend, and how wide a letter of it is at most.
const LEGEND_LINE: f64 = 18.0;
const LETTER: f64 = 7.0;

/// A coordinate with one digit behind the point: a tenth of a pixel is enough, and half as long.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The horizontal axis.
#[derive(Debug, Clone)]
pub(super) struct Horizontal {
    pub(super) scale: Scale,
    pub(super) ticks: Vec<Tick>,
    /// What it shows, with its unit.
    pub(super) name: &'static str,
}

/// The vertical one.
#[derive(Debug, Clone)]
pub(super) struct Vertical {
    pub(super) scale: Scale,
    /// What it shows, with its unit.
    pub(super) name: &'static str,
}

/// A drawing area.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) top: f64,
    pub(super) height: f64,
    pub(super) x: Horizontal,
    pub(super) y: Vertical,
}

impl Frame {
    /// Where a value of the horizontal axis stands.
    pub(super) fn px(&self, value: f64) -> f64 {
        LEFT + self.x.scale.at(value) * (WIDTH - LEFT - RIGHT)
    }

    /// Where a value of the vertical axis stands.
    pub(super) fn py(&self, value: f64) -> f64 {
        self.top + (1.0 - self.y.scale.at(value)) * self.height
    }

    /// The right end of the drawing area.
    pub(super) fn right(&self) -> f64 {
        WIDTH - RIGHT
    }

    /// The left end.
    pub(super) fn left(&self) -> f64 {
        LEFT
    }

    /// Where the next thing below has room.
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height + BELOW
    }

    /// The axes with their labels.
    pub(super) fn axes(&self) -> Markup {
        let floor = self.top + self.height;
        let middle = self.top + self.height / 2.0;
        html! {
            @for Tick { at, label } in self.y.scale.ticks() {
                path class="grid" d=(format!("M{} {}H{}", n(LEFT), n(self.py(at)), n(self.right()))) {}
                text x=(n(LEFT - 6.0)) y=(n(self.py(at) + 4.0)) text-anchor="end" { (label) }
            }
            @for Tick { at, label } in &self.x.ticks {
                path class="axis" d=(format!("M{} {}v4", n(self.px(*at)), n(floor))) {}
                @let (x, anchor) = within(self.px(*at), label);
                text x=(n(x)) y=(n(floor + 17.0)) text-anchor=(anchor) { (label) }
            }
            path class="axis" d=(format!("M{} {}V{}H{}", n(LEFT), n(self.top), n(floor), n(self.right()))) {}
            text class="faint" x=(n(f64::midpoint(LEFT, self.right()))) y=(n(floor + 34.0)) text-anchor="middle" { (self.x.name) }
            text class="faint" transform=(format!("translate(14 {})rotate(-90)", n(middle))) text-anchor="middle" { (self.y.name) }
        }
    }
}

/// Where a label stands that belongs there: in the middle, unless the chart ends before it does.
fn within(x: f64, label: &str) -> (f64, &'static str) {
    let half = LETTER * label.chars().count() as f64 / 2.0;
    if x + half > WIDTH { (WIDTH, "end") } else { (x, "middle") }
}

/// A whole chart of this height. `name` is read to those who do not see it.
pub(super) fn svg(height: f64, name: &str, inside: &Markup) -> String {
    let view = format!("0 0 {} {}", n(WIDTH), n(height));
    html! { svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox=(view) role="img" aria-label=(name) { (inside) } }.into_string()
}

/// Which line is which: a sample of each with its name. Returns its height, too.
pub(super) fn legend(names: &[String]) -> (Markup, f64) {
    let (mut x, mut y) = (LEFT, 12.0);
    let places: Vec<_> = names
        .iter()
        .map(|name| {
            let width = 34.0 + LETTER * name.chars().count() as f64 + 14.0;
            if x + width > WIDTH && x > LEFT {
                (x, y) = (LEFT, y + LEGEND_LINE);
            }
            let place = (x, y);
            x += width;
            place
        })
        .collect();
    let markup = html! {
        @for (index, (name, (x, y))) in names.iter().zip(places).enumerate() {
            path class=(line(index)) d=(format!("M{} {}h26", n(x), n(y - 4.0))) {}
            text x=(n(x + 32.0)) y=(n(y)) { (name) }
        }
    };
    (markup, y + 10.0)
}

/// The class of the line of a series.
pub(super) fn line(index: usize) -> String {
    format!("s s{}", index % SERIES)
}

/// The class of the band around it.
pub(super) fn band(index: usize) -> String {
    format!("b b{}", index % SERIES)
}

/// The class of a mark of it, which has its colour alone.
pub(super) fn mark(index: usize) -> String {
    format!("m{}", index % SERIES)
}

/// The class of an area that belongs to it.
pub(super) fn area(index: usize) -> String {
    format!("f f{}", index % SERIES)
}
