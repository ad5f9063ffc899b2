//! What every chart has: a picture that is well-formed, bounded and safe, a sentence, and a table.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{
    ArchivedCheck, ArchivedRounds, CHECK_AGES, CheckId, NodeId, OutcomeClass, RequestEnd, RoundOutcome,
};
use parsec_results::statistics::{Observation, Sample};
use parsec_results::testing::{arbitrary_trace, ending, hop, request, trace};
use parsec_results::{RecordGroup, Records};
use proptest::prelude::*;

use super::testing::sample;
use super::*;
use crate::spent::testing as spending;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 - 1_795_000_000 % 86_400, 0).unwrap()
}

fn played() -> ArchivedRounds {
    let played = [(Some(RoundOutcome::Complete), 40), (Some(RoundOutcome::TooFewNodes), 2), (None, 1)].into();
    ArchivedRounds { played, skipped: 3, unread: 0 }
}

/// What checks of records of all ages saw: the older, the fewer peers have them.
fn checked() -> RecordGroup {
    let mut records = Records::new(vec![], [].into());
    for (have, after) in [20, 19, 15, 11].into_iter().zip(CHECK_AGES) {
        for id in 0..5 {
            let id = CheckId(uuid::Uuid::from_u128(id));
            records.add_check(&ArchivedCheck { id, node: NodeId(1), published: start(), after, asked: 20, have });
        }
    }
    records.finish().remove(0)
}

/// One chart of each kind, of the same groups.
fn all(name: &str, samples: &[Sample]) -> Vec<Chart> {
    let named: Vec<_> = samples.iter().map(|sample| Named { name, sample }).collect();
    let day = |(index, sample)| Period { from: start() + TimeDelta::days(index), sample };
    let days: Vec<_> = (0..).zip(samples).map(day).collect();
    let cells: Vec<_> = samples.iter().map(|sample| Cell { row: name, column: "eu", sample }).collect();
    vec![
        ecdf(name, &named, Times::FromZero, Room::Whole),
        ecdf(name, &named, Times::ByDecades, Room::Whole),
        boxes(name, &named),
        over_time(name, &days, TimeDelta::days(1)),
        heat(name, 0.5, &cells),
        rounds(name, &played()),
        records(name, &[(name, &checked())]),
        waterfall(name, &trace(1_000, vec![request(name, 0, 400), hop(name, 0, 400, 900)])),
        timeline(name, &crate::timeline::tests::timeline()),
        spent(name, &[(name, spending::groups()[0].2.as_ref().unwrap())]),
    ]
}

fn is_well_formed(svg: &str) {
    let mut reader = quick_xml::Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    while !matches!(reader.read_event().unwrap_or_else(|error| panic!("{error}: {svg}")), quick_xml::events::Event::Eof)
    {
    }
}

#[test]
fn every_chart_is_a_well_formed_picture_with_a_sentence_and_a_table() {
    let samples = [sample(400, 500, 20), sample(380, 900, 7), sample(300, 200, 2)];
    for chart in all("default", &samples) {
        is_well_formed(&chart.svg);
        assert!(chart.svg.contains("aria-label=\"default: "), "{}", chart.svg);
        assert!(chart.says.ends_with('.') && !chart.says.contains("NaN"), "{}", chart.says);
        assert!(!chart.svg.contains("NaN") && !chart.svg.contains("inf"), "{}", chart.svg);
        assert!(!chart.data.rows.is_empty());
        assert!(chart.data.rows.iter().all(|row| row.len() == chart.data.heads.len()), "{:?}", chart.data.heads);
        assert_eq!(chart.data.csv().lines().count(), chart.data.rows.len() + 1);
        assert!(chart.svg.len() < 20_000, "{} bytes", chart.svg.len());
    }
}

#[test]
fn nothing_measured_and_nothing_but_failures_are_drawn_all_the_same() {
    for samples in [vec![], vec![sample(0, 1, 1)], vec![sample(3, 100, 2)], vec![sample(60, 100, 1)]] {
        for chart in all("default", &samples) {
            is_well_formed(&chart.svg);
            assert!(!chart.svg.contains("NaN"), "{}", chart.svg);
        }
    }
}

#[test]
fn a_name_with_markup_in_it_is_text() {
    for chart in all("<script>alert(1)</script>\"&", &[sample(100, 500, 20)]) {
        is_well_formed(&chart.svg);
        assert!(!chart.svg.contains("<script"), "{}", chart.svg);
    }
}

#[test]
fn a_line_levels_off_at_the_success_rate() {
    let half = sample(200, 100, 2);
    let chart = ecdf("lookups", &[Named { name: "default", sample: &half }], Times::FromZero, Room::Whole);
    let last = chart.data.rows.last().unwrap();
    assert_eq!(last[2], 50, "no larger share was ever done");
    assert_eq!(chart.says, "default: 50 % of 200 succeeded.");
}

#[test]
fn a_day_without_attempts_leaves_a_gap() {
    let one = sample(100, 500, 20);
    let day = |index| Period { from: start() + TimeDelta::days(index), sample: &one };
    let whole = over_time("a", &[0, 1, 2, 3].map(day), TimeDelta::days(1));
    let gap = over_time("a", &[0, 1, 3, 4].map(day), TimeDelta::days(1));
    let bands = |chart: &Chart| chart.svg.matches("class=\"b b0\"").count();
    assert_eq!((bands(&whole), bands(&gap)), (1, 2));
}

/// Attempts that took so many seconds, one each round.
fn taking(seconds: &[f64]) -> Sample {
    let observation = |(round, seconds): (u64, &f64)| Observation {
        round,
        stratum: 0,
        class: if seconds.is_finite() { OutcomeClass::Ok } else { OutcomeClass::Timeout },
        duration: Duration::from_secs_f64(if seconds.is_finite() { *seconds } else { 60.0 }),
    };
    (0..).zip(seconds).map(observation).collect()
}

#[test]
fn an_interval_ends_on_the_axis_or_in_an_arrow() {
    // The median of six lies between the first and the last of them.
    let drawn = |last: f64| {
        let sample = taking(&[2.35, 4.0, 5.32, 5.5, 6.0, last]);
        over_time("a", &[Period { from: start(), sample: &sample }], TimeDelta::days(1))
    };
    let wide = drawn(26.85);
    assert!(wide.svg.contains(">30</text>"), "the axis reaches the end: {}", wide.svg);
    assert_eq!((wide.svg.matches("class=\"m0\"").count(), wide.says.contains("beyond")), (0, false), "{}", wide.says);
    for wild in [500.0, f64::INFINITY] {
        let cut = drawn(wild);
        assert_eq!(cut.svg.matches("class=\"m0\"").count(), 1, "{}", cut.svg);
        assert!(cut.says.ends_with("One interval goes beyond the axis: an arrow marks it."), "{}", cut.says);
        assert!(!cut.svg.contains(">500</text>"), "one wild end presses nothing to the floor: {}", cut.svg);
    }
}

#[test]
fn one_period_has_one_median() {
    let one = sample(100, 500, 20);
    let day = |index| Period { from: start() + TimeDelta::days(index), sample: &one };
    let says = |periods: &[Period<'_>]| over_time("a", periods, TimeDelta::days(1)).says;
    assert!(
        says(&[day(0)]).starts_with("The median was 1.") && !says(&[day(0)]).contains("between"),
        "{}",
        says(&[day(0)])
    );
    assert!(says(&[day(0), day(1)]).starts_with("The median was between 1."), "{}", says(&[day(0), day(1)]));
}

#[test]
fn the_caption_of_boxes_tells_of_nothing_that_is_not_there() {
    let says = |count, fails| {
        let of = sample(count, 500, fails);
        boxes("a", &[Named { name: "default", sample: &of }]).says
    };
    let (few, some, many) = (says(10, 1_000), says(40, 1_000), says(400, 1_000));
    assert!(few.contains(" A stroke is the median.") && !few.contains("box is half"), "{few}");
    assert!(
        some.contains(" A box is half of all attempts, with the median in it.") && !some.contains("its lines"),
        "{some}"
    );
    assert!(
        [&few, &some].iter().all(|says| says.ends_with("for which there are too few attempts are left out.")),
        "{few} {some}"
    );
    assert!(many.ends_with("its lines reach the 5th and the 95th percentile."), "{many}");
    assert!(says(400, 3).ends_with(" What falls among failures is at the right end."), "{}", says(400, 3));
}

#[test]
fn a_cell_that_fails_takes_the_colour_from_no_other() {
    let (fine, failing) = (sample(300, 500, 50), sample(300, 500, 1));
    let cells = [("eu", &fine), ("us", &failing)].map(|(row, sample)| Cell { row, column: "default", sample });
    let chart = heat("median", 0.5, &cells);
    assert_eq!(chart.svg.matches("opacity=\"0.45\"").count(), 2, "{}", chart.svg);
    assert_eq!(chart.data.rows[1][3], "> 1.15", "{:?}", chart.data.rows);
}

#[test]
fn only_what_took_longer_than_the_axis_shows_is_said_to_have() {
    let many = sample(4_000, 500, 50);
    let chart = ecdf("lookups", &[Named { name: "default", sample: &many }], Times::FromZero, Room::Whole);
    assert_eq!(chart.says, "default: 98 % of 4000 succeeded.");
}

#[test]
fn a_chart_of_half_the_width_has_fewer_steps_and_the_times_that_people_ask_for() {
    let many = sample(4_000, 500, 50);
    let named = [Named { name: "default", sample: &many }];
    let [whole, half] = [Room::Whole, Room::Half].map(|room| ecdf("lookups", &named, Times::FromZero, room));
    let steps = |chart: &Chart| chart.svg.matches('V').count();
    assert!(steps(&half) < steps(&whole) && steps(&half) <= 82, "{} and {}", steps(&half), steps(&whole));
    assert!(half.data.rows.iter().all(|row| whole.data.rows.contains(row)), "what is told is exact");
    let shares: Vec<_> = half.data.rows.iter().map(|row| row[2].as_u64().unwrap()).collect();
    assert_eq!(shares, [1, 5, 10, 25, 50, 75, 90, 95]);
}

#[test]
fn a_bar_has_the_parts_of_the_time_with_their_shares() {
    let groups = spending::groups();
    let chart = spent("lookups", &[("default", groups[0].2.as_ref().unwrap())]);
    assert_eq!(chart.says, "default: 53 % silent peers, 47 % hops of the lookup.");
    assert!(chart.svg.contains(">53 %</text>") && chart.svg.contains("40 of 100 operations traced"), "{}", chart.svg);
    assert_eq!(chart.data.rows.iter().map(|row| &row[1]).collect::<Vec<_>>(), ["silent peers", "hops of the lookup"]);
    let widths = chart.svg.split("<rect").skip(1).map(|rect| rect.split("width=\"").nth(1).unwrap().split('"').next());
    let widths: Vec<f64> = widths.map(|width| width.unwrap().parse().unwrap()).collect();
    assert!((widths[0] / widths[1] - 1.0 / 0.9).abs() < 0.01, "{widths:?}");
}

#[test]
fn records_that_fade_are_a_line_that_falls() {
    let chart = records("records", &[("default", &checked()), ("nothing", &RecordGroup::default())]);
    let shares: Vec<_> = chart.data.rows.iter().map(|row| row[2].as_f64().unwrap()).collect();
    assert_eq!(shares, [1.0, 0.95, 0.75, 0.55]);
    assert!(
        chart.says.starts_with("default: 55.0 % (") && chart.says.ends_with("after 24 h (5 checks)."),
        "{}",
        chart.says
    );
    assert_eq!(records("records", &[]).says, "No record was checked.");
}

#[test]
fn an_operation_is_drawn_request_by_request_and_what_failed_is_marked() {
    let dead = ending(RequestEnd::DialTimeout, request("dead", 0, 900));
    let chart =
        waterfall("a lookup", &trace(1_000, vec![request("first", 0, 400), hop("second", 0, 400, 1_000), dead]));
    assert!(chart.svg.contains(">second</text>") && chart.svg.contains(">dial time-out</text>"), "{}", chart.svg);
    assert_eq!(chart.svg.matches("l6 6m0 -6l-6 6").count(), 1);
    assert_eq!(chart.svg.matches("font-weight=\"bold\"").count(), 2, "the critical path");
    assert_eq!(chart.data.rows[1][..2], [serde_json::json!(2), "table".into()]);
    assert!(chart.says.contains("2 hops of the lookup"), "{}", chart.says);
}

#[test]
fn of_many_requests_those_that_count_are_drawn_and_the_others_are_counted() {
    let mut many: Vec<_> = (0..100).map(|_| request("beside", 0, 10)).collect();
    many.push(request("long", 0, 1_000));
    let chart = waterfall("a lookup", &trace(1_000, many));
    assert_eq!(chart.data.rows.len(), 32);
    assert!(chart.svg.contains(">long</text>") && chart.says.ends_with("69 requests are not drawn."), "{}", chart.says);
}

proptest! {
    #[test]
    fn any_trace_has_a_picture(trace in arbitrary_trace()) {
        let chart = waterfall("an operation", &trace);
        is_well_formed(&chart.svg);
        prop_assert!(!chart.svg.contains("NaN") && !chart.svg.contains("inf"), "{}", chart.svg);
        prop_assert_eq!(chart.data.rows.len(), trace.requests.len());
    }
}
