//! `parsec bench --world`: strategies compared in a simulated world.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{self, Ended, Process};
use crate::stage::Stage;

async fn parsec(stage: &Stage, line: &str) -> Ended {
    Process::start(stage, &line.split(' ').collect::<Vec<_>>()).end().await
}

/// A world of one's own: the shipped one in which nobody comes or goes, with something changed.
fn own(directory: &Path, changes: &[(&str, &str)]) -> String {
    let mut text = include_str!("../../services/lab/worlds/amino-2022.toml").replace("churn = \"2h\"\n", "");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let path = directory.join("own.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const NAME: (&str, &str) = ("name = \"amino-2022\"", "name = \"own\"");

fn kept(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_world_of_ones_own_is_played_and_what_comes_of_it_is_never_taken_for_a_measurement() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let world = own(directory.path(), &[NAME, ("peers = 20811", "peers = 400")]);
    let [one, two, real] =
        ["one.json", "two.json", "real.json"].map(|name| format!("{}/{name}", directory.path().display()));
    let bench = format!("bench --world {world} --operations 40 --seed 1 --format json --save");
    let first = parsec(&stage, &format!("{bench} {one}")).await;
    assert_eq!(first.code(), 0, "{}", first.err);
    assert!(first.err.contains("network simulated:own, a model: 400 peers, alpha 10, seed 1"), "{}", first.err);
    let rows: Vec<Value> = serde_json::from_str(&first.out.concat()).unwrap();
    let order: Vec<_> = rows.iter().map(|row| row["strategy"].as_str().unwrap()).collect();
    assert_eq!(order, ["classic", "classic", "optprov", "optprov", "fullrt", "fullrt"]);
    for row in &rows {
        assert_eq!((&row["network"], &row["n"]), (&"simulated:own".into(), &40.into()), "{row}");
    }
    let second = parsec(&stage, &format!("{bench} {two}")).await;
    assert_eq!(second.out, first.out);
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let run = kept(&one);
    assert_eq!((&run["settings"]["network"], &run["complete"]), (&"simulated:own".into(), &true.into()));

    let compared = parsec(&stage, &format!("compare --a-file {one} --b-file {two}")).await;
    assert_eq!(compared.code(), 0, "{}", compared.err);
    assert!(compared.out.join("\n").contains("`parsec bench`, simulated:own, version"), "{:#?}", compared.out);

    let local =
        parsec(&stage, &format!("bench --peers 25 --operations 2 --strategies classic --seed 1 --save {real}")).await;
    assert_eq!(local.code(), 0, "{}", local.err);
    assert_eq!(kept(&real)["settings"]["network"], "local");
    let why = "one side was simulated (simulated:own), and the other one was measured on real peers";
    for line in [
        format!("compare --a-file {one} --b-file {real}"),
        format!("compare --a-file {real} --b-file {one}"),
        format!("check --file {one} --baseline {real} --fail-if failures>1% --other-configuration"),
    ] {
        let refused = parsec(&stage, &line).await;
        assert_eq!((refused.code(), refused.out.len()), (2, 0), "{line}: {}", refused.err);
        assert!(
            refused.err.contains(why) && refused.err.contains("expected both simulated, or both measured"),
            "{}",
            refused.err
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_world_is_said_before_anything_is_played() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    for (changes, line) in [
        (("peers = 20811", "peers = 20811\npeople = 3"), "line 10: `people` is unknown; expected one of"),
        (("refusing = 0.187", "refusing = 0.95"), "the shares of `fates` add up to 1.039; expected 0.99 at most"),
        (("p25 = \"3ms\"", "p25 = \"200ms\""), "`dial.live` goes down"),
        (("peers = 20811", "peers = 20"), "`peers` is 20; expected a whole number from 21 to 100000000"),
    ] {
        let world = own(directory.path(), &[changes]);
        let refused = parsec(&stage, &format!("bench --world {world} --operations 1")).await;
        assert_eq!((refused.code(), refused.out.len()), (2, 0), "{line}: {}", refused.err);
        assert!(refused.err.contains(line), "no {line} in {}", refused.err);
    }
    let disguised = own(directory.path(), &[("alpha = 10", "alpha = 9")]);
    let refused = parsec(&stage, &format!("bench --world {disguised} --operations 5")).await;
    assert_eq!(refused.code(), 2, "{}", refused.err);
    let says = "own.toml: `name` \"amino-2022\" is that of a world that comes with parsec";
    assert!(refused.err.contains(says), "{}", refused.err);
    let nowhere = parsec(&stage, "bench --world /nowhere/own.toml").await;
    assert_eq!(nowhere.code(), 1);
    assert!(nowhere.err.contains("--world /nowhere/own.toml: cannot be read: No such file"), "{}", nowhere.err);
}

#[tokio::test]
async fn in_a_world_whose_file_has_churn_records_go_with_those_who_leave_and_the_output_says_so() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    // One node: each other would get to know the network at every refresh, too.
    let all = "regions = [\"eu-central-1\", \"us-east-2\", \"ap-southeast-2\", \"sa-east-1\", \"af-south-1\", \"us-west-1\", \"me-south-1\"]";
    let small = [NAME, ("peers = 20811", "peers = 200"), (all, "regions = [\"eu-central-1\"]")];
    let own = |churn: &'static str| own(directory.path(), &[&small[..], &[("alpha = 10", churn)]].concat());
    let world = own("alpha = 10\nchurn = \"1h\"");
    let line = format!("bench --world {world} --operations 20 --seed 1 --strategies classic --format json");
    let plain = parsec(&stage, &line).await;
    assert_eq!(plain.code(), 0, "{}", plain.err);
    assert!(plain.err.contains("seed 1, half of all peers leave within 60 min"), "{}", plain.err);
    let later = parsec(&stage, &format!("{line} --scan after=0,6h")).await;
    assert_eq!(later.code(), 0, "{}", later.err);
    assert!(later.err.contains("half of all peers leave within 60 min; after = 0s, 6h"), "{}", later.err);
    let rows: Vec<Value> = serde_json::from_str(&later.out.concat()).unwrap();
    let lookups: Vec<_> = rows.iter().filter(|row| row["operation"] == "retrieve").collect();
    let left: Vec<_> = lookups.iter().map(|row| row["holders_left_mean"].as_f64().unwrap()).collect();
    assert_eq!((lookups.len(), &lookups[1]["value"]), (2, &21_600.0.into()));
    assert!(left[1] < 0.3 * left[0], "{left:?}");

    let refused = parsec(&stage, &format!("bench --world {} --operations 1", own("alpha = 10\nchurn = \"1s\""))).await;
    assert_eq!(refused.code(), 2, "{}", refused.err);
    let why = "line 12: `churn` is \"1s\"; expected a time such as \"10m\", from 60s to 86400000s";
    assert!(refused.err.contains(why), "{}", refused.err);
}

#[tokio::test]
async fn ctrl_c_keeps_what_was_played() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let (world, file) =
        (own(directory.path(), &[NAME, ("peers = 20811", "peers = 400")]), directory.path().join("run.json"));
    let line =
        format!("bench --world {world} --operations 100000 --strategies fullrt --seed 1 --save {}", file.display());
    let process = Process::start(&stage, &line.split(' ').collect::<Vec<_>>());
    process.noted("10000 of 100000 publications, each with its lookup").await;
    process.signal(Signal::SIGINT);
    let ended = process.end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(
        ended.err.contains("stopped after ") && ended.out.iter().any(|line| line.starts_with("fullrt")),
        "{}",
        ended.err
    );
    let run = kept(file.to_str().unwrap());
    assert_eq!(run["complete"], false);
    assert!(!run["operations"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn many_keys_at_once_are_compared_strategy_by_strategy() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let world = own(directory.path(), &[NAME, ("peers = 20811", "peers = 400")]);
    let bench = format!("bench --world {world} --keys 300 --networks 2 --seed 1");
    let json = parsec(&stage, &format!("{bench} --format json")).await;
    assert_eq!(json.code(), 0, "{}", json.err);
    assert!(json.err.contains("seeds 1 to 2; 300 keys at once from one node"), "{}", json.err);
    let rows: Vec<Value> = serde_json::from_str(&json.out.concat()).unwrap();
    let named: Vec<_> =
        rows.iter().map(|row| (row["seed"].as_u64().unwrap(), row["strategy"].as_str().unwrap())).collect();
    let each = ["classic", "fullrt", "sweep"];
    assert_eq!(named, [1, 2].map(|seed| each.map(|strategy| (seed, strategy))).concat());
    let lookups = |strategy: &str| {
        let row = rows.iter().find(|row| row["strategy"] == strategy).unwrap();
        assert_eq!((&row["network"], &row["keys"]), (&"simulated:own".into(), &300.into()), "{row}");
        row["lookups_per_key"].as_f64().unwrap()
    };
    assert_eq!(lookups("classic"), 1.0);
    assert!(lookups("sweep") < 0.5, "{}", lookups("sweep"));

    let text = parsec(&stage, &bench).await;
    assert_eq!((text.code(), parsec(&stage, &bench).await.out), (0, text.out.clone()));
    assert!(text.out.iter().any(|line| line.starts_with("until 90 % of keys could be found")), "{:#?}", text.out);
    let refused = parsec(&stage, "bench --keys 300 --strategies libp2p").await;
    assert_eq!((refused.code(), refused.out.len()), (2, 0), "{}", refused.err);
}

#[tokio::test]
async fn a_scan_shows_what_one_thing_changes_in_a_table_and_a_picture() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let world = own(directory.path(), &[NAME, ("peers = 20811", "peers = 400")]);
    let picture = directory.path().join("alpha.svg");
    let line = format!("bench --world {world} --operations 60 --strategies classic --seed 1 --scan alpha=1,10");
    let text = parsec(&stage, &format!("{line} --chart {}", picture.display())).await;
    assert_eq!(text.code(), 0, "{}", text.err);
    assert_eq!(text.out[0], "network simulated:own, a model: 400 peers, seed 1; alpha = 1, 10");
    let told = "classic retrieve with alpha 10 is faster than with alpha 1: p50 0.";
    assert!(text.out.iter().any(|line| line.starts_with(told)), "{:#?}", text.out);
    let picture = std::fs::read_to_string(picture).unwrap();
    assert!(
        picture.starts_with("<svg ") && picture.contains("classic provide, p50") && picture.contains("<style>"),
        "{picture}"
    );
    let csv = parsec(&stage, &format!("{line} --format csv")).await;
    assert!(
        csv.out[0].starts_with("scanned,value,strategy,operation,network,") && csv.out.len() == 5,
        "{:#?}",
        csv.out
    );
    for (scan, why) in [
        ("alpha=5", "--scan alpha=5: it has 1 of the 2 to 20 values"),
        ("mood=1,2", "--scan mood=1,2: a world has no `mood` to scan; expected one of after, alpha, churn, connected"),
        ("undialable=0..1", "--scan undialable=0..1: `undialable` cannot be 1: expected a number from 0 to 0."),
    ] {
        let refused = parsec(&stage, &format!("bench --world {world} --scan {scan}")).await;
        assert_eq!((refused.code(), refused.out.len()), (2, 0), "{scan}: {}", refused.err);
        assert!(refused.err.contains(why), "no {why} in {}", refused.err);
    }
}

fn scenario(directory: &Path, text: &str) -> String {
    let path = directory.join("scenario.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const SILENCE: &str = "name = \"hush\"\nabout = \"most fall silent\"\nlength = \"6m\"\nstep = \"2m\"\n[[event]]\nat = \"4m\"\nsilent = 0.6\n";

#[tokio::test]
async fn a_scenario_shows_how_strategies_fare_as_time_goes_on() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let world = own(directory.path(), &[NAME, ("peers = 20811", "peers = 400")]);
    let (hush, picture) = (scenario(directory.path(), SILENCE), directory.path().join("hush.svg"));
    let line = format!("bench --world {world} --operations 90 --strategies classic --seed 1 --scenario {hush}");
    let text = parsec(&stage, &format!("{line} --chart {}", picture.display())).await;
    assert_eq!(text.code(), 0, "{}", text.err);
    assert_eq!(
        text.out[..2],
        [
            "network simulated:own, a model: 400 peers, alpha 10, seed 1; scenario hush, 6 min",
            "at 4 min: 60 % of those who answer go silent"
        ]
    );
    assert!(text.out.iter().any(|line| line.starts_with("classic") && line.contains("from 4 min")), "{:#?}", text.out);
    assert_eq!(parsec(&stage, &line).await.out, text.out, "one seed, one output");
    let picture = std::fs::read_to_string(picture).unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains("classic provide"), "{picture}");

    let json = parsec(&stage, &format!("{line} --format json")).await;
    let rows: Vec<Value> = serde_json::from_str(&json.out.concat()).unwrap();
    let publications: Vec<&Value> = rows.iter().filter(|row| row["operation"] == "provide").collect();
    let n: Vec<_> =
        publications.iter().map(|row| (row["from_seconds"].as_f64().unwrap(), row["n"].as_u64().unwrap())).collect();
    assert_eq!(n, [(0.0, 30), (120.0, 30), (240.0, 30)]);
    let rpcs_failed = |row: &Value| row["rpcs_failed_mean"].as_f64().unwrap();
    assert!(rpcs_failed(publications[2]) > 2.0 * rpcs_failed(publications[1]), "{publications:#?}");
    assert_eq!(publications[2]["happened"], "60 % of those who answer go silent");
    let csv = parsec(&stage, &format!("{line} --format csv")).await;
    assert!(csv.out[0].starts_with("from_seconds,to_seconds,happened,strategy,operation,network,"), "{:#?}", csv.out);

    let shipped =
        parsec(&stage, &format!("bench --world {world} --operations 5 --seed 1 --scenario half-leaves")).await;
    assert_eq!(shipped.code(), 0, "{}", shipped.err);
}

#[tokio::test]
async fn what_is_wrong_with_a_scenario_is_said_before_anything_is_played() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    for (changes, why) in [
        (("silent = 0.6", "silent = 1"), "scenario.toml, line 7: `event.silent` is 1: after it 0.0 % of the peers"),
        (
            ("silent = 0.6", "silent = 1.6"),
            "scenario.toml, line 7: `event.silent` is 1.6; expected a share from 0 to 1",
        ),
        (("at = \"4m\"", "at = \"7m\""), "line 6: `event.at` is 420s, and the scenario ends after 360s"),
        (("silent = 0.6", "silence = 0.6"), "line 5: an event has 0 of silent, leave, back, merge, udp_blocked"),
        (
            ("silent = 0.6", "merge = 90000000"),
            "with those who join in the scenario, peers = 107649886: so many peers need",
        ),
        (("step", "stepp"), "line 4: `stepp` is unknown; expected one of about, churn, event"),
    ] {
        assert!(SILENCE.contains(changes.0), "{changes:?}");
        let file = scenario(directory.path(), &SILENCE.replacen(changes.0, changes.1, 1));
        let refused = parsec(&stage, &format!("bench --world amino-2022 --operations 1 --scenario {file}")).await;
        assert_eq!((refused.code(), refused.out.len()), (2, 0), "{changes:?}: {}", refused.err);
        assert!(refused.err.contains(why), "no {why} in {}", refused.err);
    }
    let nowhere = parsec(&stage, "bench --world private-50 --scenario /nowhere/own.toml").await;
    assert_eq!(nowhere.code(), 1);
    assert!(nowhere.err.contains("--scenario /nowhere/own.toml: cannot be read: No such file"), "{}", nowhere.err);
    let unknown = parsec(&stage, "bench --world private-50 --scenario doom").await;
    assert_eq!(unknown.code(), 2);
    assert!(unknown.err.contains("silent-2023"), "{}", unknown.err);
}

#[tokio::test]
async fn the_search_that_fits_a_world_finds_a_better_one_and_says_by_how_much() {
    let directory = tempfile::tempdir().unwrap();
    let world = own(directory.path(), &[NAME, ("peers = 20811", "peers = 300"), ("silent = 0.002", "silent = 0.2")]);
    let (fit, found) = (concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fit"), directory.path().join("found.toml"));
    let mut search = std::process::Command::new("python3");
    search.arg(format!("{fit}/fit.py")).args(["--figures", &format!("{fit}/amino-2022.toml"), "--world", &world]);
    search.arg("--parsec").arg(process::parsec()).arg("--out").arg(&found);
    // The dead that are far too many are the only thing that it may change.
    search.args(["--only", "fates.silent", "--steps", "4", "--networks", "1", "--operations", "20"]);
    let searching = tokio::task::spawn_blocking(move || search.output());
    let ended = Stage::begin().in_time("end of the search", searching).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{err}");
    let misfits = out.lines().filter_map(|line| line.strip_prefix("misfit: ")?.parse().ok());
    let misfits: Vec<f64> = misfits.collect();
    assert!(misfits.len() > 1 && misfits.is_sorted_by(|before, after| before > after), "{out}");
    assert!(out.contains("| classic provide, p50 (s) | 12.64 | "), "{out}");
    let found = std::fs::read_to_string(found).unwrap();
    let silent = found.lines().find_map(|line| line.strip_prefix("silent = ")?.parse::<f64>().ok()).unwrap();
    assert!(silent < 0.2 && found.contains("# [fitted]"), "{silent}");
}
