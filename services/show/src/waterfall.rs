//! A trace as a waterfall for the terminal: one line for each request, in the order in which they were made.

use std::time::Duration;

use console::Style;
use parsec_measure::{RequestEnd, RequestKind, Trace, TracedRequest};
use parsec_results::phases::{Phase, Span, phases};

use crate::requests::{named_by, reach, result, state};
use crate::{Look, words};

/// What a line needs at least for its bar, however narrow the terminal is.
const MIN_BAR: usize = 20;

/// What stands where the operation returned to its caller.
const RETURN: char = '│';

/// What stands at the end of a bar that goes on beyond the picture.
const BEYOND: char = '›';

/// The columns beside the bar, and what stands above them.
const HEADER: [&str; 7] = ["#", "by", "hop", "bits", "peer", "request", "state"];

const RESULT: &str = "result";

/// Draws the requests, with a legend.
pub fn waterfall(trace: &Trace, look: Look) -> String {
    if trace.requests.is_empty() {
        return "no request was made\n".to_owned();
    }
    let mut order: Vec<usize> = (0..trace.requests.len()).collect();
    order.sort_by_key(|index| trace.requests[*index].asked);
    let cells: Vec<[String; 7]> = order.iter().map(|index| cells(*index, &trace.requests[*index])).collect();
    let results: Vec<String> = order.iter().map(|index| result(&trace.requests[*index])).collect();
    let header = HEADER.map(str::to_owned);
    let widths: [usize; 7] = std::array::from_fn(|column| {
        cells.iter().chain([&header]).map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    });
    let result_width = results.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(RESULT.len());
    let taken = widths.iter().sum::<usize>() + widths.len() + 1 + result_width;
    let bars = Bars::new(trace, look.width.saturating_sub(taken).max(MIN_BAR));

    let mut text = format!("{} {} {RESULT}\n", padded(&header, &widths), bars.axis());
    for ((index, cells), result) in order.iter().zip(&cells).zip(&results) {
        let request = &trace.requests[*index];
        let result = style(request.end).force_styling(look.colour).apply_to(result);
        text += &format!("{} {} {result}\n", padded(cells, &widths), bars.bar(request));
    }
    text + &legend(trace, &bars)
}

fn cells(index: usize, request: &TracedRequest) -> [String; 7] {
    [
        index.to_string(),
        named_by(request),
        request.hop.to_string(),
        request.common_prefix.to_string(),
        words::peer(&request.peer).to_owned(),
        request.kind.to_string(),
        state(request).to_owned(),
    ]
}

/// Numbers to the right, words to the left.
fn padded(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let padded =
        cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < 4 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
    padded.collect::<Vec<_>>().join(" ")
}

fn style(end: RequestEnd) -> Style {
    match end {
        RequestEnd::Answered => Style::new().green(),
        RequestEnd::Cancelled | RequestEnd::Pending => Style::new().dim(),
        _ => Style::new().red(),
    }
}

/// What stands for a phase. The four differ without colours.
fn mark(phase: Phase) -> char {
    match phase {
        Phase::Queued => '·',
        Phase::Dial => '─',
        Phase::Open => '═',
        Phase::Wait => '█',
    }
}

/// The scale of the picture.
struct Bars {
    /// How many characters the whole has, the mark of the return apart.
    width: usize,
    /// How long the whole is.
    whole: Duration,
    returned: Duration,
    /// Before which character the mark of the return stands.
    mark: usize,
}

impl Bars {
    fn new(trace: &Trace, width: usize) -> Self {
        let whole = reach(trace);
        let width = width.saturating_sub(1).max(1);
        let mark = position(trace.returned, whole, width).round() as usize;
        Self { width, whole, returned: trace.returned, mark: mark.min(width) }
    }

    /// The line above the bars.
    fn axis(&self) -> String {
        let (start, end) = ("0", words::duration(self.whole));
        format!("{start}{end:>rest$}", rest = self.width)
    }

    fn bar(&self, request: &TracedRequest) -> String {
        let whole = Span { from: Duration::ZERO, to: self.whole };
        let end = request.ended.unwrap_or(self.whole.max(request.asked));
        let mut cells = vec![' '; self.width];
        let first = position(request.asked.min(self.whole), self.whole, self.width) as usize;
        let (first, last) = (first.min(self.width - 1), position(end.min(self.whole), self.whole, self.width));
        let last = (last.ceil() as usize).clamp(first + 1, self.width);
        let phases = phases(request, end);
        for (index, cell) in cells.iter_mut().enumerate().take(last).skip(first) {
            *cell = mark(longest(&phases, self.cell(index)));
        }
        let goes_on = end > whole.to || (request.ended.is_none() && request.end == RequestEnd::Pending);
        if goes_on {
            cells[last - 1] = BEYOND;
        }
        cells.insert(self.mark, RETURN);
        cells.into_iter().collect()
    }

    fn cell(&self, index: usize) -> Span {
        let edge = |index: usize| self.whole.mul_f64(index as f64 / self.width as f64);
        Span { from: edge(index), to: edge(index + 1) }
    }
}

/// Where in `width` characters a time lies.
fn position(at: Duration, whole: Duration, width: usize) -> f64 {
    at.as_secs_f64() / whole.as_secs_f64() * width as f64
}

/// The phase that fills most of a cell; the later one if two do.
fn longest(phases: &[(Phase, Span)], cell: Span) -> Phase {
    let longest = phases.iter().max_by_key(|(_, span)| span.common(cell).length());
    longest.map_or(Phase::Queued, |(phase, _)| *phase)
}

fn legend(trace: &Trace, bars: &Bars) -> String {
    let [queued, dial, open, wait] = Phase::ALL.map(mark);
    let mut text = format!(
        "{queued} queued  {dial} dial  {open} open stream, write  {wait} wait for the answer  {RETURN} return after {}  \
         1 character = {}\n",
        words::duration(bars.returned),
        words::duration(bars.whole / u32::try_from(bars.width).unwrap_or(u32::MAX)),
    );
    text += "by: the request whose answer named the peer, or the routing table · bits: shared with the key, the more the closer\n";
    text += "state: what the request found standing: nothing (cold), a connection (warm), a stream\n";
    let kinds = [RequestKind::FindNode, RequestKind::GetProviders, RequestKind::AddProvider];
    let count = |kind| trace.requests.iter().filter(|request| request.kind == kind).count();
    let counts = kinds.map(|kind| (kind, count(kind)));
    let counts: Vec<_> = counts.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{n} {kind}")).collect();
    text += &format!("requests: {}", counts.join(", "));
    if trace.left_out > 0 {
        text += &format!(", {} more not in this trace", trace.left_out);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use parsec_measure::FoundProvider;
    use parsec_results::testing::{arbitrary_trace, at, ending, hop, put, request, trace};
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Look = Look { width: 100, colour: false };

    fn provide() -> Trace {
        let cold = TracedRequest {
            dialled: at(10),
            connected: at(210),
            opened: at(300),
            written: at(300),
            common_prefix: 7,
            ..request("12D3KooWaaaaaa", 0, 400)
        };
        let dead = TracedRequest { dialled: at(0), common_prefix: 5, ..request("12D3KooWbbbbbb", 0, 1_000) };
        let warm = TracedRequest {
            connected: at(400),
            opened: at(500),
            written: at(500),
            common_prefix: 11,
            ..hop("12D3KooWcccccc", 0, 400, 600)
        };
        let stored = TracedRequest {
            connected: at(1_000),
            written: at(1_000),
            common_prefix: 11,
            ..put("12D3KooWcccccc", 1_000, 1_100)
        };
        let tail = TracedRequest { dialled: at(1_000), ended: None, ..put("12D3KooWdddddd", 1_000, 0) };
        trace(1_100, vec![cold, ending(RequestEnd::DialTimeout, dead), warm, stored, ending(RequestEnd::Pending, tail)])
    }

    #[test]
    fn a_publication_is_drawn_request_by_request() {
        let expected = "\
#    by hop bits peer   request      state  0                                   1.10 s result
0 table   0    7 aaaaaa FIND_NODE    cold   ────────═══████                          │ 20 closer
1 table   0    5 bbbbbb FIND_NODE    cold   ──────────────────────────────────────   │ dial time-out
2     0   1   11 cccccc FIND_NODE    warm                 ═════████                  │ 20 closer
3 table   0   11 cccccc ADD_PROVIDER stream                                      ████│ written
4 table   0    0 dddddd ADD_PROVIDER cold                                        ───›│ pending
· queued  ─ dial  ═ open stream, write  █ wait for the answer  │ return after 1.10 s  1 character = 26.8 ms
by: the request whose answer named the peer, or the routing table · bits: shared with the key, the more the closer
state: what the request found standing: nothing (cold), a connection (warm), a stream
requests: 3 FIND_NODE, 2 ADD_PROVIDER
";
        assert_eq!(waterfall(&provide(), PLAIN), expected);
    }

    #[test]
    fn an_answer_that_names_providers_says_which() {
        let provider = |peer: &str| FoundProvider { peer: peer.to_owned(), addresses: vec![], named_by: None };
        let named = ["QmAAAAAA", "QmBBBBBB", "QmCCCCCC"].map(provider);
        for (providers, named, words) in [
            (1, &named[..1], "1 provider (…AAAAAA), 20 closer"),
            (2, &named[..2], "2 providers (…AAAAAA, …BBBBBB), 20 closer"),
            (9, &named[..3], "9 providers (…AAAAAA, …BBBBBB, 7 more), 20 closer"),
            (9, &[], "9 providers, 20 closer"),
        ] {
            let request = TracedRequest { providers, named: named.to_vec(), ..request("a", 0, 9) };
            let drawn = waterfall(&trace(9, vec![request]), PLAIN);
            assert!(drawn.lines().nth(1).unwrap().ends_with(words), "no `{words}` in {drawn}");
        }
    }

    #[test]
    fn what_goes_on_in_the_background_does_not_push_the_rest_together() {
        let drawn = waterfall(&trace(100, vec![put("a", 0, 100), put("b", 0, 60_000)]), PLAIN);
        let lines: Vec<_> = drawn.lines().skip(1).map(|line| line.split_once('│').unwrap_or_default()).collect();
        let width = |text: &str| text.chars().count();
        assert!(lines[0].0.ends_with('·') && lines[1].1.contains('›'), "{drawn}");
        assert_eq!(
            width(lines[1].1.split('›').next().unwrap()),
            width(lines[1].0.trim_start_matches("1 table   0    0 b    ADD_PROVIDER –     ")) - 1
        );
    }

    #[test]
    fn what_is_known_of_a_record_that_was_written_is_shown_with_it() {
        let known = |confirmed, unconfirmed: Option<&str>| TracedRequest {
            confirmed,
            unconfirmed: unconfirmed.map(str::to_owned),
            ..put("a", 0, 100)
        };
        let puts = vec![known(None, None), known(at(200), None), known(None, Some("reset"))];
        let drawn = waterfall(&trace(100, puts), PLAIN);
        for (line, end) in drawn.lines().skip(1).zip([" written", " written, confirmed", " written, not confirmed"]) {
            assert!(line.trim_end().ends_with(end), "no `{end}` in {line}");
        }
    }

    #[test]
    fn a_narrow_terminal_still_gets_bars() {
        let drawn = waterfall(&provide(), Look { width: 1, ..PLAIN });
        let line = drawn.lines().nth(1).unwrap();
        assert!(line.contains("─") && line.contains("█"), "{line}");
    }

    #[test]
    fn colours_are_used_only_if_they_are_wanted() {
        assert!(!waterfall(&provide(), PLAIN).contains('\u{1b}'));
        assert!(waterfall(&provide(), Look { colour: true, ..PLAIN }).contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn every_request_has_a_line_as_wide_as_the_others(trace in arbitrary_trace(), width in 0..300usize) {
            let drawn = waterfall(&trace, Look { width, colour: false });
            let lines: Vec<_> = drawn.lines().skip(1).take(trace.requests.len()).collect();
            prop_assert!(trace.requests.is_empty() || lines.len() == trace.requests.len());
            for line in lines {
                prop_assert!(trace.requests.is_empty() || line.contains(RETURN), "{}", line);
            }
        }
    }
}
