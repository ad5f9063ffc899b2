//! How all charts look, on light and on dark ground.
//!
//! The hues are those of Okabe and Ito ("Color Universal Design", 2008), which colour-blind readers can tell apart, darkened or lightened until
//! each has a contrast of at least 3:1 on its ground (WCAG 2.2, criterion 1.4.11). Each series also has a dash of its own.

/// How many series can be told apart.
pub(super) const SERIES: usize = 6;

/// The ground of a page, by day and by night.
const GROUNDS: [&str; 2] = ["#ffffff", "#15181c"];

/// The hue of each series on either ground.
const HUES: [[&str; 2]; SERIES] = [
    ["#0072b2", "#5aaee6"],
    ["#c44f00", "#ff9248"],
    ["#00805c", "#2fc79b"],
    ["#a64d87", "#e59ac8"],
    ["#6b5d00", "#e8cf3a"],
    ["#4d4d4d", "#c4c8cc"],
];

/// The dash of each series, as SVG takes it.
const DASHES: [&str; SERIES] = ["none", "7 3", "2 2", "9 3 2 3", "12 4", "4 2 1 2"];

/// The rules that charts need, with the colours of both grounds: a page is dark if the reader's system is, unless `data-look` says otherwise.
pub fn style() -> String {
    let [day, night] = [0, 1].map(variables);
    format!(
        ":root{{{day}}}\
         @media (prefers-color-scheme:dark){{:root:not([data-look=light]){{{night}}}}}\
         :root[data-look=dark]{{{night}}}{}",
        rules()
    )
}

/// The same for a picture in a file of its own, by day: many programs that draw SVG know no variables.
pub(super) fn plain() -> String {
    let day = variables(0);
    let named = day.split(';').filter_map(|variable| variable.split_once(':'));
    named.fold(rules(), |rules, (name, value)| rules.replace(&format!("var({name})"), value))
}

/// The ground of such a picture.
pub(super) fn ground() -> &'static str {
    GROUNDS[0]
}

fn rules() -> String {
    let mut rules = String::from(
        "\
         .chart{width:100%;max-width:54rem;height:auto;font:12px system-ui,sans-serif}\
         .chart text{fill:var(--ink)}\
         .chart .axis,.chart .grid{stroke:var(--line);fill:none}\
         .chart .grid{opacity:.45}\
         .chart .guide{stroke:var(--ink);stroke-dasharray:1 4;fill:none}\
         .chart .faint{fill:var(--faint)}\
         .chart .s{fill:none;stroke-width:2}\
         .chart .b{stroke:none;opacity:.18}\
         .chart .f{stroke-width:1.5;fill-opacity:.25}",
    );
    for (index, dash) in DASHES.iter().enumerate() {
        rules += &format!(
            ".chart .s{index}{{stroke:var(--s{index});stroke-dasharray:{dash}}}\
             .chart .b{index},.chart .f{index},.chart .m{index}{{fill:var(--s{index})}}.chart .f{index}{{stroke:var(--s{index})}}"
        );
    }
    rules
}

fn variables(ground: usize) -> String {
    let (ink, line, faint) = [("#1b1f23", "#767b80", "#5c6166"), ("#e6e9ec", "#80868c", "#a6adb4")][ground];
    let mut variables = format!("--ground:{};--ink:{ink};--line:{line};--faint:{faint};", GROUNDS[ground]);
    for (index, hues) in HUES.iter().enumerate() {
        variables += &format!("--s{index}:{};", hues[ground]);
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast (WCAG 2.2, definitions).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_line_stands_out_from_its_ground_and_every_text_more() {
        for (ground, colour) in GROUNDS.iter().enumerate() {
            for hues in HUES {
                assert!(contrast(hues[ground], colour) >= 3.0, "{} on {colour}", hues[ground]);
            }
            let variables = variables(ground);
            let of = |name: &str| variables.split(&format!("--{name}:")).nth(1).unwrap()[..7].to_owned();
            assert!(contrast(&of("ink"), colour) >= 7.0 && contrast(&of("faint"), colour) >= 4.5);
            assert!(contrast(&of("line"), colour) >= 3.0);
        }
    }

    #[test]
    fn a_picture_in_a_file_of_its_own_needs_no_variables() {
        let plain = plain();
        assert!(
            !plain.contains("var(") && plain.contains("stroke:#0072b2") && plain.contains("fill:#1b1f23"),
            "{plain}"
        );
        assert!(style().contains("stroke:var(--s0)"));
    }

    #[test]
    fn no_two_series_have_the_same_dash() {
        let dashes: std::collections::BTreeSet<_> = DASHES.into_iter().collect();
        assert_eq!(dashes.len(), SERIES);
    }
}
