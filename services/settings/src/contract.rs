//! Every flag and variable of the original, 2023 and 2026, where it stands on the command line there, and its default.
//! Whoever runs the original runs this with the same words.

use crate::programs::Program;
use crate::tests::{run, sample};
use parsec_layers::{Key, Kind};

/// Where the original takes a flag: before any subcommand, or behind one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Global,
    Server,
    Dht,
    Ipni,
    Scheduler,
}
use Place::{Dht, Global, Ipni, Scheduler, Server};

/// Place, flag, variables (the current one first), default.
type Row = (Place, &'static str, &'static [&'static str], Option<&'static str>);

const CONTRACT: &[Row] = &[
    (Global, "debug", &["PARSEC_DEBUG"], Some("false")),
    (Global, "log-level", &["PARSEC_LOG_LEVEL"], Some("4")),
    (Global, "telemetry-host", &["PARSEC_TELEMETRY_HOST"], Some("localhost")),
    (Global, "telemetry-port", &["PARSEC_TELEMETRY_PORT"], Some("6666")),
    (Global, "dry-run", &["PARSEC_SCHEDULE_DRY_RUN"], Some("false")),
    (Global, "db-host", &["PARSEC_DATABASE_HOST"], Some("localhost")),
    (Global, "db-port", &["PARSEC_DATABASE_PORT"], Some("5432")),
    (Global, "db-name", &["PARSEC_DATABASE_NAME"], Some("parsec")),
    (Global, "db-password", &["PARSEC_DATABASE_PASSWORD"], Some("password")),
    (Global, "db-user", &["PARSEC_DATABASE_USER"], Some("parsec")),
    (Global, "db-sslmode", &["PARSEC_DATABASE_SSL_MODE"], Some("disable")),
    (Global, "aws-region", &["AWS_REGION"], None),
    (Scheduler, "fleets", &["PARSEC_SCHEDULER_FLEETS"], None),
    (Scheduler, "interval", &["PARSEC_SCHEDULER_INTERVAL"], Some("1m")),
    (Scheduler, "probes", &["PARSEC_SCHEDULER_PROBES"], Some("1")),
    (Scheduler, "routing", &["PARSEC_SCHEDULER_ROUTING"], Some("DHT")),
    (Server, "server-host", &["PARSEC_SERVER_SERVER_HOST"], Some("localhost")),
    (Server, "server-port", &["PARSEC_SERVER_SERVER_PORT"], Some("7070")),
    (Server, "peer-host", &["PARSEC_SERVER_PEER_HOST"], Some("127.0.0.1")),
    (Server, "peer-port", &["PARSEC_SERVER_PEER_PORT"], Some("4001")),
    (Server, "fleet", &["PARSEC_SERVER_FLEET"], Some("")),
    (Server, "startup-delay", &["PARSEC_SERVER_STARTUP_DELAY"], Some("1m")),
    (Global, "ecs-metadata-uri-v4", &["ECS_CONTAINER_METADATA_URI_V4"], None),
    (Global, "ecs-metadata", &["ECS_CONTAINER_METADATA"], None),
    (Dht, "badbits", &["PARSEC_SERVER_DHT_BADBITS", "PARSEC_SERVER_BADBITS"], None),
    (Dht, "denied-cids", &["PARSEC_SERVER_DHT_DENIED_CIDS", "PARSEC_SERVER_DENIED_CIDS"], None),
    (Server, "badbits", &["PARSEC_SERVER_DHT_BADBITS", "PARSEC_SERVER_BADBITS"], None),
    (Server, "denied-cids", &["PARSEC_SERVER_DHT_DENIED_CIDS", "PARSEC_SERVER_DENIED_CIDS"], None),
    (Server, "level-db", &["PARSEC_SERVER_LEVELDB"], Some("./leveldb")),
    (Server, "firehose-region", &["PARSEC_SERVER_FIREHOSE_REGION"], Some("us-east-1")),
    (Server, "firehose-stream", &["PARSEC_SERVER_FIREHOSE_STREAM"], None),
    (Server, "firehose-batch-time", &["PARSEC_SERVER_FIREHOSE_BATCH_TIME"], Some("30s")),
    (Server, "firehose-batch-size", &["PARSEC_SERVER_FIREHOSE_BATCH_SIZE"], Some("500")),
    (Server, "firehose-connection-events", &["PARSEC_SERVER_FIREHOSE_CONNECTION_EVENTS"], Some("true")),
    (Server, "firehose-rpc-events", &["PARSEC_SERVER_FIREHOSE_RPC_EVENTS"], Some("true")),
    (Dht, "project", &["PARSEC_SERVER_DHT_PROJECT"], Some("ipfs")),
    (Dht, "network", &["PARSEC_SERVER_DHT_NETWORK"], Some("amino")),
    (Dht, "fullrt", &["PARSEC_SERVER_DHT_FULLRT", "PARSEC_SERVER_FULLRT"], Some("false")),
    (Dht, "optprov", &["PARSEC_SERVER_DHT_OPTPROV", "PARSEC_SERVER_OPTPROV"], Some("false")),
    (Dht, "server-mode", &["PARSEC_SERVER_DHT_SERVER_MODE", "PARSEC_SERVER_DHT_SERVER"], Some("false")),
    (Dht, "alpha", &["PARSEC_SERVER_DHT_ALPHA"], Some("10")),
    (Ipni, "indexer-host", &["PARSEC_SERVER_IPNI_INDEXER_HOST", "PARSEC_SERVER_INDEXER_HOST"], None),
    (Ipni, "indexer-index-timeout", &["PARSEC_SERVER_IPNI_INDEXER_INDEX_TIMEOUT"], Some("1m")),
    (Ipni, "indexer-availability-timeout", &["PARSEC_SERVER_IPNI_INDEXER_AVAILABILITY_TIMEOUT"], Some("2m")),
    (Ipni, "indexer-interval", &["PARSEC_SERVER_IPNI_INDEXER_INTERVAL"], Some("1s")),
    (Ipni, "publisher-host", &["PARSEC_SERVER_IPNI_PUBLISHER_HOST"], Some("127.0.0.1")),
    (Ipni, "publisher-port", &["PARSEC_SERVER_IPNI_PUBLISHER_PORT"], Some("2020")),
    // 2023: a server was always one of the DHT, and its flags stood behind `server`.
    (Server, "fullrt", &["PARSEC_SERVER_DHT_FULLRT", "PARSEC_SERVER_FULLRT"], Some("false")),
    (Server, "optprov", &["PARSEC_SERVER_DHT_OPTPROV", "PARSEC_SERVER_OPTPROV"], Some("false")),
    (Server, "dht-server", &["PARSEC_SERVER_DHT_SERVER_MODE", "PARSEC_SERVER_DHT_SERVER"], Some("false")),
    (Server, "indexer-host", &["PARSEC_SERVER_IPNI_INDEXER_HOST", "PARSEC_SERVER_INDEXER_HOST"], None),
];

impl Place {
    fn program(self) -> Program {
        if self == Scheduler { Program::Scheduler } else { Program::Server }
    }

    /// The command lines of the original that take `flag` there, of both generations.
    fn lines(self, flag: &str) -> Vec<String> {
        match self {
            Global => vec![format!("{flag} server dht"), format!("{flag} server")],
            Server => vec![format!("server {flag} dht"), format!("server {flag}")],
            Dht => vec![format!("server dht {flag}"), format!("server --fleet x dht {flag}")],
            // What the original takes behind `ipni` ends with a message here; a server of the DHT takes it as well.
            Ipni => vec![format!("server {flag}"), format!("server dht {flag}")],
            Scheduler => vec![format!("scheduler {flag}")],
        }
    }
}

fn key(place: Place, flag: &str) -> &'static Key {
    let found = place.program().keys().find(|key| key.flags().any(|name| name == flag));
    found.unwrap_or_else(|| panic!("{place:?}: no flag --{flag}"))
}

/// A value for it that is not the default.
fn value(key: &Key) -> String {
    if key.name == "scheduler.routing" { "DHT".to_owned() } else { sample(key, "/dev/null") }
}

#[test]
fn every_setting_of_the_original_has_its_names_and_its_default() {
    for (place, flag, variables, default) in CONTRACT {
        let key = key(*place, flag);
        assert_eq!(key.variables().collect::<Vec<_>>(), *variables, "--{flag}");
        assert_eq!(key.default, *default, "--{flag}");
    }
}

#[test]
fn every_flag_is_taken_where_the_original_takes_it_with_one_dash_or_two() {
    for (place, flag, ..) in CONTRACT {
        let key = key(*place, flag);
        let value = value(key);
        let mut forms = vec![format!("--{flag}={value}"), format!("-{flag}={value}")];
        match key.kind {
            Kind::Switch if value == "true" => forms.extend([format!("--{flag}"), format!("-{flag}")]),
            Kind::Switch => {}
            _ => forms.extend([format!("--{flag} {value}"), format!("-{flag} {value}")]),
        }
        let base = |form: &str| {
            place.lines(form).into_iter().map(|line| match flag {
                _ if *place != Scheduler || *flag == "fleets" => line,
                _ => format!("{line} --fleets a"),
            })
        };
        for (by_variable, index) in base("").zip(0..) {
            let expected = run(&by_variable, &[(key.variable, &value)]).map(|(command, _)| command).unwrap();
            for form in &forms {
                let line = base(form).nth(index).unwrap();
                assert_eq!(run(&line, &[]).map(|(command, _)| command), Ok(expected.clone()), "{line}");
            }
        }
    }
}

#[test]
fn the_flags_of_the_original_stand_together_as_they_do_there() {
    let words = "--db-host db -db-port 1 --aws-region eu server --fleet x -server-port=1 dht --fullrt -alpha 3";
    let words = run(words, &[]).unwrap();
    let variables = [
        ("PARSEC_DATABASE_HOST", "db"),
        ("PARSEC_DATABASE_PORT", "1"),
        ("AWS_REGION", "eu"),
        ("PARSEC_SERVER_FLEET", "x"),
        ("PARSEC_SERVER_SERVER_PORT", "1"),
        ("PARSEC_SERVER_DHT_FULLRT", "TRUE"),
        ("PARSEC_SERVER_DHT_ALPHA", "3"),
    ];
    assert_eq!(words, run("server dht", &variables).unwrap());
    assert_eq!(words, run("server", &variables).unwrap());
    assert_eq!(words.1, []);
}

#[test]
fn the_compose_files_of_the_original_start_without_a_warning() {
    let database = [
        ("PARSEC_DEBUG", "true"),
        ("PARSEC_TELEMETRY_HOST", "0.0.0.0"),
        ("PARSEC_TELEMETRY_PORT", "6667"),
        ("PARSEC_DATABASE_HOST", "postgres"),
        ("PARSEC_DATABASE_NAME", "parsec_docker"),
        ("PARSEC_DATABASE_PASSWORD", "password"),
        ("PARSEC_DATABASE_USER", "parsec_docker"),
    ];
    let server = [
        ("AWS_REGION", "docker"),
        ("PARSEC_SERVER_SERVER_HOST", "server-1"),
        ("PARSEC_SERVER_SERVER_PORT", "7070"),
        ("PARSEC_SERVER_FLEET", "docker"),
        ("PARSEC_SERVER_STARTUP_DELAY", "10s"),
    ];
    let scheduler = [("PARSEC_SCHEDULER_FLEETS", "docker")];
    for (line, own) in [("server", &server[..]), ("server dht", &server[..]), ("scheduler", &scheduler[..])] {
        let (_, warnings) = run(line, &[&database[..], own].concat()).unwrap();
        assert_eq!(warnings, [], "{line}");
    }
}

#[test]
fn truth_is_written_as_go_reads_it() {
    for (texts, truth) in
        [(["1", "t", "T", "true", "True", "TRUE"], true), (["0", "f", "F", "false", "False", "FALSE"], false)]
    {
        for text in texts {
            let expected = run(&format!("server --fullrt={truth}"), &[]).unwrap();
            assert_eq!(run(&format!("server dht --fullrt={text}"), &[]).unwrap(), expected, "{text}");
            let by_variable = run("server", &[("PARSEC_SERVER_DHT_FULLRT", text)]).unwrap();
            assert_eq!(by_variable, expected, "{text}");
        }
    }
    for text in ["yes", "on", "tRUE", "2", "y"] {
        assert!(run(&format!("server --fullrt={text}"), &[]).is_err(), "{text}");
    }
}

#[test]
fn a_list_in_a_variable_is_separated_by_commas_and_blanks_do_not_count() {
    let by_flag = run("scheduler --fleets default,optprov", &[]);
    assert_eq!(run("scheduler", &[("PARSEC_SCHEDULER_FLEETS", " default , optprov ")]), by_flag);
    assert_eq!(run("scheduler --fleets default --fleets optprov", &[]), by_flag);
    assert_eq!(run("scheduler -fleets default -fleets optprov", &[]), by_flag);
}

#[test]
fn a_server_for_ipni_reads_its_settings_and_says_what_this_build_is_for() {
    let sentence =
        "error: this build measures DHTs only: run `parsec server dht`, or the original's `parsec server ipni`";
    for (place, flag, ..) in CONTRACT.iter().filter(|(place, ..)| *place == Ipni) {
        let key = key(*place, flag);
        let words = format!("server --fleet x ipni --{flag} {}", value(key));
        assert_eq!(run(&words, &[]).unwrap_err(), sentence);
        assert_eq!(run("server ipni", &[(key.variable, &value(key))]).unwrap_err(), sentence);
    }
    let message = run("server ipni", &[("PARSEC_SERVER_IPNI_INDEXER_INTERVAL", "often")]).unwrap_err();
    assert!(message.contains("PARSEC_SERVER_IPNI_INDEXER_INTERVAL: cannot use `often`"), "{message}");
}
