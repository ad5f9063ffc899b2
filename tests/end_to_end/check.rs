//! Limits that measurements must keep, checked as a CI job does; and the runs that are kept for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, ask};
use crate::stage::Stage;

/// A run of `rounds` publications by each of two strategies, of which every twelfth fails, as a bench would have kept it.
fn run(peers: u32, classic: f64, optprov: f64, rounds: u32) -> Value {
    let operation = |(fleet, seconds): (&str, f64), number: u32| {
        let (outcome, seconds) = if number.is_multiple_of(12) {
            ("timeout", 60.0)
        } else {
            ("ok", seconds * (1.0 + 0.01 * f64::from(number % 7)))
        };
        json!({
            "round": format!("1/{number}"), "fleet": fleet, "region": "local", "kind": "provide", "outcome": outcome,
            "seconds": seconds, "figures": { "rpcs": 40.0 },
        })
    };
    let operations: Vec<_> = [("classic", classic), ("optprov", optprov)]
        .into_iter()
        .flat_map(|fleet| (0..rounds).map(move |number| operation(fleet, number)))
        .collect();
    json!({
        "format": "parsec run", "schema": 1, "command": "bench", "version": "1.0.0", "commit": "abc", "seed": 1, "complete": true,
        "configuration": "sha256:0", "settings": { "peers": peers.to_string(), "unit": "operation" }, "operations": operations,
    })
}

/// Files for one test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn run(&self, name: &str, run: &Value) -> String {
        self.write(name, &run.to_string())
    }
}

#[tokio::test]
async fn the_exit_code_says_what_became_of_the_limits() {
    let (stage, files) = (Stage::begin(), Files::new());
    let file = files.run("run.json", &run(500, 5.0, 0.5, 360));
    for (limits, code, part) in [
        (vec!["provide.p50{fleet=optprov} > 2s", "failures > 20%"], 0, "2 limits: 2 kept"),
        (vec!["provide.p50{fleet=optprov} > 2s", "provide.p50{fleet=classic} > 2s"], 99, "CROSSED"),
        (vec!["provide.p50{fleet=optprov} > 2s", "failures > 8%"], 3, "the limit lies within the 95 % interval"),
        (vec!["provide.p99{fleet=optprov} > 2s"], 3, "it takes about 368 independent ones"),
        // One failure in twelve reaches the p95: it never came to its end.
        (vec!["provide.p95{fleet=optprov} > 2s", "failures > 8%"], 99, "> 60.0 s"),
    ] {
        let flags: Vec<_> = limits.iter().flat_map(|limit| ["--fail-if", limit]).collect();
        let ended = ask(&stage, &[&["check", "--file", &file][..], &flags].concat()).await;
        let text = ended.out.join("\n");
        assert_eq!(ended.code(), code, "{limits:?}: {text} {}", ended.err);
        assert!(text.contains(part), "no `{part}` in\n{text}");
        assert!(
            text.contains("720 attempts at any time of ") && text.contains("`parsec bench`, version 1.0.0, seed 1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn ci_systems_get_the_result_in_their_own_forms() {
    let (stage, files) = (Stage::begin(), Files::new());
    let file = files.run("run.json", &run(500, 5.0, 0.5, 120));
    let junit = files.path("check.xml");
    let words = [
        "check",
        "--file",
        &file,
        "--fail-if",
        "provide.p50{fleet=optprov} > 2s",
        "--fail-if",
        "failures > 1%",
        "--junit",
        junit.to_str().unwrap(),
        "--format",
        "json",
    ];
    let ended = Process::start_with(&stage, &[("GITHUB_ACTIONS", "true")], &words).end().await;
    assert_eq!(ended.code(), 99, "{}", ended.err);
    let document: Value = serde_json::from_str(&ended.out.concat()).unwrap();
    assert_eq!((&document["judgement"], &document["limits"][0]["judgement"]), (&json!("crossed"), &json!("passed")));
    assert!(
        ended.err.lines().any(|line| line.starts_with("::error title=parsec check::failures > 1%25: CROSSED: 8.3 %25")),
        "{}",
        ended.err
    );
    // Two limits at once take more certainty than one; and somebody may not know that there are two fleets.
    assert_eq!(document["limits"][1]["fleets"], json!({ "classic": 120, "optprov": 120 }), "{document:#}");
    assert_eq!(document["limits"][1]["confidence"], 0.975);
    let mixed =
        "failures > 1%: is about several fleets together, classic (n 120), optprov (n 120); {fleet=NAME} names one";
    assert!(ended.err.lines().any(|line| line == mixed), "{}", ended.err);
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.starts_with("<?xml") && xml.contains(r#"tests="2" failures="1" errors="0""#), "{xml}");
    let quiet = ask(&stage, &words).await;
    assert!(!quiet.err.contains("::error"), "{}", quiet.err);
    let markdown = ask(&stage, &[&words[..7], &["--format", "markdown"]].concat()).await.out.join("\n");
    assert!(markdown.contains("| CROSSED") && markdown.contains("| failures > 1%"), "{markdown}");
}

#[tokio::test]
async fn a_run_is_held_against_a_baseline_of_the_same_configuration() {
    let (stage, files) = (Stage::begin(), Files::new());
    let main = files.run("main.json", &run(500, 5.0, 0.5, 120));
    let slower = files.run("slower.json", &run(500, 5.0, 0.7, 120));
    let larger = files.run("larger.json", &run(600, 5.0, 0.5, 120));
    let limits = ["--fail-if", "provide.p50{fleet=optprov} > +10%", "--fail-if", "failures > +15pp"];
    let check = async |file: &str, added: &[&str]| {
        ask(&stage, &[&["check", "--file", file, "--baseline", &main][..], &limits, added].concat()).await
    };

    let same = check(&main, &[]).await;
    assert_eq!(same.code(), 0, "{:#?} {}", same.out, same.err);
    let ended = check(&slower, &[]).await;
    let text = ended.out.join("\n");
    assert_eq!(ended.code(), 99, "{text}");
    assert!(text.contains("+40.0 %") && text.contains("against the baseline"), "{text}");
    // Each strategy beside its like, too.
    assert!(text.contains("slower") && text.contains("Baseline of "), "{text}");

    let refused = check(&larger, &[]).await;
    assert_eq!(refused.code(), 2, "{}", refused.err);
    assert!(
        refused.err.contains("different configurations: peers 500 and 600; --other-configuration allows it"),
        "{}",
        refused.err
    );
    let allowed = check(&larger, &["--other-configuration"]).await;
    assert_eq!(allowed.code(), 0, "{}", allowed.err);
    assert!(allowed.out.join("\n").contains("different configurations: peers 500 and 600"), "{:#?}", allowed.out);

    let compared = ask(&stage, &["compare", "--a-file", &main, "--b-file", &slower]).await;
    let text = compared.out.join("\n");
    assert_eq!(compared.code(), 0, "{}", compared.err);
    assert!(text.contains("main.json") && text.contains("optprov") && text.contains("1.40x"), "{text}");
    let conditions = ask(&stage, &["compare", "--a-file", &main, "--b-file", &larger]).await.out.join("\n");
    assert!(conditions.contains("different configurations: peers 500 and 600"), "{conditions}");
}

#[tokio::test]
async fn what_cannot_be_checked_is_said_in_a_sentence() {
    let (stage, files) = (Stage::begin(), Files::new());
    let whole = run(500, 5.0, 0.5, 40);
    let file = files.run("run.json", &whole);
    let text = whole.to_string();
    let cut = files.write("cut.json", &text[..text.len() / 2]);
    let foreign = files.write("foreign.json", "[{\"strategy\": \"classic\"}]");
    let newer = files.write("newer.json", &text.replace("\"schema\":1", "\"schema\":9"));
    let mut classic = whole.clone();
    classic["operations"].as_array_mut().unwrap().retain(|one| one["fleet"] == "classic");
    let fewer = files.run("fewer.json", &classic);
    for (words, code, expected) in [
        (vec!["--file", &file], 2, "no LIMIT given: set --fail-if"),
        (vec!["--file", &file, "--fail-if", "latency > 2s"], 2, "`latency` names no metric"),
        (vec!["--file", &file, "--fail-if", "provide.p50 > +10%"], 2, "expected --baseline FILE besides"),
        (
            vec!["--file", &file, "--fail-if", "provide.p50{fleet=fullrt} > 2s"],
            2,
            "no attempt like this was measured at any time; measured were: fleet classic, optprov; region local",
        ),
        (vec!["--file", &file, "--fail-if", "retrieve.p50 > 2s"], 2, "no attempt like this was measured"),
        (
            vec!["--file", &file, "--baseline", &fewer, "--fail-if", "provide.p50{fleet=optprov} > +10%"],
            2,
            "has no attempt like this",
        ),
        (vec!["--file", &cut, "--fail-if", "failures > 1%"], 1, "cut.json: it ends in the middle"),
        (vec!["--file", &foreign, "--fail-if", "failures > 1%"], 1, "foreign.json: it is no run that"),
        (vec!["--file", &newer, "--fail-if", "failures > 1%"], 1, "newer.json: it has version 9 of the format"),
        (
            vec!["--file", "/nowhere/run.json", "--fail-if", "failures > 1%"],
            1,
            "cannot read /nowhere/run.json: No such file",
        ),
        (
            vec!["--file", &file, "--since", "24h", "--fail-if", "failures > 1%"],
            1,
            "--since and --until mean nothing to it",
        ),
        (
            vec!["--file", &file, "--junit", "/nowhere/x.xml", "--fail-if", "failures > 1%"],
            1,
            "--junit /nowhere/x.xml: cannot be written",
        ),
    ] {
        let ended = ask(&stage, &[&["check"][..], &words].concat()).await;
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{words:?}: {}", ended.err);
        assert!(ended.out.is_empty(), "{words:?}: {:#?}", ended.out);
    }
}

#[tokio::test]
async fn what_a_bench_keeps_can_be_checked_and_compared() {
    let (stage, files) = (Stage::begin(), Files::new());
    let path = |name: &str| files.path(name).to_str().unwrap().to_owned();
    let bench = async |peers: &str, name: &str| {
        let shape = ["bench", "--peers", peers, "--operations", "12", "--strategies", "classic,optprov", "--seed", "1"];
        let ended = ask(&stage, &[&shape[..], &["--save", &path(name)]].concat()).await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
    };
    bench("25", "main.json").await;
    bench("25", "again.json").await;
    bench("30", "other.json").await;
    assert!(same(&files.path("main.json"), &files.path("again.json")), "the same seed on a virtual clock");
    let limits = ["--fail-if", "provide.p50{fleet=optprov} > 2s", "--fail-if", "provide.p50 > +10%", "--baseline"];
    let check = async |name: &str| {
        ask(&stage, &[&["check", "--file", &path(name)][..], &limits, &[&path("main.json")]].concat()).await
    };
    let again = check("again.json").await;
    assert_eq!(again.code(), 0, "{:#?} {}", again.out, again.err);
    let other = check("other.json").await;
    assert_eq!(other.code(), 2, "{}", other.err);
    assert!(other.err.contains("peers 25 and 30"), "{}", other.err);
}

fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}
