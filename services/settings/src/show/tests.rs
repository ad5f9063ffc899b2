use serde_json::json;

use super::*;
use crate::programs::{Command, Program, keys, table};
use crate::tests::{bare, base, file, run, sample};
use parsec_layers::{CONFIG, Key, Secrecy};

fn shown(line: &str, environment: &[(&str, &str)]) -> String {
    match run(line, environment) {
        Ok((Command::Config(config), _)) => config.text(),
        other => panic!("{line}: {other:?}"),
    }
}

/// The words of a line of the table.
fn row(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_value_is_shown_with_the_place_it_came_from() {
    let (_dir, path) = file("parsec.toml", "[server]\nstartup_delay = '5s'\nserver_port = 1\n");
    let text = shown(
        &format!("config --db-port 1 server --fleet x --config {} dht --alpha 3", path.display()),
        &[("PARSEC_SERVER_SERVER_PORT", "2"), ("PARSEC_SERVER_FULLRT", "t"), ("PARSEC_SCHEDULER_FLEETS", "a")],
    );
    for (name, rest) in [
        ("server.fleet", "x flag --fleet".to_owned()),
        ("database.port", "1 flag --db-port".to_owned()),
        ("server.dht.alpha", "3 flag --alpha".to_owned()),
        ("server.server_port", "2 variable PARSEC_SERVER_SERVER_PORT".to_owned()),
        ("server.dht.fullrt", "t variable PARSEC_SERVER_FULLRT".to_owned()),
        ("server.startup_delay", format!("5s file {}", path.display())),
        ("server.peer_port", "4001 default".to_owned()),
        ("aws.region", "– default".to_owned()),
    ] {
        assert_eq!(row(&text, name), format!("{name} {rest}"), "{text}");
    }
    assert!(!text.contains("scheduler."), "a server has no use for them: {text}");
    assert_eq!(text.lines().count(), 1 + Program::Server.keys().count());
}

#[test]
fn without_a_command_every_setting_is_shown() {
    let text = shown("config", &[("PARSEC_SCHEDULER_INTERVAL", "2m")]);
    assert_eq!(row(&text, "scheduler.interval"), "scheduler.interval 2m variable PARSEC_SCHEDULER_INTERVAL");
    let own = Program::Config.keys().filter(|key| key.name.starts_with("show.")).count();
    assert_eq!(text.lines().count(), 1 + keys().count() - own);
    let message = run("config", &[("PARSEC_SCHEDULER_PROBES", "many")]).unwrap_err();
    assert!(message.contains("PARSEC_SCHEDULER_PROBES: cannot use `many`"), "{message}");
}

#[test]
fn no_secret_is_shown_in_any_form() {
    let lines = [
        "--db-password geheim",
        "--database-url postgres://ann:geheim@db:5432/parsec",
        "--database-url postgres://db/parsec?password=geheim",
    ];
    for line in lines {
        for form in ["table", "json", "toml"] {
            let text = shown(&format!("config --format {form} server {line}"), &[("PARSEC_DATABASE_USER", "ann")]);
            assert!(text.contains("***") && !text.contains("geheim"), "{text}");
        }
    }
    for (line, variable) in [
        ("server", "PARSEC_SERVER_API_TOKEN"),
        ("scheduler --fleets a", "PARSEC_SCHEDULER_API_TOKEN"),
        ("conformance http://localhost:1", "PARSEC_CLIENT_API_TOKEN"),
    ] {
        for form in ["table", "json", "toml"] {
            let token = [(variable, "geheim-geheim-geheim-geheim")];
            let text = shown(&format!("config --format {form} {line}"), &token);
            assert!(text.contains("***") && !text.contains("geheim"), "{text}");
        }
    }
    let toml = shown(&format!("config --format toml server {}", lines[0]), &[]);
    assert!(toml.contains("\n# database.password = \"***\" # flag --db-password\n"), "{toml}");
}

#[test]
fn a_value_that_another_setting_wins_over_is_shown_as_such() {
    let (_dir, path) = file("password", "geheim");
    for (line, environment, name, reason) in [
        ("--database-url sqlite:x.db --db-host h", vec![], "database.host", "database.url wins"),
        (&format!("--db-password-file {}", path.display()), vec![], "database.password", "database.password_file wins"),
        (
            "--strategy classic",
            vec![("PARSEC_SERVER_DHT_OPTPROV", "1")],
            "server.dht.optprov",
            "server.dht.strategy wins",
        ),
        ("--level-db /data", vec![], "server.level_db", "provider records are kept in memory"),
    ] {
        let text = shown(&format!("config server {line}"), &environment);
        assert!(row(&text, name).ends_with(&format!("(no effect: {reason})")), "{text}");
    }
}

#[test]
fn values_for_programs_are_of_their_kind() {
    let line = "config --format json scheduler --fleets a,b+c --trace-sample 0.5 --probes 3 --dry-run";
    let rows: Value = serde_json::from_str(&shown(line, &[])).unwrap();
    let find = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        find("scheduler.fleets"),
        json!({
            "section": "Scheduler", "name": "scheduler.fleets", "value": ["a", "b+c"], "from": "flag",
            "place": "--fleets", "secret": false, "no_effect": null
        })
    );
    assert_eq!(find("scheduler.trace_sample")["value"], 0.5);
    assert_eq!(find("scheduler.probes")["value"], 3);
    assert_eq!(find("dry_run")["value"], true);
    assert_eq!((&find("config")["value"], &find("config")["place"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_is_shown_as_a_file_means_the_same_when_it_is_read() {
    let (_dir, secret) = file("secret", "geheim-geheim-geheim-geheim");
    for program in Program::ALL.into_iter().filter(|program| *program != Program::Config) {
        // A secret does not stand there.
        for key in program.keys().filter(|key| is_open_setting(key)) {
            let (_dir, path) = file("parsec.toml", "");
            let value = sample(key, secret.to_str().unwrap());
            let value = if key.name == "scheduler.routing" { "DHT" } else { &value };
            let line = format!("{} --{}={value} --config {}", base(program, key), key.flag, path.display());
            let (by_flag, _) = run(&line, &[]).unwrap();
            std::fs::write(&path, shown(&format!("config --format toml {line}"), &[])).unwrap();
            let (by_file, _) = run(&format!("{} --config {}", bare(program), path.display()), &[]).unwrap();
            assert_eq!(by_file, by_flag, "{line}:\n{}", std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn is_open_setting(key: &Key) -> bool {
    key.secrecy != Secrecy::Secret && key.name != CONFIG
}

#[test]
fn a_file_holds_texts_and_numbers_that_need_care() {
    let (_dir, path) = file("parsec.toml", "");
    for (program, flags) in [
        ("demo", vec!["--seed", "18446744073709551615", "--data-dir", "C:\\a \"b\"\u{7f}\t#"]),
        ("server", vec!["--fleet", "0123", "--db-name", "no", "--strategy", "classic"]),
    ] {
        let args = |command: &[&str], flags: &[&str]| {
            let words = ["parsec"].iter().chain(command).chain(flags).map(Into::into);
            let environment = [("PARSEC_SERVER_FULLRT".to_owned(), "1".into())].into();
            crate::cli::parse(words.collect::<Vec<std::ffi::OsString>>(), &environment, &crate::tests::BINARY)
                .unwrap()
                .0
        };
        let config = path.to_str().unwrap();
        std::fs::write(&path, "").unwrap();
        let by_flag = args(&[program, "--config", config], &flags);
        let Command::Config(toml) = args(&["config", "--format", "toml", program], &flags) else { panic!("{program}") };
        std::fs::write(&path, toml.text()).unwrap();
        let words = ["parsec", program, "--config", config].map(Into::into);
        assert_eq!(crate::cli::parse(words, &[].into(), &crate::tests::BINARY).unwrap().0, by_flag, "{}", toml.text());
    }
}

#[test]
fn what_the_command_would_refuse_is_refused_in_the_same_words() {
    for (line, variable, value) in [
        ("server --server-port 40000", "HOME", "/"),
        ("server dht --fullrt --optprov", "HOME", "/"),
        ("server ipni", "HOME", "/"),
        ("server", "PARSEC_SERVER_STARTUP_DELAY", "soon"),
        ("server", "PARSEC_CONFIG", "/nowhere/p.toml"),
        ("scheduler", "HOME", "/"),
        ("health localhost", "HOME", "/"),
        ("retrieve Qm", "HOME", "/"),
        ("bench --peers 1", "HOME", "/"),
        ("completions tcsh", "HOME", "/"),
    ] {
        let environment = [(variable, value)];
        let refused = run(line, &environment).unwrap_err();
        assert!(refused.starts_with("error: "), "{refused}");
        assert_eq!(run(&format!("config {line}"), &environment).unwrap_err(), refused);
    }
    assert_eq!(
        run("config --format yaml server", &[]).unwrap_err(),
        "error: flag --format: cannot use `yaml`: expected one of: text, json, toml"
    );
    let (_, warnings) = run("config server", &[("PARSEC_DATABSE_HOST", "x")]).unwrap();
    assert_eq!(warnings.len(), 1, "it warns as the command would");
}

#[test]
fn the_table_for_programs_names_every_setting() {
    let schema = schema(table());
    let rows = schema.as_array().unwrap();
    let find = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(rows.len(), keys().count());
    assert_eq!(
        *find("server.dht.server_mode"),
        json!({
            "section": "Server", "programs": ["server", "doctor"], "name": "server.dht.server_mode", "flag": "server-mode", "short": null,
            "older_flags": ["dht-server"], "variable": "PARSEC_SERVER_DHT_SERVER_MODE",
            "older_variables": ["PARSEC_SERVER_DHT_SERVER"], "kind": "switch", "values": [], "default": "false", "secret": false,
            "no_effect": null
        })
    );
    assert_eq!(find("database.password")["secret"], true);
    assert_eq!(find("aws.region")["default"], Value::Null);
    assert_eq!(find("report.output")["short"], "o");
    assert_eq!(find("server.level_db")["no_effect"], "provider records are kept in memory");
}
