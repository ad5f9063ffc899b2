//! The house rules that a compiler does not check: who may know whom, where the environment is read, how long a file may be.
//!
//! Crates: [`FORBIDDEN`]. Files within a crate: no circles ([`circles`]), and [`rooms`] know those below them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arrows;
mod circles;
mod modules;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use arrows::{Arrows, arrows};
use circles::circles;
use modules::{Files, Modules};
use rooms::{HOUSES, House};

/// The longest file that can still be read in one sitting.
const MAX_LINES: usize = 500;

/// For each crate of ours, the crates that it must not depend on (tests aside). `parsec-` alone stands for all of ours
/// that are not listed after the exclamation mark.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("parsec-measure", &["parsec-", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    ("parsec-schema", &["parsec-", "tokio", "actix", "actix-web", "libp2p"]),
    ("parsec-host", &["parsec-", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    ("parsec-dht", &["parsec-!parsec-measure", "actix", "actix-web", "diesel", "diesel-async"]),
    (
        "parsec-lab",
        &["parsec-!parsec-measure,parsec-dht,parsec-results", "actix", "actix-web", "diesel", "diesel-async"],
    ),
    ("parsec-api", &["parsec-!parsec-measure", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    ("parsec-results", &["parsec-!parsec-measure", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    (
        "parsec-show",
        &["parsec-!parsec-measure,parsec-results", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"],
    ),
    (
        "parsec-conformance",
        &["parsec-!parsec-measure,parsec-api,parsec-show", "actix", "actix-web", "diesel", "diesel-async", "libp2p"],
    ),
    ("parsec-store", &["parsec-!parsec-measure,parsec-schema", "actix", "actix-web", "libp2p"]),
    ("parsec-layers", &["parsec-!parsec-measure", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    (
        "parsec-settings",
        &[
            "parsec-!parsec-layers,parsec-measure,parsec-dht,parsec-ecs,parsec-api,parsec-store,parsec-results",
            "clap",
            "config",
            "tokio",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    (
        "parsec-output",
        &[
            "parsec-!parsec-host,parsec-measure,parsec-settings,parsec-show",
            "tokio",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    (
        "parsec-tls",
        &[
            "parsec-!parsec-measure,parsec-api,parsec-settings",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    ("parsec-export", &["parsec-!parsec-measure", "tokio", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    ("parsec-ecs", &["parsec-!parsec-measure,parsec-api", "actix", "actix-web", "diesel", "diesel-async", "libp2p"]),
    (
        // `results` and `show` are for the archive, which turns rows into answers: see `only_those_who_show_results_know_them`.
        "parsec-actors",
        &[
            "parsec-!parsec-measure,parsec-host,parsec-dht,parsec-api,parsec-store,parsec-results,parsec-show",
            "libp2p",
            "diesel",
            "diesel-async",
        ],
    ),
    (
        "parsec-generator",
        &["parsec-!parsec-measure,parsec-store", "actix", "actix-web", "diesel", "diesel-async", "libp2p"],
    ),
    (
        "parsec-answers",
        &[
            "parsec-!parsec-export,parsec-measure,parsec-output,parsec-results,parsec-settings,parsec-show,parsec-store",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    (
        "parsec-bench",
        &[
            "parsec-!parsec-answers,parsec-host,parsec-lab,parsec-measure,parsec-output,parsec-results,parsec-settings,parsec-show",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    (
        "parsec-doctor",
        &[
            "parsec-!parsec-api,parsec-dht,parsec-host,parsec-measure,parsec-output,parsec-settings,parsec-show,parsec-store",
            "actix",
            "actix-web",
            "diesel",
            "diesel-async",
            "libp2p",
        ],
    ),
    ("parsec", &["parsec-schema", "parsec-layers", "libp2p", "diesel", "diesel-async", "actix-web"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The dependencies of each crate of the workspace, those for tests and builds left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let normal = |dependency: &&Value| dependency["kind"].is_null();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap().iter();
            (text(&package["name"]), all.filter(normal).map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

#[test]
fn no_crate_of_ours_has_unsafe_code() {
    let forbidden = r#"unsafe_code = "forbid""#;
    let manifests = Command::new("git").args(["ls-files", "*Cargo.toml"]).current_dir(root()).output().unwrap();
    for manifest in String::from_utf8(manifests.stdout).unwrap().lines() {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        // What is outside the workspace has to say so itself.
        let (section, line) = match (manifest, text.contains("[workspace]")) {
            ("Cargo.toml", _) => ("[workspace.lints.rust]", forbidden),
            (_, true) => ("[lints.rust]", forbidden),
            (_, false) => ("[lints]", "workspace = true"),
        };
        let mut within =
            text.lines().skip_while(|found| *found != section).skip(1).take_while(|found| !found.starts_with('['));
        assert!(within.any(|found| found == line), "{manifest} lacks {line} in {section}");
    }
}

fn is_forbidden(rule: &str, dependency: &str) -> bool {
    match rule.strip_prefix("parsec-").map(|rest| rest.strip_prefix('!').unwrap_or(rest)) {
        Some(exceptions) if rule == "parsec-" || rule.starts_with("parsec-!") => {
            dependency.starts_with("parsec-") && !exceptions.split(',').any(|exception| exception == dependency)
        }
        _ => rule == dependency,
    }
}

#[test]
fn each_crate_knows_only_whom_it_may_know() {
    let dependencies = dependencies();
    let mut broken = Vec::new();
    for (name, rules) in FORBIDDEN {
        let known = dependencies.get(*name).unwrap_or_else(|| panic!("no crate {name}: update this test"));
        for dependency in known {
            if rules.iter().any(|rule| is_forbidden(rule, dependency)) {
                broken.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    for name in dependencies.keys().filter(|name| *name != "parsec-test-support") {
        assert!(FORBIDDEN.iter().any(|(ruled, _)| ruled == name), "no rule for the crate {name}");
    }
}

#[test]
fn the_rules_themselves_tell_friend_from_stranger() {
    assert!(is_forbidden("parsec-", "parsec-measure"));
    assert!(is_forbidden("parsec-!parsec-measure", "parsec-store"));
    assert!(!is_forbidden("parsec-!parsec-measure", "parsec-measure"));
    assert!(is_forbidden("parsec-schema", "parsec-schema"));
    assert!(!is_forbidden("parsec-schema", "parsec-measure"));
    assert!(!is_forbidden("tokio", "tokio-postgres"));
}

/// Every Rust file of ours, with its path relative to the root.
fn sources() -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    let files: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(files.len() > 50, "git lists {} Rust files", files.len());
    files.into_iter().filter_map(|file| Some((file.clone(), fs::read_to_string(root().join(&file)).ok()?))).collect()
}

fn offenders(is_offence: impl Fn(&str, &str) -> bool) -> Vec<String> {
    sources().into_iter().filter(|(file, text)| is_offence(file, text)).map(|(file, _)| file).collect()
}

#[test]
fn no_file_is_too_long_to_read() {
    assert_eq!(offenders(|_, text| text.lines().count() > MAX_LINES), Vec::<String>::new());
}

#[test]
fn no_file_is_shared_by_its_path() {
    let shares = |_: &str, text: &str| text.lines().any(|line| line.trim_start().starts_with("#[path"));
    assert_eq!(offenders(shares), Vec::<String>::new(), "what several crates use is a crate, such as tests/support");
}

#[test]
fn actix_web_stays_in_the_gateway() {
    let uses = |line: &str| line.contains("actix_web::") && !line.trim_start().starts_with("//");
    let stray = offenders(|file, text| {
        file.starts_with("actors/src/") && !file.starts_with("actors/src/serving/gateway/") && text.lines().any(uses)
    });
    assert_eq!(stray, Vec::<String>::new());
}

#[test]
fn only_those_who_show_results_know_them() {
    let uses = |line: &str| {
        let is_code = !line.trim_start().starts_with("//");
        is_code && ["parsec_results::", "parsec_show::"].iter().any(|name| line.contains(name))
    };
    let rooms = ["actors/src/viewing/", "actors/src/serving/gateway/viewing/"];
    let stray = offenders(|file, text| {
        let is_allowed = rooms.iter().any(|room| file.starts_with(room));
        file.starts_with("actors/src/") && !is_allowed && text.lines().any(uses)
    });
    assert_eq!(stray, Vec::<String>::new(), "what measures does not count figures");
}

#[test]
fn the_environment_is_read_in_the_settings_alone() {
    let reads = |line: &str| {
        let code = !line.trim_start().starts_with("//");
        code && ["env::var(", "env::vars(", "env::var_os(", "env::vars_os("].iter().any(|call| line.contains(call))
    };
    let stray = offenders(|file, text| {
        let allowed = file == "services/settings/src/started.rs"
            || file.starts_with("tests/")
            || file.contains("/tests/")
            || file.ends_with("build.rs");
        !allowed && text.lines().any(reads)
    });
    assert_eq!(stray, Vec::<String>::new());
}

/// A simulated week is recorded with the times at which it is played, not with those of the minute in which it was computed.
#[test]
fn what_is_recorded_takes_its_time_and_its_identity_from_one_clock() {
    let rooms = ["actors/src/scheduling/", "actors/src/serving/", "actors/src/recording/"];
    let stray = offenders(|file, text| {
        let records =
            rooms.iter().any(|room| file.starts_with(room)) && !file.starts_with("actors/src/serving/gateway/");
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        records && ["Utc::now()", "SystemTime::now()", "Uuid::now_v7()"].iter().any(|call| production.contains(call))
    });
    assert_eq!(stray, Vec::<String>::new(), "parsec_measure::clock says what time it is");
}

/// The modules of a crate, its tests left out, with the texts of all its files.
fn crate_at(folder: &str) -> (Modules, Files) {
    let ours = format!("{folder}/");
    let files = sources().into_iter();
    let files: Files = files.filter_map(|(file, text)| Some((file.strip_prefix(&ours)?.to_owned(), text))).collect();
    let root = ["src/lib.rs", "src/main.rs"].into_iter().find(|root| files.contains_key(*root));
    let root = root.unwrap_or_else(|| panic!("{folder} has no src/lib.rs and no src/main.rs"));
    (Modules::of(&files, root), files)
}

#[test]
fn every_crate_of_the_workspace_has_its_house() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let members: BTreeSet<_> = members.split('"').skip(1).step_by(2).collect();
    assert_eq!(HOUSES.iter().map(|house| house.at).collect::<BTreeSet<_>>(), members);
}

#[test]
fn no_crate_has_circles_of_files() {
    let mut told = String::new();
    for house in HOUSES {
        for circle in circles(&arrows(&crate_at(house.at).0)) {
            told += &format!("\n{}: {circle}", house.at);
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// Arrows of a house that lead upwards.
fn upwards(rooms: &[&str], arrows: &Arrows) -> Vec<String> {
    let room = |file: &str| {
        let below = file.strip_prefix("src/").unwrap_or(file);
        let name = below.split('/').next().unwrap_or(below);
        rooms.iter().position(|room| *room == name.trim_end_matches(".rs"))
    };
    let up = arrows.iter().filter(|((from, to), _)| room(from).zip(room(to)).is_some_and(|(from, to)| from > to));
    up.map(|((from, to), path)| format!("{from} knows {to} ({path})")).collect()
}

#[test]
fn rooms_know_those_below_them_alone() {
    for House { at, rooms, .. } in HOUSES {
        let (modules, _) = crate_at(at);
        for room in *rooms {
            let is_there = |file: &&str| {
                file.strip_prefix("src/")
                    .is_some_and(|file| file == format!("{room}.rs") || file.starts_with(&format!("{room}/")))
            };
            assert!(modules.files().iter().any(is_there), "{at} has no room {room}: update its house");
        }
        assert_eq!(upwards(rooms, &arrows(&modules)), Vec::<String>::new(), "{at}");
    }
}

#[test]
fn an_arrow_that_leads_upwards_is_found() {
    let arrow = |from: &str, to: &str| Arrows::from([((from.to_owned(), to.to_owned()), "a::path".to_owned())]);
    let rooms = ["roof", "floor", "cellar"];
    for (from, to) in
        [("src/roof/a.rs", "src/cellar.rs"), ("src/lib.rs", "src/roof/mod.rs"), ("src/roof/a.rs", "src/roof/b.rs")]
    {
        assert_eq!(upwards(&rooms, &arrow(from, to)), Vec::<String>::new(), "{from} {to}");
    }
    assert_eq!(
        upwards(&rooms, &arrow("src/cellar.rs", "src/floor/a.rs")),
        ["src/cellar.rs knows src/floor/a.rs (a::path)"]
    );
}

/// Lines of a file that belong to no test.
fn production_lines(text: &str) -> usize {
    let (mut count, mut lines) = (0, text.lines().peekable());
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod ") || next.contains(" mod "))
        {
            if lines.next().is_some_and(|next| next.ends_with('{')) {
                lines.by_ref().find(|line| *line == "}");
            }
            continue;
        }
        count += 1;
    }
    count
}

#[test]
fn lines_of_tests_are_not_counted_as_production() {
    assert_eq!(production_lines("a\n#[cfg(test)]\nmod tests {\n    b {\n    }\n}\nc\n#[cfg(test)]\nmod more;\n"), 2);
}

#[test]
fn crates_stay_as_small_as_they_were_drawn() {
    for House { at, lines, .. } in HOUSES {
        let (modules, files) = crate_at(at);
        let count: usize = modules.files().iter().map(|file| production_lines(&files[*file])).sum();
        println!("{at}: {count} lines");
        assert!(
            lines.is_none_or(|most| count <= most),
            "{at} has {count} lines of production code, {lines:?} are its most"
        );
    }
}
