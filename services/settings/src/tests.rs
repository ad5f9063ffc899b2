mod local;
mod samples;
mod texts;
mod warnings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use parsec_dht::{PrivatePeers, Warmth};
use parsec_measure::StrategyKind;

use parsec_store::SslMode;

use crate::cli::parse;
use crate::programs::{Program, keys};
use crate::*;
use parsec_layers::{Key, Secrecy};

pub(crate) use samples::{bare, base, sample};

/// What the binary says of itself in these tests.
pub(crate) const BINARY: Binary =
    Binary { version: concat!(env!("CARGO_PKG_VERSION"), " (test)"), exit_codes: &[(0, "told to stop")] };
pub(crate) type Parsed = Result<(Command, Vec<Warning>), String>;

pub(crate) fn run(line: &str, environment: &[(&str, &str)]) -> Parsed {
    let environment: BTreeMap<_, _> = environment.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(*v))).collect();
    let args = std::iter::once("parsec").chain(line.split_whitespace()).map(OsString::from);
    parse(args, &environment, &BINARY).map_err(|error| error.to_string().trim_end().to_owned())
}

pub(crate) fn server(line: &str, environment: &[(&str, &str)]) -> ServerConfig {
    match run(&format!("server {line}"), environment) {
        Ok((Command::Server(config), _)) => *config,
        other => panic!("{line} {environment:?}: {other:?}"),
    }
}

pub(crate) fn parts(config: ServerConfig) -> DatabaseConfig {
    assert_eq!(config.database.url, None);
    config.database
}

/// A file of this name and content, for as long as the directory is kept.
pub(crate) fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

#[test]
fn nothing_given_is_what_the_original_does() {
    let config = server("", &[]);
    assert_eq!((config.api.to_string(), config.peer.to_string()), ("localhost:7070".into(), "127.0.0.1:4001".into()));
    assert_eq!((config.startup_delay, config.fleet.as_str()), (Duration::from_secs(60), ""));
    assert_eq!(Some(config.verify_records), parsec_measure::Share::new(0.05));
    assert_eq!((config.dht.project.as_str(), config.dht.network.as_str(), config.dht.alpha), ("ipfs", "amino", 10));
    assert_eq!(
        (config.telemetry.listen.to_string(), config.common.log().level),
        ("localhost:6666".into(), LogLevel::Info)
    );
    let database = parts(config);
    assert_eq!((database.host.as_str(), database.port, database.password.expose()), ("localhost", 5432, "password"));
    assert_eq!(database.ssl_mode, SslMode::Disable);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let (_dir, path) = file("parsec.toml", "[server]\nserver_port = 1\npeer_port = 1\nfleet = 'file'\n");
    let environment = [("PARSEC_SERVER_SERVER_PORT", "2"), ("PARSEC_SERVER_PEER_PORT", "2")];
    let line = format!("--config {} --server-port 3", path.display());
    let config = server(&line, &environment);
    assert_eq!((config.api.port, config.peer.port, config.fleet.as_str(), config.dht.alpha), (3, 2, "file", 10));
    assert_eq!(config.common.file, Some(path.clone()));

    let named_by_variable = server("", &[("PARSEC_CONFIG", path.to_str().unwrap())]);
    assert_eq!(named_by_variable.fleet.as_str(), "file");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    assert_eq!(server("", &[("PARSEC_SERVER_SERVER_PORT", ""), ("PARSEC_NONSENSE", "")]), server("", &[]));
    let older = server("", &[("PARSEC_SERVER_DHT_FULLRT", ""), ("PARSEC_SERVER_FULLRT", "1")]);
    assert_eq!(older.dht.strategy, StrategyKind::Fullrt);
    assert_eq!(run("server", &[("PARSEC_NONSENSE", "")]).unwrap().1, []);
}

#[test]
fn an_older_name_is_read_unless_the_current_one_is_set() {
    assert!(server("", &[("PARSEC_SERVER_DHT_SERVER", "true")]).server_mode);
    let both = [("PARSEC_SERVER_FULLRT", "true"), ("PARSEC_SERVER_DHT_FULLRT", "false")];
    assert_eq!(server("", &both).dht.strategy, StrategyKind::Classic);
}

#[test]
fn a_message_names_the_place_the_value_and_what_would_be_right() {
    for (line, variable, value, message) in [
        ("server", "PARSEC_DATABASE_PORT", "abc", "cannot use `abc`: expected a whole number from 1 to 65535"),
        ("server", "PARSEC_DATABASE_PORT", "70000", "cannot use `70000`: expected a whole number from 1 to 65535"),
        (
            "server",
            "PARSEC_SERVER_STARTUP_DELAY",
            "soon",
            "cannot use `soon`: expected a duration such as 500ms, 30s or 1m30s",
        ),
        (
            "server",
            "PARSEC_DATABASE_SSL_MODE",
            "maybe",
            "cannot use `maybe`: expected one of: disable, prefer, require, verify-ca, verify-full",
        ),
        (
            "server",
            "PARSEC_SERVER_SERVER_PORT",
            "40000",
            "cannot use `40000`: expected a port up to 32767: the database keeps it in nodes_ecs.server_port, a SMALLINT",
        ),
        (
            "server",
            "PARSEC_SERVER_PEER_PORT",
            "40000",
            "cannot use `40000`: expected a port up to 32767: the database keeps it in nodes_ecs.peer_port, a SMALLINT",
        ),
        (
            "server",
            "PARSEC_SERVER_SERVER_HOST",
            "a b",
            "cannot use `a b`: expected an IP address or a host name; 0.0.0.0 listens on all addresses",
        ),
        ("server", "PARSEC_SERVER_FULLRT", "on", "cannot use `on`: expected true or false (or 1 or 0)"),
        ("server", "PARSEC_SERVER_DHT_ALPHA", "0", "cannot use `0`: expected a whole number from 1 to 256"),
        (
            "server",
            "PARSEC_SERVER_FLEET",
            "a b",
            "cannot use `a b`: fleet `a b` contains ' '; use letters, digits, `.`, `_` and `-`",
        ),
        (
            "server",
            "PARSEC_SERVER_DHT_BOOTSTRAP_PEERS",
            "/ip4/1.2.3.4/tcp/1",
            "cannot use `/ip4/1.2.3.4/tcp/1`: `/ip4/1.2.3.4/tcp/1` does not end in /p2p/ and a peer id; expected one such as /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…",
        ),
        (
            "server",
            "PARSEC_DATABASE_URL",
            "mysql://u:geheim@h/n",
            "cannot use `mysql://u:***@h/n`: expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            "server",
            "PARSEC_DATABASE_URL",
            "geheim",
            "cannot use `***`: expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            "server",
            "PARSEC_LOG_LEVEL",
            "loud",
            "cannot use `loud`: expected error, warn, info, debug or trace, or a number from 0 (panic) over 2 (error) and 4 (info) to 6 (trace)",
        ),
        (
            "scheduler",
            "PARSEC_SCHEDULER_FLEETS",
            "a,,b",
            "cannot use `a,,b`: fleet list `a,,b` has an empty name in it; write names separated by `,` (one loop each) or `+` (one loop over both)",
        ),
        (
            "scheduler --fleets a",
            "PARSEC_SCHEDULER_INTERVAL",
            "0s",
            "cannot use `0s`: expected a duration longer than zero, such as 30s or 1m30s",
        ),
        (
            "scheduler --fleets a",
            "PARSEC_SCHEDULER_TRACE_SAMPLE",
            "1.5",
            "cannot use `1.5`: expected a number from 0 to 1, such as 0.01",
        ),
        ("demo", "PARSEC_DEMO_SERVERS", "1", "cannot use `1`: expected a whole number from 2 to 1000"),
    ] {
        let expected = format!("error: environment variable {variable}: {message}");
        assert_eq!(run(line, &[(variable, value)]).unwrap_err(), expected);
    }
    assert_eq!(
        run("server --db-port abc", &[("PARSEC_DATABASE_PORT", "5")]).unwrap_err(),
        "error: flag --db-port: cannot use `abc`: expected a whole number from 1 to 65535"
    );
    assert_eq!(
        run("scheduler", &[]).unwrap_err(),
        "error: no FLEETS given: set --fleets, PARSEC_SCHEDULER_FLEETS or `scheduler.fleets` in the configuration file"
    );
}

#[test]
fn what_a_command_does_not_use_cannot_stop_it() {
    let environment = [("PARSEC_DATABASE_PORT", "abc"), ("PARSEC_SERVER_PEER_PORT", "abc")];
    assert!(run("demo", &environment).is_ok());
    assert!(run("health localhost:1", &environment).is_ok());
}

#[test]
fn a_file_is_toml_or_yaml_and_writes_values_as_its_format_does() {
    let toml = "dry_run = true\n[scheduler]\nfleets = ['a', 'b+c']\nprobes = 3\ninterval = '2m'\ntrace_sample = 0.25\n[database]\nname = '0123'\n";
    let yaml = "dry_run: true\nscheduler:\n  fleets: [a, b+c]\n  probes: 3\n  interval: 2m\n  trace_sample: 0.25\ndatabase: {name: '0123'}\n";
    let [toml, yaml] = [("parsec.toml", toml), ("parsec.yaml", yaml)].map(|(name, content)| {
        let (_dir, path) = file(name, content);
        let Ok((Command::Scheduler(config), _)) = run(&format!("scheduler --config {}", path.display()), &[]) else {
            panic!("{name} is understood")
        };
        config
    });
    assert_eq!(
        (toml.probes, toml.fleets.len(), toml.recording.dry_run, toml.interval),
        (3, 2, true, Duration::from_secs(120))
    );
    assert_eq!((&toml.fleets, &toml.database), (&yaml.fleets, &yaml.database));
    assert_eq!([toml.trace_sample, yaml.trace_sample].map(Some), [parsec_measure::Share::new(0.25); 2]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    for (name, content, word) in [
        ("p.toml", "[database]\nprot = 1", "unknown key `database.prot`; did you mean `database.port`?"),
        ("p.toml", "config = 'p.toml'", "unknown key `config`"),
        (
            "p.toml",
            "[database]\nport = 'x'",
            "key `database.port`: cannot use `x`: expected a whole number from 1 to 65535",
        ),
        ("p.toml", "[database]\nport = 1.5", "key `database.port`: cannot use `1.5`: expected a whole number"),
        (
            "p.yaml",
            "database: {password: 0123}",
            "key `database.password`: cannot use `***`: expected a text in quotes",
        ),
        (
            "p.toml",
            "[server]\nstartup_delay = 30",
            "key `server.startup_delay`: cannot use `30`: expected a text in quotes",
        ),
        ("p.toml", "this is no toml", "p.toml: "),
        ("p.json", "{}", "p.json: expected a name that ends in .toml, .yaml or .yml"),
    ] {
        let (_dir, path) = file(name, content);
        let message = run(&format!("server --config {}", path.display()), &[]).unwrap_err();
        assert!(message.contains(word) && message.contains(path.to_str().unwrap()), "{content}: {message}");
    }
    let (_dir, path) = file("p.toml", "[scheduler]\ntrace_sample = true");
    let message = run(&format!("scheduler --fleets a --config {}", path.display()), &[]).unwrap_err();
    assert!(
        message.ends_with("key `scheduler.trace_sample`: cannot use `true`: expected a number such as 0.15"),
        "{message}"
    );
    let message = run("server", &[("PARSEC_CONFIG", "/nowhere/p.toml")]).unwrap_err();
    assert!(
        message.contains("environment variable PARSEC_CONFIG: cannot read /nowhere/p.toml: No such file"),
        "{message}"
    );
}

#[test]
fn a_strategy_has_a_name_and_two_of_them_an_older_switch() {
    let strategy = |line: &str, environment: &[(&str, &str)]| server(line, environment).dht.strategy;
    assert_eq!(strategy("", &[]), StrategyKind::Classic);
    for kind in StrategyKind::ALL {
        assert_eq!(strategy(&format!("--strategy {kind}"), &[]), kind);
    }
    assert_eq!(strategy("--optprov", &[]), StrategyKind::Optprov);
    assert_eq!(strategy("--fullrt --strategy fullrt", &[]), StrategyKind::Fullrt);
    assert_eq!(strategy("--strategy classic", &[("PARSEC_SERVER_FULLRT", "true")]), StrategyKind::Classic, "flags win");
}

#[test]
fn two_strategies_at_once_are_refused_by_their_names() {
    for (line, both) in [
        ("--fullrt --optprov", "flag --fullrt and flag --optprov"),
        ("--fullrt --strategy classic", "flag --strategy and flag --fullrt"),
        ("--strategy fullrt --optprov", "flag --strategy and flag --optprov"),
    ] {
        let message = format!("error: {both} are both set; set only one of them");
        for program in ["server", "provide"] {
            assert_eq!(run(&format!("{program} {line}"), &[]).unwrap_err(), message);
        }
    }
    assert_eq!(
        run("server --strategy fast", &[]).unwrap_err(),
        "error: flag --strategy: cannot use `fast`: unknown strategy `fast`; expected one of: classic, optprov, fullrt, libp2p"
    );
}

#[test]
fn connections_to_keep_are_two_numbers_the_lower_one_first() {
    let connections = |line: &str| server(line, &[]).dht.connections;
    assert_eq!(connections(""), Warmth { low: 160, high: 192 });
    assert_eq!(connections("--connections 0-0"), Warmth { low: 0, high: 0 });
    for wrong in ["192-160", "160", "0-8193", "a-b"] {
        assert_eq!(
            run(&format!("provide --connections {wrong}"), &[]).unwrap_err(),
            format!(
                "error: flag --connections: cannot use `{wrong}`: expected two numbers up to 8192, the lower one first, such as \
                 160-192"
            )
        );
    }
}

#[test]
fn private_addresses_of_others_are_a_matter_of_the_network_unless_it_is_said() {
    let private_peers = |line: &str, environment: &[(&str, &str)]| server(line, environment).dht.private_peers;
    assert_eq!(private_peers("", &[]), PrivatePeers::Auto);
    assert_eq!(private_peers("--private-peers dial", &[]), PrivatePeers::Dial);
    assert_eq!(private_peers("", &[("PARSEC_SERVER_DHT_PRIVATE_PEERS", "ignore")]), PrivatePeers::Ignore);
    assert_eq!(
        run("provide --private-peers never", &[]).unwrap_err(),
        "error: flag --private-peers: cannot use `never`: expected one of: auto, dial, ignore"
    );
}

#[test]
fn a_share_stands_in_a_file_as_a_number() {
    let (_dir, path) = file("parsec.toml", "[bench]\nundialable = 0.25\nsilent = 0\n");
    let Ok((Command::Bench(config), _)) = run(&format!("bench --config {}", path.display()), &[]) else {
        panic!("it is understood")
    };
    assert_eq!((config.undialable.get(), config.silent.get()), (0.25, 0.0));
}

#[test]
fn the_more_talkative_of_debug_and_log_level_wins() {
    let level = |line: &str| server(line, &[]).common.log().level;
    assert_eq!(level("--debug"), LogLevel::Debug);
    assert_eq!(level("--debug --log-level 6"), LogLevel::Trace);
    assert_eq!(level("--log-level 0"), LogLevel::Error);
}

#[test]
fn a_level_has_a_name_and_the_number_of_the_original() {
    let level = |word: &str| server("", &[("PARSEC_LOG_LEVEL", word)]).common.log().level;
    for (words, expected) in [
        (["error", "2"], LogLevel::Error),
        (["warn", "warning"], LogLevel::Warn),
        (["info", "4"], LogLevel::Info),
        (["debug", "5"], LogLevel::Debug),
        (["trace", "6"], LogLevel::Trace),
    ] {
        assert_eq!(words.map(level), [expected; 2], "{words:?}");
    }
}

#[test]
fn a_filter_of_the_log_is_judged_where_it_was_set() {
    let filter = |environment: &[(&str, &str)]| server("", environment).common.log().filter;
    assert_eq!(filter(&[]), None);
    let directives = "libp2p_kad=debug,libp2p_swarm=trace";
    assert_eq!(filter(&[("PARSEC_LOG_FILTER", directives)]), Some(directives.to_owned()));
    let message = run("server --log-filter libp2p_kad=loud", &[]).unwrap_err();
    assert!(message.starts_with("error: flag --log-filter: cannot use `libp2p_kad=loud`: "), "{message}");
    assert!(message.contains("expected directives such as libp2p_kad=debug"), "{message}");
}

#[test]
fn a_negative_number_is_a_bad_value_and_no_flag() {
    for (line, message) in [
        ("demo --peers -5", "flag --peers: cannot use `-5`: expected a whole number from 1 to 10000"),
        ("demo -peers -5", "flag --peers: cannot use `-5`: expected a whole number from 1 to 10000"),
        ("bench --undialable -.5", "flag --undialable: cannot use `-.5`: expected a share from 0 to 0.9, such as 0.15"),
        (
            "scheduler --fleets a --interval -5s",
            "flag --interval: cannot use `-5s`: expected a duration such as 500ms, 30s or 1m30s",
        ),
    ] {
        assert_eq!(run(line, &[]).unwrap_err(), format!("error: {message}"));
    }
}

#[test]
fn formats_have_one_set_of_words_and_the_older_one_is_still_read() {
    for command in ["bench", "config"] {
        let [older, current] = ["table", "text"].map(|word| run(&format!("{command} --format {word}"), &[]).unwrap().0);
        assert_eq!(older, current);
    }
}

#[test]
fn the_authority_of_a_database_is_a_file() {
    assert_eq!(parts(server("", &[])).ssl_root_cert, None);
    let by_flag = server("--db-sslmode verify-full --db-sslrootcert ca.pem", &[]);
    assert_eq!(parts(by_flag).ssl_root_cert, Some("ca.pem".into()));
    let by_variable = server("", &[("PARSEC_DATABASE_SSLROOTCERT", "ca.pem")]);
    assert_eq!(parts(by_variable).ssl_root_cert, Some("ca.pem".into()));
}

#[test]
fn every_row_of_the_table_reaches_the_settings_by_each_of_its_names() {
    let (_dir, secret) = file("secret", "geheim-geheim-geheim-geheim");
    let (_dir, config) = file("parsec.toml", "");
    for program in Program::ALL {
        // It has one value only.
        for key in program.keys().filter(|key| key.name != "scheduler.routing") {
            let base = base(program, key);
            let untouched = run(base, &[]).map(|(command, _)| command).ok();
            let path = if key.name == "config" { &config } else { &secret };
            let value = sample(key, path.to_str().unwrap());
            let set = |parsed: Parsed, by: &str| {
                let (command, warnings) = parsed.unwrap_or_else(|error| panic!("{by}: {error}"));
                let idle = warnings.iter().any(|warning| warning.to_string().contains(" no effect: "));
                assert_eq!(idle, key.idle.is_some(), "{by}: {warnings:?}");
                assert_eq!(
                    Some(&command) == untouched.as_ref(),
                    idle,
                    "{by} changes what a setting should that has an effect"
                );
                command
            };
            let by_flag = set(run(&format!("{base} --{}={value}", key.flag), &[]), key.flag);
            if let Some(short) = key.short {
                let line = format!("{base} -{short}{value}");
                assert_eq!(set(run(&line, &[]), &line), by_flag);
                let refused = run(&format!("{base} --{short} {value}"), &[]).unwrap_err();
                assert!(refused.contains(&format!("unexpected argument '--{short}'")), "{refused}");
                assert_eq!(key.secrecy, Secrecy::Open, "{line}: what stands behind a letter is not blanked");
            }
            for flag in key.older_flags {
                assert_eq!(set(run(&format!("{base} --{flag}={value}"), &[]), flag), by_flag);
            }
            for variable in key.variables() {
                assert_eq!(set(run(base, &[(variable, &value)]), variable), by_flag);
            }
        }
    }
}

#[test]
fn no_name_stands_for_two_settings() {
    let mut names: Vec<_> = keys().map(|key| key.name).chain(keys().flat_map(Key::variables)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for program in Program::ALL {
        let mut flags: Vec<_> = program.keys().flat_map(Key::flags).collect();
        let all = flags.len();
        flags.sort_unstable();
        flags.dedup();
        assert_eq!(flags.len(), all, "{program:?}");
    }
}
