//! A report as one file: no script, nothing from elsewhere, light or dark as the reader's system is, and fit to be printed.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::{Part, Report, Section, Tile};
use crate::chart::{Chart, Data, style};

/// Nothing is loaded and nothing runs; styles stand in the file, and tables can be saved from `data:` links.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// How the page looks beside its charts.
pub(crate) const PAGE: &str = "\
    body{background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}\
    h1{font-size:1.7rem;line-height:1.2}h2{border-bottom:1px solid var(--line);margin-top:2.5rem}h3{margin-bottom:.3rem}\
    nav ul{columns:2;padding-left:1.2rem}a{color:var(--s0)}\
    figure{margin:1.5rem 0;break-inside:avoid}figcaption p{margin:.2rem 0 .6rem}\
    .many{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 1.5rem}\
    .tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.6rem;padding:0;list-style:none}\
    .tiles li{border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem;break-inside:avoid}\
    .tiles b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}.tiles small,summary,.lead{color:var(--faint)}\
    .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}\
    th,td{border-bottom:1px solid var(--line);padding:.15rem .7rem .15rem 0;text-align:left}td.n{text-align:right}caption{text-align:left;color:var(--faint);padding-bottom:.3rem}\
    @media screen and (max-width:38rem){figure{overflow-x:auto}.chart{min-width:34rem}figure>figcaption,figure>details{position:sticky;left:0}}\
    @media print{body{max-width:none;font-size:11pt}nav,details{display:none}h2,h3{break-after:avoid}tr{break-inside:avoid}\
    .many{display:block}.many figure{margin:.8rem 0}.many .chart{max-width:32rem}}";

impl Report {
    /// A page that is one file.
    pub fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(style())) (PreEscaped(PAGE)) }
                }
                body {
                    header {
                        h1 { (self.title) }
                        @for sentence in &self.lead { p class="lead" { (sentence) } }
                        nav aria-label="Sections" {
                            ul { @for section in &self.sections { li { a href=(format!("#{}", section.id)) { (section.heading) } } } }
                        }
                    }
                    main { @for section in &self.sections { (whole(section)) } }
                }
            }
        };
        page.into_string()
    }
}

fn whole(section: &Section) -> Markup {
    html! {
        section id=(section.id) aria-labelledby=(format!("{}-heading", section.id)) {
            h2 id=(format!("{}-heading", section.id)) { (section.heading) }
            @for one in &section.parts { (part(one)) }
        }
    }
}

/// A part of a section.
pub(crate) fn part(part: &Part) -> Markup {
    match part {
        Part::Heading(text) => html! { h3 { (text) } },
        Part::Text(text) => html! { p { (text) } },
        Part::List(sentences) => html! { ul { @for sentence in sentences { li { (sentence) } } } },
        Part::Tiles(tiles) => html! { ul class="tiles" { @for tile in tiles { (figure(tile)) } } },
        Part::Table(data) => html! { div class="wide" tabindex="0" { (table(data, None)) } },
        Part::Chart(drawn) => chart(drawn),
        Part::Charts(charts) => html! { div class="many" { @for drawn in charts { (chart(drawn)) } } },
    }
}

fn figure(tile: &Tile) -> Markup {
    html! { li { (tile.name) b { (tile.value) } small { (tile.detail) } } }
}

fn chart(chart: &Chart) -> Markup {
    html! {
        figure {
            figcaption { h3 { (chart.title) } p { (chart.says) } }
            (PreEscaped(&chart.svg))
            details {
                summary { "The data of this chart" }
                p { a download=(format!("{}.csv", file_name(&chart.title))) href=(data_link(&chart.data)) { "Save as CSV" } }
                div class="wide" tabindex="0" { (table(&chart.data, Some(&chart.title))) }
            }
        }
    }
}

fn table(data: &Data, caption: Option<&str>) -> Markup {
    html! {
        table {
            @if let Some(caption) = caption { caption { (caption) } }
            thead { tr { @for head in &data.heads { th scope="col" { (head) } } } }
            tbody {
                @for row in &data.rows {
                    tr { @for value in row { td class=[value.is_number().then_some("n")] { (written(value)) } } }
                }
            }
        }
    }
}

/// A value in a table for people: of a number the digits that matter.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(digits).unwrap_or_default(),
        value => value.to_string(),
    }
}

/// Four significant digits.
fn digits(value: f64) -> String {
    let before = if value.abs() < 1.0 { 0 } else { value.abs().log10() as usize + 1 };
    let text = format!("{value:.*}", 4usize.saturating_sub(before));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn file_name(title: &str) -> String {
    let lower = title.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The table within the link itself (RFC 2397): a file has no server to ask.
fn data_link(data: &Data) -> String {
    let mut link = "data:text/csv;charset=utf-8,".to_owned();
    for byte in data.csv().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b',' | b'-' | b'_' => link.push(char::from(byte)),
            byte => link += &format!("%{byte:02X}"),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let told = [json!(0.123_456), json!(1.5), json!(12_345.678), json!(3), json!("a<b"), Value::Null]
            .map(|value| written(&value));
        assert_eq!(told, ["0.1235", "1.5", "12346", "3", "a<b", "–"]);
    }

    #[test]
    fn a_table_is_saved_as_it_is() {
        let data = Data { heads: vec!["a".to_owned()], rows: vec![vec![json!("é \"x\"")]] };
        assert_eq!(data_link(&data), "data:text/csv;charset=utf-8,a%0D%0A%22%C3%A9%20%22%22x%22%22%22%0D%0A");
    }
}
