//! `deploy/ci/`: the action does what it says, with the binary, and the example calls it as it wants to be called.

use std::path::Path;
use std::process::Command;

use parsec_test_support::process::{Ended, Process, parsec};
use parsec_test_support::stage::Stage;
use serde_json::Value;

use super::yaml::{document, list, members, text};
use super::{deploy, read};

/// Few peers and operations: what they come to does not matter here.
const BENCH: &str = "--peers 25 --operations 12 --strategies classic,optprov --seed 1";

/// An input of the action as the test gives it.
type Input<'a> = (&'a str, &'a str);

fn action() -> Value {
    document(&deploy("ci/action.yml"))
}

/// A text with its expressions in the place of which the runner puts values.
fn filled(action: &Value, text: &str, inputs: &[Input<'_>], temporary: &Path) -> String {
    let mut filled = text.replace("${{ runner.temp }}", temporary.to_str().unwrap());
    for (name, input) in members(&action["inputs"]) {
        let given = inputs.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
        let value =
            given.unwrap_or_else(|| input["default"].as_str().unwrap_or_else(|| panic!("{name} has no default")));
        filled = filled.replace(&format!("${{{{ inputs.{name} }}}}"), value);
    }
    assert!(!filled.contains("${{"), "this reader does not know {filled}");
    filled
}

/// Runs the steps of the action as a runner would, and returns how the last one ended.
async fn run(stage: &Stage, inputs: &[Input<'_>], temporary: &Path) -> Ended {
    let action = action();
    let program = parsec();
    let inputs = [inputs, &[("parsec", program.to_str().unwrap())]].concat();
    let mut last = None;
    for step in list(&action["runs"]["steps"]) {
        assert_eq!(text(&step["shell"]), "bash");
        let file = |name: &str| temporary.join(name).to_str().unwrap().to_owned();
        let mut variables: Vec<(String, String)> = members(&step["env"])
            .map(|(name, value)| (name.clone(), filled(&action, text(value), &inputs, temporary)))
            .collect();
        let of_runner = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_STEP_SUMMARY", file("summary.md")),
        ];
        variables.extend(of_runner.map(|(name, value)| (name.to_owned(), value)));
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text(&step["run"])]);
        let ended = Process::run(stage, &variables, bash).end().await;
        let failed = ended.code() != 0;
        last = Some(ended);
        if failed {
            break;
        }
    }
    last.unwrap()
}

#[tokio::test]
async fn the_action_measures_checks_and_says_what_came_of_it() {
    let (stage, directory) = (Stage::begin(), tempfile::tempdir().unwrap());
    let limits = "provide.p50{fleet=optprov} > 9s\n\nfailures > 50%\n";
    let kept = run(&stage, &[("bench", BENCH), ("fail-if", limits)], directory.path()).await;
    let summary = || read(&directory.path().join("summary.md"));
    assert_eq!(kept.code(), 0, "{}", kept.err);
    assert!(
        summary().contains("2 limits: 2 kept") && summary().contains("| provide.p50{fleet=optprov} > 9s"),
        "{}",
        summary()
    );
    let output = read(&directory.path().join("output"));
    for name in ["run", "junit"] {
        let file = output
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")))
            .unwrap_or_else(|| panic!("{output}"));
        assert!(Path::new(file).is_file(), "{file}");
        assert!(text(&action()["outputs"][name]["value"]).contains(&format!("outputs.{name}")));
    }

    // A limit that is crossed, with what the run before it measured as a baseline.
    let baseline = directory.path().join("main.json");
    std::fs::copy(directory.path().join("parsec-run.json"), &baseline).unwrap();
    let limits = "provide.p50{fleet=classic} > +10%\nprovide.p50{fleet=classic} > 1ms";
    let inputs = [("bench", BENCH), ("fail-if", limits), ("baseline", baseline.to_str().unwrap())];
    let crossed = run(&stage, &inputs, directory.path()).await;
    assert_eq!(crossed.code(), 99, "{}", crossed.err);
    assert!(
        crossed.err.contains("::error title=parsec check::provide.p50{fleet=classic} > 1ms: CROSSED"),
        "{}",
        crossed.err
    );
    assert!(summary().contains("1 kept, 1 crossed"), "{}", summary());

    // Twelve operations carry no p99.
    let open = [("bench", BENCH), ("fail-if", "provide.p99 > 1ms")];
    assert_eq!(run(&stage, &open, directory.path()).await.code(), 3);
    assert_eq!(run(&stage, &[&open[..], &[("inconclusive", "pass")]].concat(), directory.path()).await.code(), 0);
}

#[test]
fn the_example_calls_the_action_as_it_wants_to_be_called() {
    let (action, example) = (action(), document(&deploy("ci/example-workflow.yml")));
    let steps = list(&example["jobs"]["check"]["steps"]);
    let ours = steps.iter().find(|step| step["uses"] == "./deploy/ci").expect("it uses the action of this folder");
    let known: Vec<_> = members(&action["inputs"]).map(|(name, _)| name.as_str()).collect();
    let given: Vec<_> = members(&ours["with"]).map(|(name, _)| name.as_str()).collect();
    assert!(given.iter().all(|name| known.contains(name)), "{given:?} of {known:?}");
    for (name, input) in members(&action["inputs"]) {
        assert!(!input["default"].is_null() || given.contains(&name.as_str()), "{name} must be given");
    }
}

#[tokio::test]
async fn the_binary_takes_the_arguments_of_the_action_and_of_the_example() {
    let stage = Stage::begin();
    let example = document(&deploy("ci/example-workflow.yml"));
    let steps = list(&example["jobs"]["check"]["steps"]);
    let of_example = steps.iter().find_map(|step| step["with"]["bench"].as_str()).expect("it says what to measure");
    let action = action();
    for arguments in [text(&action["inputs"]["bench"]["default"]), of_example] {
        let words: Vec<_> = ["config", "bench"].into_iter().chain(arguments.split(' ')).collect();
        let ended = Process::start(&stage, &words).end().await;
        assert_eq!(ended.code(), 0, "{arguments}: {}", ended.err);
    }
    let limits = steps.iter().find_map(|step| step["with"]["fail-if"].as_str()).expect("it has limits");
    let mut words = vec!["config", "check"];
    words.extend(limits.lines().filter(|line| !line.contains("${{")).flat_map(|limit| ["--fail-if", limit]));
    assert_eq!(words.len(), 6, "{words:?}");
    let ended = Process::start(&stage, &words).end().await;
    assert_eq!(ended.code(), 0, "{}", ended.err);
}
