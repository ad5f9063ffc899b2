//! What every page has around its content.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::chart;

/// The pages, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Who is there, and what is going on.
    Overview,
    /// What was measured.
    Measurements,
    /// Two fleets against each other.
    Compare,
    /// Whom the time was spent on.
    Peers,
    /// What happened.
    Incidents,
    /// One operation, which no link of the navigation leads to.
    Operation,
}

impl Place {
    const LISTED: [Self; 5] = [Self::Overview, Self::Measurements, Self::Compare, Self::Peers, Self::Incidents];

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Measurements => "/measurements",
            Self::Compare => "/compare",
            Self::Peers => "/peers",
            Self::Incidents => "/incidents",
            Self::Operation => "/operations",
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Measurements => "Measurements",
            Self::Compare => "Compare",
            Self::Peers => "Peers",
            Self::Incidents => "Incidents",
            Self::Operation => "Operation",
        }
    }
}

/// What stands around the content of a page.
#[derive(Debug, Clone, Default)]
pub struct Frame<'a> {
    /// Which page it is; none for one that is not there.
    pub place: Option<Place>,
    /// What the reader has to know first, such as that the database is away.
    pub notice: Option<&'a str>,
    /// After how many seconds the page asks again by itself: its content is still being counted.
    pub again_after: Option<u32>,
    /// What can be chosen.
    pub form: Option<String>,
    /// Where the same stands for programs.
    pub document: Option<&'a str>,
    /// When the content was counted, in words.
    pub counted: Option<&'a str>,
    /// Which version of parsec shows it.
    pub version: &'a str,
}

impl Frame<'_> {
    /// Whether it shows what was counted, to which more may come.
    fn is_counted(&self) -> bool {
        let counts = matches!(self.place, Some(Place::Measurements | Place::Compare | Place::Peers | Place::Incidents));
        counts && self.again_after.is_none()
    }
}

/// A page with this content.
pub fn whole(frame: &Frame<'_>, content: &str) -> String {
    let name = frame.place.map_or("Not there", Place::name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = frame.again_after { meta http-equiv="refresh" content=(seconds); }
                title { (name) " · parsec" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header { nav aria-label="Pages" { ul { (links(frame.place)) } } }
                p id="state" role="status" class="notice" hidden[frame.notice.is_none()] { (frame.notice.unwrap_or_default()) }
                main id="main" tabindex="-1" data-live[frame.place == Some(Place::Overview)] data-news[frame.is_counted()] {
                    h1 { (name) }
                    @if frame.is_counted() {
                        p id="news" hidden { span {} " since this page was loaded. " a href="" { "Load it again" } " to count them." }
                    }
                    @if let Some(form) = &frame.form { (PreEscaped(form)) }
                    (PreEscaped(content))
                }
                footer {
                    p {
                        @if let Some(counted) = frame.counted { (counted) " " }
                        @if let Some(document) = frame.document { a href=(document) { "The same as JSON" } ". " }
                        "parsec " (frame.version) ". Times are UTC."
                    }
                }
            }
        }
    };
    page.into_string()
}

fn links(here: Option<Place>) -> Markup {
    html! {
        @for place in Place::LISTED {
            li { a href=(place.path()) aria-current=[(here == Some(place)).then_some("page")] { (place.name()) } }
        }
    }
}

/// The content of a page that cannot show what it was asked for.
pub fn error(sentence: &str) -> String {
    html! { p class="error" { (sentence) } }.into_string()
}

/// How pages look: as reports do, and what they have besides.
pub fn style() -> String {
    format!("{}{}{OWN}", chart::style(), crate::report::PAGE)
}

const OWN: &str = "\
    body{max-width:72rem}header nav ul{columns:auto;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.4rem 0}\
    header a{display:inline-block;padding:.3rem 0}header a[aria-current]{font-weight:700;text-decoration:none;color:var(--ink);border-bottom:3px solid var(--s0)}\
    .skip{position:absolute;left:-99rem}.skip:focus{position:static}main:focus{outline:none}\
    :focus-visible{outline:3px solid var(--s1);outline-offset:2px}\
    .notice,.error{border-left:4px solid var(--s1);padding:.5rem .8rem;margin:.8rem 0}[hidden]{display:none}\
    form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;margin:1rem 0}\
    label{display:grid;gap:.1rem;font-size:.85rem;color:var(--faint)}\
    input,select,button{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--line);border-radius:.3rem;padding:.35rem .5rem;max-width:14rem}\
    button{cursor:pointer}\
    td a,th a{display:inline-block;padding:.15rem 0}th{font-weight:600}td,th{vertical-align:top}.wide{margin:.6rem 0 1.2rem}.ok::before{content:\"● \";color:var(--s2)}.bad::before{content:\"▲ \";color:var(--s1)}\
    .idle::before{content:\"○ \";color:var(--line)}pre{overflow-x:auto;font-size:.8rem;line-height:1.35}\
    footer{border-top:1px solid var(--line);margin-top:2.5rem;color:var(--faint);font-size:.85rem}\
    @media (max-width:30rem){body{padding:.6rem}h1{font-size:1.4rem}label,input,select{width:100%;max-width:none;box-sizing:border-box}}\
    @media print{header,form,footer{display:none}}";
