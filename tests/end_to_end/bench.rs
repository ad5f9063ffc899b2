//! `parsec bench`: strategies compared on networks that are simulated, so that the figures are exact.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{Ended, Process};
use crate::stage::Stage;

/// What a row has, in the order of the columns.
const FIELDS: [&str; 37] = [
    "strategy",
    "operation",
    "network",
    "networks",
    "n",
    "due",
    "successes",
    "success_low",
    "success_high",
    "p50_seconds",
    "p50_low_seconds",
    "p50_high_seconds",
    "p90_seconds",
    "p90_low_seconds",
    "p90_high_seconds",
    "p99_seconds",
    "p99_low_seconds",
    "p99_high_seconds",
    "survivors_p50_seconds",
    "survivors_p90_seconds",
    "survivors_p99_seconds",
    "p50_round_trips",
    "p90_round_trips",
    "p99_round_trips",
    "p50_network_min_seconds",
    "p50_network_max_seconds",
    "p90_network_min_seconds",
    "p90_network_max_seconds",
    "rpcs_mean",
    "rpcs_failed_mean",
    "dials_mean",
    "dials_failed_mean",
    "network_size_mean",
    "holders_at_return_mean",
    "holders_final_mean",
    "holders_left_mean",
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
    let args = "--peers 40 --operations 6 --seed 1 --undialable 0.15 --format json";
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
        assert_eq!((&row["n"], &row["successes"], &row["networks"]), (&6.into(), &6.into(), &1.into()), "{row}");
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
    let trips = number(row, "p50_round_trips");
    assert!(trips >= 1.0 && (trips - trips.round()).abs() < 1e-9, "{row}");
    for seconds in ["p50_seconds", "survivors_p50_seconds"] {
        assert!((number(row, seconds) - trips * rtt).abs() < 1e-9, "{seconds}: {row}");
    }
    // A dozen operations carry neither.
    for quantile in ["p90", "p99"] {
        for figure in ["seconds", "low_seconds", "high_seconds", "round_trips"] {
            assert!(row[format!("{quantile}_{figure}")].is_null(), "{quantile}: {row}");
        }
    }
    let is_provide = row["operation"] == "provide";
    for holders in ["holders_at_return_mean", "holders_final_mean"] {
        assert_eq!(row[holders].is_f64(), is_provide, "{row}");
    }
}

#[tokio::test]
async fn where_everybody_can_be_dialled_fullrt_leaves_the_record_with_all_who_are_closest() {
    let stage = Stage::begin();
    let args = "--peers 40 --operations 6 --seed 2 --undialable 0 --strategies fullrt --format json";
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
    let begins: Vec<_> = lines[1..].iter().map(|line| line[..6].join(" ")).collect();
    let expected = [
        "libp2p provide local 1 1 1",
        "libp2p retrieve local 1 1 1",
        "classic provide local 1 1 1",
        "classic retrieve local 1 1 1",
    ];
    assert_eq!(begins, expected);
    assert!(lines.iter().all(|line| line.len() == FIELDS.len()), "{lines:#?}");
}

#[tokio::test]
async fn people_are_shown_intervals_and_a_ratio_where_there_are_enough_operations() {
    let stage = Stage::begin();
    let args = |operations: u32| format!("--peers 30 --operations {operations} --seed 4 --strategies classic,optprov");
    let few = bench(&stage, &args(2)).await;
    assert!(few.out[0].starts_with("30 peers, RTT 100ms, 15 % undialable"), "{:#?}", few.out);
    let text = few.out.join("\n");
    assert!(!text.contains("x as long") && !text.contains("p99"), "two operations carry neither:\n{text}");
    assert!(
        text.contains("optprov publishes is not compared with classic after 2 and 2 operations: it takes 10"),
        "{text}"
    );
    let enough = bench(&stage, &args(12)).await.out.join("\n");
    for part in [
        "in brackets: 95 % intervals over the operations on this one network",
        "optprov publishes faster than classic: p50 is 0.",
    ] {
        assert!(enough.contains(part), "no {part} in\n{enough}");
    }
    let ratio = enough.lines().find(|line| line.starts_with("optprov publishes")).unwrap();
    assert!(ratio.contains("x as long (95 %: 0."), "{ratio}");
}

fn kept(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the run was kept");
    serde_json::from_str(&text).expect("a run is JSON")
}

#[tokio::test]
async fn several_networks_are_drawn_from_one_seed_after_the_other() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let [all, one] = ["all.json", "one.json"].map(|name| directory.path().join(name));
    let shape = "--peers 25 --operations 2 --strategies classic --format json";
    let ended = bench(&stage, &format!("{shape} --networks 3 --seed 5 --save {}", all.display())).await;
    assert!(ended.err.contains("3 networks of 25 peers, ") && ended.err.contains(", seeds 5 to 7, "), "{}", ended.err);
    for row in rows(&ended) {
        assert_eq!((&row["networks"], &row["n"]), (&3.into(), &6.into()), "{row}");
        assert!(row["p50_seconds"].is_null(), "three networks carry no median, however many operations: {row}");
    }
    bench(&stage, &format!("{shape} --seed 6 --save {}", one.display())).await;
    let [all, one] = [all, one].map(|path| kept(&path));
    assert_eq!((&all["command"], &all["seed"], &all["complete"]), (&"bench".into(), &5.into(), &true.into()));
    assert_eq!((&all["settings"]["peers"], &all["settings"]["networks"]), (&"25".into(), &"3".into()));
    assert_ne!(all["configuration"], one["configuration"], "one repeats operations, the other one networks");
    // The network of a seed is the same alone and among others.
    let of_six: Vec<_> = all["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["round"].as_str().unwrap().starts_with("6/"))
        .collect();
    assert_eq!(of_six, one["operations"].as_array().unwrap().iter().collect::<Vec<_>>());
    assert_eq!(of_six.len(), 4);
}

#[tokio::test]
async fn ctrl_c_keeps_what_was_measured() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let path = directory.path().join("run.json");
    let file = path.to_str().unwrap();
    let args =
        ["bench", "--peers", "25", "--operations", "300", "--strategies", "classic", "--seed", "1", "--save", file];
    let process = Process::start(&stage, &args);
    process.noted("30 of 300 publications, each with its lookup").await;
    process.signal(Signal::SIGINT);
    let ended = process.end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(ended.err.contains("of 300 publications, each with its lookup"), "{}", ended.err);
    assert!(ended.out.iter().any(|line| line.starts_with("classic")), "{:#?}", ended.out);
    let run = kept(&path);
    assert_eq!(run["complete"], false);
    assert!(!run["operations"].as_array().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_said_before_anything_is_measured() {
    let stage = Stage::begin();
    let ended = Process::start(&stage, &["bench", "--save", "/nowhere/run.json"]).end().await;
    assert_eq!(ended.code(), 1);
    assert!(ended.err.contains("--save /nowhere/run.json: cannot be written: No such file"), "{}", ended.err);
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
        let args = format!("--peers 30 --operations 6 --seed 1 --undialable 0 --rtt {rtt} --format json");
        for row in rows(&bench(&stage, &args).await) {
            assert_eq!((&row["successes"], &row["rpcs_failed_mean"]), (&6.into(), &0.0.into()), "{rtt}: {row}");
            check_over(seconds, &row);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_at_once_are_published_through_real_peers_and_compared() {
    let stage = Stage::begin();
    let args = "--peers 60 --keys 40 --strategies classic,optprov,fullrt,sweep --seed 3";
    let ended = bench(&stage, &format!("{args} --networks 2 --format json")).await;
    assert!(
        ended.err.contains("2 networks of 60 peers, RTT 100ms") && ended.err.contains("seeds 3 to 4"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("virtual clock; 40 keys at once from one node"), "{}", ended.err);
    let rows = rows(&ended);
    let named: Vec<_> = rows.iter().map(|row| (row["seed"].as_u64(), row["strategy"].as_str().unwrap())).collect();
    let each = ["classic", "optprov", "fullrt", "sweep"];
    assert_eq!(named, [3, 4].map(|seed| each.map(|strategy| (Some(seed), strategy))).concat());
    for row in &rows {
        assert_eq!(
            (&row["network"], &row["keys"], &row["lost_share"]),
            (&"local".into(), &40.into(), &0.0.into()),
            "{row}"
        );
        assert!(row["closest_held_share"].as_f64().is_some_and(|share| share > 0.7), "{row}");
    }
    let of = |strategy: &str, figure: &str| {
        rows.iter().find(|row| row["strategy"] == strategy).and_then(|row| row[figure].as_f64()).unwrap()
    };
    assert_eq!((of("classic", "lookups_per_key"), of("fullrt", "lookups_per_key")), (1.0, 0.0));
    assert!(of("sweep", "lookups_per_key") < 0.3, "{}", of("sweep", "lookups_per_key"));
    assert!(of("sweep", "questions_per_key") * 2.0 < of("classic", "questions_per_key"));

    let text = bench(&stage, args).await;
    assert!(text.out.iter().any(|line| line.starts_with("until 90 % of keys could be found")), "{:#?}", text.out);
}
