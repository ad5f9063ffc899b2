//! `parsec bench`: strategies compared on networks that are simulated, so that the figures are exact.

use std::time::Duration;

use serde_json::Value;

use crate::process::{Ended, Process};
use crate::stage::Stage;

/// What a row has, in the order of the columns.
const FIELDS: [&str; 18] = [
    "strategy",
    "operation",
    "n",
    "successes",
    "p50_seconds",
    "p90_seconds",
    "p99_seconds",
    "p50_round_trips",
    "p90_round_trips",
    "p99_round_trips",
    "rpcs_mean",
    "rpcs_failed_mean",
    "dials_mean",
    "dials_failed_mean",
    "network_size_mean",
    "holders_at_return_mean",
    "holders_final_mean",
    "closest_found_share",
];

async fn bench(stage: &Stage, args: &str) -> Ended {
    let args: Vec<_> = ["bench"].into_iter().chain(args.split(' ')).collect();
    let ended = Process::start(stage, &args).end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    ended
}

fn rows(ended: &Ended) -> Vec<Value> {
    serde_json::from_str(&ended.out.concat()).unwrap_or_else(|error| panic!("{error}: {:#?}", ended.out))
}

fn row<'a>(rows: &'a [Value], strategy: &str, operation: &str) -> &'a Value {
    let wanted = |row: &&Value| row["strategy"] == strategy && row["operation"] == operation;
    rows.iter().find(wanted).unwrap_or_else(|| panic!("no {strategy} {operation} in {rows:#?}"))
}

fn number(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap_or_else(|| panic!("no {field} in {row}"))
}

#[tokio::test]
async fn with_dead_peers_about_optprov_and_fullrt_publish_faster_than_classic_and_all_find_everything() {
    let stage = Stage::begin();
    let args = "--peers 40 --operations 2 --seed 1 --undialable 0.15 --format json";
    let ended = bench(&stage, args).await;
    let circumstances = "40 peers, RTT 100ms, 15 % undialable, 0 % silent, cold connections, alpha 10, seed 1, transport memory, virtual clock";
    assert!(ended.err.contains(circumstances), "{}", ended.err);

    let rows = rows(&ended);
    let order: Vec<_> =
        rows.iter().map(|row| (&row["strategy"], &row["operation"])).map(|(s, o)| format!("{s} {o}")).collect();
    let expected =
        ["classic", "optprov", "fullrt", "libp2p"].map(|s| ["provide", "retrieve"].map(|o| format!("\"{s}\" \"{o}\"")));
    assert_eq!(order, expected.concat());
    for row in &rows {
        check(row);
        assert_eq!((&row["n"], &row["successes"]), (&2.into(), &2.into()), "{row}");
    }
    let p50 = |strategy| number(row(&rows, strategy, "provide"), "p50_seconds");
    for faster in ["optprov", "fullrt"] {
        assert!(p50(faster) < p50("classic"), "{faster}: {} s, classic: {} s", p50(faster), p50("classic"));
    }
}

/// The promised fields and no others, and on a virtual clock nothing takes part of a round trip.
fn check(row: &Value) {
    check_over(0.1, row);
}

/// The same over a round trip of so many seconds.
fn check_over(rtt: f64, row: &Value) {
    let mut names: Vec<_> = row.as_object().expect("a row is an object").keys().map(String::as_str).collect();
    names.sort_by_key(|name| FIELDS.iter().position(|field| field == name));
    assert_eq!(names, FIELDS);
    for quantile in ["p50", "p90", "p99"] {
        let (trips, seconds) = (format!("{quantile}_round_trips"), format!("{quantile}_seconds"));
        let trips = number(row, &trips);
        assert!(trips >= 1.0 && trips.fract() == 0.0, "{quantile}: {row}");
        assert!((number(row, &seconds) - trips * rtt).abs() < 1e-9, "{quantile}: {row}");
    }
    let is_provide = row["operation"] == "provide";
    for holders in ["holders_at_return_mean", "holders_final_mean"] {
        assert_eq!(row[holders].is_f64(), is_provide, "{row}");
    }
}

#[tokio::test]
async fn where_everybody_can_be_dialled_fullrt_leaves_the_record_with_all_who_are_closest() {
    let stage = Stage::begin();
    let args = "--peers 40 --operations 2 --seed 2 --undialable 0 --strategies fullrt --format json";
    let rows = rows(&bench(&stage, args).await);
    assert_eq!(rows.len(), 2);
    let provided = row(&rows, "fullrt", "provide");
    assert!(number(provided, "holders_final_mean") >= 19.0, "{provided}");
    assert_eq!(number(provided, "closest_found_share"), 1.0, "{provided}");
    for row in &rows {
        check(row);
        assert_eq!((number(row, "dials_failed_mean"), number(row, "network_size_mean")), (0.0, 40.0), "{row}");
    }
}

#[tokio::test]
async fn a_spreadsheet_gets_the_same_columns() {
    let stage = Stage::begin();
    let args = "--peers 30 --operations 1 --seed 3 --rtt 50ms --strategies libp2p,classic --format csv";
    let ended = bench(&stage, args).await;
    // Lines end in CR LF, the last one too.
    let lines: Vec<Vec<_>> =
        ended.out.iter().map(|line| line.strip_suffix('\r').unwrap().split(',').collect()).collect();
    assert_eq!(lines[0], FIELDS);
    let begins: Vec<_> = lines[1..].iter().map(|line| line[..4].join(" ")).collect();
    assert_eq!(begins, ["libp2p provide 1 1", "libp2p retrieve 1 1", "classic provide 1 1", "classic retrieve 1 1"]);
    assert!(lines.iter().all(|line| line.len() == FIELDS.len()), "{lines:#?}");
}

#[tokio::test]
async fn people_are_shown_a_table_and_what_it_comes_to() {
    let stage = Stage::begin();
    let ended = bench(&stage, "--peers 30 --operations 1 --seed 4 --strategies classic,optprov").await;
    assert!(ended.out[0].starts_with("30 peers, RTT 100ms, 15 % undialable"), "{:#?}", ended.out);
    for column in ["p50 (s)", "p99 (RTT)", "holders of 20"] {
        assert!(ended.out.iter().any(|line| line.contains(column)), "no {column} in {:#?}", ended.out);
    }
    let last = ended.out.last().unwrap();
    assert!(last.starts_with("optprov provides ") && last.contains("faster than classic at p50"), "{last}");
}

/// Two processes that keep two processors busy, until it is dropped.
struct Load([std::process::Child; 2]);

impl Load {
    fn begin() -> Self {
        Self([(); 2].map(|()| {
            let busy = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
            busy.expect("there is a shell")
        }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for busy in &mut self.0 {
            let _ = busy.kill();
            let _ = busy.wait();
        }
    }
}

/// How long the runs may take on a machine that is kept busy: ten times what they take on one that is not.
const BUSY: Duration = Duration::from_secs(240);

/// With dead peers and few of all kinds, so that who is first matters, and requests that libp2p makes by itself would show.
const RACY: &str = "--peers 120 --operations 10 --seed 2 --undialable 0.3 --format json";

#[tokio::test]
async fn one_seed_gives_the_same_output_byte_for_byte_however_busy_the_machine_is() {
    let stage = Stage::lasting(BUSY);
    let first = bench(&stage, RACY).await;
    let load = Load::begin();
    let (second, third) = tokio::join!(bench(&stage, RACY), bench(&stage, RACY));
    drop(load);
    rows(&first).iter().for_each(check);
    for again in [second, third] {
        assert_eq!(again.out, first.out);
    }
}

#[tokio::test]
async fn warm_connections_and_silent_peers_do_not_depend_on_the_machine_either() {
    let stage = Stage::lasting(BUSY);
    let args = "--peers 60 --operations 8 --seed 4 --undialable 0.1 --silent 0.1 --warm --strategies classic,optprov,fullrt --format csv";
    let (first, second) = tokio::join!(bench(&stage, args), bench(&stage, args));
    assert_eq!(first.out, second.out);
}

#[tokio::test]
async fn the_longest_and_the_shortest_round_trip_that_are_taken_are_measured_in_full() {
    let stage = Stage::begin();
    for (rtt, seconds) in [("750ms", 0.75), ("1ms", 0.001)] {
        let args = format!("--peers 30 --operations 1 --seed 1 --undialable 0 --rtt {rtt} --format json");
        for row in rows(&bench(&stage, &args).await) {
            assert_eq!((&row["successes"], &row["rpcs_failed_mean"]), (&1.into(), &0.0.into()), "{rtt}: {row}");
            check_over(seconds, &row);
        }
    }
}
