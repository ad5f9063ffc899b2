use crate::tests::{file, run};

/// What is odd about a command line and an environment that can be used, in words.
fn odd(line: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let (_, warnings) = run(line, environment).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_unknown_variable_of_ours_is_pointed_out_with_the_nearest_known_one() {
    assert_eq!(
        odd("server", &[("PARSEC_DATABSE_HOST", "x"), ("PARSEC_SOMETHING_ELSE", "x"), ("HOME", "/")]),
        [
            "environment variable PARSEC_DATABSE_HOST is not known and has no effect; did you mean `PARSEC_DATABASE_HOST`?",
            "environment variable PARSEC_SOMETHING_ELSE is not known and has no effect",
        ]
    );
}

#[test]
fn a_short_flag_that_several_commands_have_is_nothing_odd() {
    for line in ["report -o x.html", "export rounds -o x", "trace --export jsonl -o x", "config report -o x.html"] {
        assert_eq!(odd(line, &[]), [""; 0], "{line}");
    }
}

#[test]
fn a_variable_of_another_command_is_nothing_odd() {
    let environment =
        [("PARSEC_SCHEDULER_FLEETS", "a"), ("PARSEC_SERVER_FULLRT", "true"), ("PARSEC_SERVER_LEVELDB", "/data")];
    assert_eq!(odd("demo", &environment), [""; 0]);
}

#[test]
fn what_kubernetes_sets_for_a_service_is_nobodys_mistake() {
    let links = [
        ("PARSEC_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("PARSEC_SERVER_SERVICE_PORT", "7070"),
        ("PARSEC_SERVER_SERVICE_PORT_HTTP", "7070"),
        ("PARSEC_SERVER_PORT", "tcp://10.0.0.1:7070"),
        ("PARSEC_SERVER_PORT_7070_TCP", "tcp://10.0.0.1:7070"),
        ("PARSEC_SERVER_PORT_7070_TCP_ADDR", "10.0.0.1"),
        ("PARSEC_SERVER_PORT_4001_UDP_PROTO", "udp"),
    ];
    assert_eq!(odd("server", &links), [""; 0]);
    assert_eq!(odd("server", &[("PARSEC_SERVER_PORT", "7070")]).len(), 1, "somebody meant PARSEC_SERVER_SERVER_PORT");
    assert_eq!(
        run("server", &[("PARSEC_DATABASE_PORT", "tcp://10.0.0.2:5432")]).unwrap_err(),
        "error: environment variable PARSEC_DATABASE_PORT: cannot use `tcp://10.0.0.2:5432`: expected a whole number from 1 \
         to 65535; Kubernetes may have set it for a service of that name (enableServiceLinks: false)"
    );
}

#[test]
fn an_older_name_is_pointed_out_once_with_the_current_one() {
    assert_eq!(
        odd("server", &[("PARSEC_SERVER_FULLRT", "true")]),
        ["environment variable PARSEC_SERVER_FULLRT is an older name, still read, of PARSEC_SERVER_DHT_FULLRT"]
    );
    assert_eq!(odd("server --dht-server", &[]), ["flag --dht-server is an older name, still read, of --server-mode"]);
    assert_eq!(odd("server --dht-server dht --dht-server", &[]).len(), 1);
}

#[test]
fn an_older_name_beside_the_current_one_has_no_effect_and_is_told_so() {
    let both = [("PARSEC_SERVER_FULLRT", "true"), ("PARSEC_SERVER_DHT_FULLRT", "false")];
    assert_eq!(
        odd("server", &both),
        ["environment variable PARSEC_SERVER_FULLRT has no effect because PARSEC_SERVER_DHT_FULLRT is set"]
    );
    for line in ["server --server-mode=false --dht-server", "server --server-mode=false dht --dht-server"] {
        assert_eq!(odd(line, &[]), ["flag --dht-server has no effect because --server-mode is set"]);
        let bare = run("server", &[]).unwrap().0;
        assert_eq!(run(line, &[]).unwrap().0, bare, "the current name wins wherever it stands");
    }
}

#[test]
fn settings_with_nothing_behind_them_are_told_so_in_one_sentence() {
    assert_eq!(
        odd("server --firehose-stream events", &[("PARSEC_SERVER_FIREHOSE_BATCH_TIME", "10s")]),
        [
            "flag --firehose-stream and environment variable PARSEC_SERVER_FIREHOSE_BATCH_TIME have no effect: no events are \
             sent to Amazon Data Firehose"
        ]
    );
    let (_dir, path) = file("p.toml", "[server]\nlevel_db = '/data'\n");
    assert_eq!(
        odd(&format!("server --config {}", path.display()), &[("PARSEC_SERVER_INDEXER_HOST", "cid.contact")]),
        [
            "environment variable PARSEC_SERVER_INDEXER_HOST is an older name, still read, of PARSEC_SERVER_IPNI_INDEXER_HOST"
                .to_owned(),
            format!(
                "configuration file {}, key `server.level_db` has no effect: provider records are kept in memory",
                path.display()
            ),
            "environment variable PARSEC_SERVER_INDEXER_HOST has no effect: this build measures DHTs only".to_owned(),
        ]
    );
}

#[test]
fn a_default_that_is_written_out_asks_for_nothing() {
    let environment = [
        ("PARSEC_SERVER_LEVELDB", "./leveldb"),
        ("PARSEC_SERVER_FIREHOSE_REGION", "us-east-1"),
        ("PARSEC_SERVER_FIREHOSE_BATCH_TIME", "0m30s"),
        ("PARSEC_SERVER_FIREHOSE_RPC_EVENTS", "1"),
        ("PARSEC_SERVER_IPNI_INDEXER_INDEX_TIMEOUT", "60s"),
    ];
    assert_eq!(odd("server --firehose-batch-size 500 --firehose-connection-events", &environment), [""; 0]);
    assert_eq!(odd("scheduler --fleets a --routing DHT", &[]), [""; 0]);
}

#[test]
fn a_setting_with_nothing_behind_it_must_still_say_something() {
    for (line, message) in [
        ("server --firehose-batch-time 0", "flag --firehose-batch-time: cannot use `0`: expected a duration longer"),
        ("server --firehose-batch-size many", "flag --firehose-batch-size: cannot use `many`: expected a whole number"),
        ("server --firehose-rpc-events=on", "flag --firehose-rpc-events: cannot use `on`: expected true or false"),
        (
            "server ipni --publisher-port 70000",
            "flag --publisher-port: cannot use `70000`: expected a whole number from",
        ),
        ("server ipni --indexer-interval often", "flag --indexer-interval: cannot use `often`: expected a duration"),
        (
            "server ipni --indexer-host a/b",
            "flag --indexer-host: cannot use `a/b`: expected an IP address or a host name",
        ),
        ("scheduler --fleets a --routing IPNI", "flag --routing: cannot use `IPNI`: this build measures DHTs only"),
    ] {
        let refused = run(line, &[]).unwrap_err();
        assert!(refused.starts_with(&format!("error: {message}")), "{refused}");
    }
}
