//! What parsec says to what it cannot use: an exit code, and a sentence that names the place, the value and the remedy.

use std::net::{Ipv4Addr, TcpListener};

use crate::process::Process;
use crate::stage::Stage;

/// Environment, command line, and what standard error has to name.
type Case = (&'static [(&'static str, &'static str)], &'static str, &'static [&'static str]);

const UNUSABLE_SETTINGS: &[Case] = &[
    (
        &[],
        "server --server-port 40000",
        &["flag --server-port", "`40000`", "up to 32767", "nodes_ecs.server_port, a SMALLINT"],
    ),
    (
        &[],
        "server --peer-port 40000",
        &["flag --peer-port", "`40000`", "up to 32767", "nodes_ecs.peer_port, a SMALLINT"],
    ),
    (
        &[("PARSEC_SERVER_SERVER_PORT", "40000")],
        "server",
        &["environment variable PARSEC_SERVER_SERVER_PORT", "`40000`"],
    ),
    (&[], "server --fleat default", &["unexpected argument '--fleat'", "--fleet"]),
    (&[], "scheduler --fleets default,,x", &["flag --fleets", "`default,,x`", "empty"]),
    (&[], "scheduler", &["no FLEETS given", "--fleets", "PARSEC_SCHEDULER_FLEETS"]),
    (
        &[("PARSEC_SCHEDULER_INTERVAL", "soon")],
        "scheduler --fleets default",
        &["environment variable PARSEC_SCHEDULER_INTERVAL", "`soon`", "1m30s"],
    ),
    (
        &[],
        "scheduler --fleets default --database-url mysql://parsec:geheim@db/parsec",
        &["flag --database-url", "postgres://"],
    ),
    (&[], "server --bootstrap-peers nonsense", &["flag --bootstrap-peers", "`nonsense`", "/ip4/192.0.2.1/tcp/4001"]),
    (&[], "server --bootstrap-peers /ip4/127.0.0.1/tcp/4001", &["`/ip4/127.0.0.1/tcp/4001`", "/p2p/"]),
    (&[], "health localhost", &["argument HOST:PORT", "`localhost`", "localhost:7070"]),
    (&[], "demo --servers 1", &["flag --servers", "`1`", "from 2 to"]),
    (&[], "demo --peers 0", &["flag --peers", "`0`", "from 1 to"]),
    (&[], "server --fullrt --strategy classic", &["flag --strategy and flag --fullrt are both set"]),
    (&[], "provide --fullrt --optprov", &["flag --fullrt and flag --optprov are both set"]),
    (&[], "provide --strategy fast", &["flag --strategy", "`fast`", "classic, optprov, fullrt, libp2p"]),
    (&[], "provide --server-mode", &["unexpected argument '--server-mode'"]),
    (&[], "retrieve", &["<CID>"]),
    (&[], "retrieve Qmnonsense", &["argument CID", "`Qmnonsense`", "a CIDv0 has 46 characters", "multibase CIDv1"]),
    (
        &[],
        "retrieve f01551220abababababababababababababababababababababababababababababababab00",
        &["argument CID", "a byte follows its multihash"],
    ),
    (&[], "retrieve f015500030102", &["argument CID", "its digest should have 3 bytes, and has 2"]),
    (&[], "retrieve /ipfs/QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4", &["argument CID", "it is a path"]),
    (&[], "trace newest", &["argument OPERATION_ID", "`newest`", "UUID"]),
    (&[], "bench --rtt 10s", &["flag --rtt", "`10s`", "the 10 s that it is given", "at most 1s"]),
    (&[], "bench --rtt 0.9ms", &["flag --rtt", "`0.9ms`", "whole milliseconds", "1ms at least"]),
    (&[], "bench --undialable 1", &["flag --undialable", "`1`", "from 0 to 0.9"]),
    (
        &[],
        "bench --strategies classic,nonsense",
        &["flag --strategies", "`nonsense`", "classic, optprov, fullrt, libp2p"],
    ),
    (&[], "bench --strategies classic,classic", &["flag --strategies", "`classic` stands there twice"]),
    (&[], "demo --latency slow", &["flag --latency", "`slow`", "`realistic`, `none`, or a round trip"]),
    (&[], "server ipni", &["this build measures DHTs only", "parsec server dht"]),
    (&[], "config server --server-port 40000", &["flag --server-port", "`40000`", "up to 32767"]),
    (&[], "completions tcsh", &["argument SHELL", "`tcsh`", "bash, zsh, fish"]),
    (
        &[("ECS_CONTAINER_METADATA", "{\"Networks\": \"awsvpc\"}")],
        "server",
        &["environment variable ECS_CONTAINER_METADATA", "`Networks` is \"awsvpc\"; expected an array"],
    ),
    (
        &[("ECS_CONTAINER_METADATA_URI_V4", "nowhere")],
        "server",
        &["environment variable ECS_CONTAINER_METADATA_URI_V4", "`nowhere`", "http://169.254.170.2/v4/"],
    ),
    (&[], "measure", &["unrecognized subcommand 'measure'"]),
];

/// What turns out only when it is tried. None of them needs a database, but for the one that misses it.
const STARTS_THAT_FAIL: &[Case] = &[
    (
        &[],
        "scheduler --fleets default --telemetry-port 0 --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/measurements",
        &["database", "127.0.0.1:1", "measurements", "waited for 1s"],
    ),
    (
        &[("PARSEC_DATABASE_PASSWORD", "geheim"), ("PARSEC_DATABASE_PORT", "1"), ("PARSEC_DATABASE_HOST", "127.0.0.1")],
        "server --server-port 0 --peer-port 0 --telemetry-port 0 --database-wait 1s",
        &["database", "127.0.0.1:1", "parsec", "waited for 1s"],
    ),
    (
        &[],
        "server --dry-run --telemetry-port 0 --server-port 0 --network nonet",
        &["unknown network `ipfs/nonet`", "filecoin/calibnet"],
    ),
    (
        &[("ECS_CONTAINER_METADATA", "{\"Networks\": [{\"NetworkMode\": \"bridge\"}]}")],
        "server --dry-run --telemetry-port 0 --server-port 0 --peer-port 0",
        &["no IPv4 address of an awsvpc network (networks: bridge)", "--advertise-ip"],
    ),
    (&[], "provide --network nonet", &["unknown network `ipfs/nonet`", "filecoin/calibnet"]),
    (&[], "provide --protocol-id /x/kad/1.0.0", &["no bootstrap peers are known", "/x/kad/1.0.0", "--bootstrap-peers"]),
    (&[], "provide /nowhere/file", &["cannot read /nowhere/file", "No such file"]),
    (
        &[],
        "results --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/x",
        &["waited for 1s", "trying again"],
    ),
    (&[], "trace --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/x", &["waited for 1s"]),
    (&[], "incidents --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/x", &["waited for 1s"]),
    (&[], "export rounds --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/x", &["waited for 1s"]),
    (&[], "prune --keep 2d --database-wait 1s --database-url postgres://ann:geheim@127.0.0.1:1/x", &["waited for 1s"]),
    (&[], "trace --database-url sqlite:/nowhere/parsec.db", &["/nowhere/parsec.db", "no such file"]),
    (
        &[],
        "server --dry-run --telemetry-port 0 --server-port 0 --peer-port 0 --bootstrap-peers /ip4/127.0.0.1/tcp/4001/p2p/nobody",
        &["bootstrap peer `/ip4/127.0.0.1/tcp/4001/p2p/nobody`"],
    ),
];

async fn each_ends_with(code: i32, cases: &[Case]) {
    let stage = Stage::begin();
    // All at once: none of them waits for another.
    let started = cases.iter().map(|(variables, line, parts)| {
        let args: Vec<_> = line.split(' ').collect();
        (Process::start_with(&stage, variables, &args), line, parts)
    });
    for (process, line, parts) in started.collect::<Vec<_>>() {
        let ended = process.end().await;
        assert_eq!(ended.code(), code, "{line}");
        assert_eq!(ended.out, Vec::<String>::new(), "{line}");
        for part in *parts {
            assert!(ended.err.contains(part), "`{line}` does not say `{part}` but:\n{}", ended.err);
        }
        assert!(!ended.err.contains("geheim"), "`{line}` tells a password:\n{}", ended.err);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_with_what_would_be_right() {
    each_ends_with(2, UNUSABLE_SETTINGS).await;
}

#[tokio::test]
async fn a_start_that_fails_says_what_stood_in_the_way() {
    each_ends_with(1, STARTS_THAT_FAIL).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_it_was_for() {
    let stage = Stage::begin();
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    // In the range that fits into the database.
    let ours = (20_000..=32_767).find_map(bind).expect("one of thousands of ports is free");
    let taken = ours.local_addr().unwrap().port().to_string();
    for (flag, other, what) in
        [("--server-port", "--telemetry-port", "HTTP API"), ("--telemetry-port", "--server-port", "telemetry")]
    {
        let args = ["server", "--dry-run", "--peer-port", "0", other, "0", flag, &taken];
        let ended = Process::start(&stage, &args).end().await;
        assert_eq!(ended.code(), 1);
        assert!(ended.err.contains(&format!("{what}: cannot listen on 127.0.0.1:{taken}")), "{}", ended.err);
        assert!(ended.err.contains("in use"), "{}", ended.err);
    }
}
