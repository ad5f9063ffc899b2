//! What to give each setting and each command in a test that tries all of them.

use crate::programs::Program;
use parsec_layers::{Key, Kind};

/// A value for a setting that is not its default.
pub(crate) fn sample(key: &Key, secret_file: &str) -> String {
    match (key.kind, key.placeholder) {
        (Kind::Switch, _) => (key.default != Some("true")).to_string(),
        (Kind::Number, _) if key.name == "bench.peers" => "60".to_owned(),
        (Kind::Number, _) => "6".to_owned(),
        (Kind::Decimal, _) => "0.25".to_owned(),
        (_, "HOST" | "IP") => "10.1.2.3".to_owned(),
        (_, "DURATION") if key.name == "bench.rtt" => "70ms".to_owned(),
        (_, "DURATION") => "7s".to_owned(),
        (_, "URI") => "http://10.1.2.3/v4".to_owned(),
        (_, "JSON") => r#"{"Limits":{"CPU":2}}"#.to_owned(),
        (_, "URL") => "sqlite:x.db".to_owned(),
        (_, "MODE") => "require".to_owned(),
        (_, "FORMAT") if key.name == "export.format" => "csv".to_owned(),
        (_, "FORMAT") if key.name == "report.format" => "markdown".to_owned(),
        (_, "FORMAT") => "json".to_owned(),
        (_, "DIRECTIVES") => "libp2p_kad=debug".to_owned(),
        (_, "FILE") => secret_file.to_owned(),
        (_, "TOKEN") => "something-else-that-is-long-enough".to_owned(),
        (_, "MULTIADDRS") => "/ip4/1.2.3.4/tcp/1/p2p/12D3KooW".to_owned(),
        (_, "STRATEGY" | "NAMES") => "fullrt".to_owned(),
        (_, "STRATEGIES") => "libp2p,classic".to_owned(),
        (_, "SIZE") => "20MiB".to_owned(),
        (_, "TRANSPORT") => "quic".to_owned(),
        (_, "LATENCY") => "50ms".to_owned(),
        (_, "PROTOCOLS") => "/x/kad/1.0.0".to_owned(),
        (_, "WHICH") => "dial".to_owned(),
        (_, "WHEN") => "2026-11-20".to_owned(),
        (_, "MANNER") => "sweep".to_owned(),
        (_, "KIND") => "retrieve".to_owned(),
        (_, "DIMENSIONS") => "region,day".to_owned(),
        (_, "AGE") => "70d".to_owned(),
        (_, "OUTCOMES") => "timeout,not_found".to_owned(),
        (_, "EXPORT") => "jsonl".to_owned(),
        (_, "LIMIT") => "failures>2%".to_owned(),
        (_, "SIDE") => "fleet=other".to_owned(),
        (_, "NAME=VALUES") => "alpha=3,5".to_owned(),
        (_, "NAME|FILE") if key.name.ends_with(".scenario") => "merge".to_owned(),
        (_, "NAME|FILE") => "amino-2022".to_owned(),
        (_, "SHARE") => "7%".to_owned(),
        (_, "LOW-HIGH") => "7-70".to_owned(),
        _ => "something-else".to_owned(),
    }
}

/// The least that one has to say besides, to set `key` of `program`.
pub(crate) fn base(program: Program, key: &Key) -> &'static str {
    match program {
        Program::Scheduler if key.name != "scheduler.fleets" => "scheduler --fleets base",
        // One means nothing without the other.
        Program::Server if key.name == "server.tls_cert" => "server --server-tls-key x.key",
        Program::Server if key.name == "server.tls_key" => "server --server-tls-cert x.pem",
        Program::Doctor if key.name == "server.tls_cert" => "doctor --server-tls-key x.key",
        Program::Doctor if key.name == "server.tls_key" => "doctor --server-tls-cert x.pem",
        // Silent peers and strategy libp2p, which is one of the defaults, go together on real time only.
        Program::Bench if key.name == "bench.silent" => "bench --transport tcp",
        Program::Demo if ["demo.days", "demo.scenario", "demo.database_url"].contains(&key.name) => {
            "demo --world amino-2022"
        }
        Program::Bench if key.name == "bench.keys" => "bench --world amino-2022",
        Program::Bench if key.name == "bench.scan" => "bench --world amino-2022",
        Program::Bench if key.name == "bench.scenario" => "bench --world amino-2022",
        Program::Bench if key.name == "bench.chart" => "bench --world amino-2022 --scan alpha=3,5",
        Program::Compare if key.name == "compare.a" => "compare --b fleet=base",
        Program::Compare if key.name == "compare.b" => "compare --a fleet=base",
        Program::Compare => "compare --a fleet=base --b fleet=next",
        Program::Prune if key.name != "prune.keep" => "prune --keep 90d",
        Program::Check if key.name != "check.fail_if" => "check --fail-if failures>1%",
        // Which settings there are does not depend on their values.
        Program::Provide if key.name == "provide.manner" => "provide --cids keys.txt",
        Program::Config if key.name == "show.schema" => "config",
        program => bare(program),
    }
}

/// A command with what it must be told as an argument.
pub(crate) fn bare(program: Program) -> &'static str {
    match program {
        Program::Health => "health localhost:7070",
        Program::Conformance => "conformance http://localhost:7070",
        Program::Config => "config --schema",
        Program::Completions => "completions bash",
        Program::Spool => "spool list",
        Program::Export => "export rounds",
        Program::Retrieve => "retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
        program => program.name(),
    }
}
