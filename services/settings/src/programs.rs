//! The commands: what each does, and which settings it takes.

use std::sync::LazyLock;

use parsec_layers::{App, Command as Declared, ConfigError, Sources, Used};

use crate::bench::BenchConfig;
use crate::check::CheckConfig;
use crate::common::{CommonConfig, LogConfig};
use crate::declare::{PREFIX, Settings};
use crate::demo::DemoConfig;
use crate::doctor::DoctorConfig;
use crate::keeping::{ExportConfig, PruneConfig};
use crate::page::PageConfig;
use crate::report::ReportConfig;
use crate::results::{CompareConfig, IncidentsConfig, PlanConfig, ResultsConfig};
use crate::serving::{HealthConfig, SchedulerConfig, ServerConfig};
use crate::show::ShowConfig;
use crate::tools::{
    CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, ProvideConfig, RetrieveConfig, SpoolAction,
    SpoolCommandConfig,
};
use crate::traces::{ExplainConfig, PeersConfig, TraceConfig};
use crate::values::{LogLevel, Value};

/// Declares the commands: their settings, name and what they do, what else there is to say, and examples.
macro_rules! programs {
    ($($program:ident($config:ident) = $name:literal: $about:literal
        $(.$detail:ident($($given:expr),*))* [$($example:literal),+];)+) => {
        /// A subcommand of the binary.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Program { $(#[doc = $about] $program),+ }

        /// What the process was started to do, with everything that it needs to know.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Command { $(#[doc = $about] $program(Box<$config>)),+ }

        impl Program {
            /// Every subcommand, in the order of the help.
            pub(crate) const ALL: [Self; [$(stringify!($program)),+].len()] = [$(Self::$program),+];

            fn declaration(self) -> Declared {
                match self {
                    $(Self::$program => {
                        let mut sections = Vec::new();
                        $config::sections(&mut sections);
                        let (name, about, examples) = ($name, $about, &[$($example),+]);
                        Declared { name, about, examples, sections, ..Declared::default() }$(.$detail($($given),*))*
                    })+
                }
            }

            /// Makes of the settings what it needs.
            pub(crate) fn read(self, from: &Sources) -> Result<Command, ConfigError> {
                Ok(match self { $(Self::$program => Command::$program(Box::new($config::read(from)?))),+ })
            }
        }

        impl Command {
            fn common(&self) -> (Program, &CommonConfig) {
                match self { $(Self::$program(config) => (Program::$program, &config.common)),+ }
            }
        }
    };
}

programs! {
    Demo(DemoConfig) = "demo": "Measures a DHT on this machine: peers, servers and scheduler in one process"
        ["parsec demo --peers 50 --rounds 10"];
    Server(ServerConfig) = "server": "Takes part in a DHT and measures it on request"
        .logging()
        .ending_with_codes()
        .actions(&[
            ("dht", "Measures provider records in the DHT (the default)"),
            (IPNI, "Ends with a message: this build measures DHTs only")
        ])
        ["parsec server --fleet default --server-host 0.0.0.0 --db-host db.internal --db-password-file /run/secrets/db",
         "parsec server --fleet fullrt dht --fullrt --database-url sqlite:parsec.db"];
    Scheduler(SchedulerConfig) = "scheduler":
        "Lets the servers of a fleet publish and look up, round after round, and stores what they measured"
        .logging()
        .ending_with_codes()
        ["parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db"];
    Health(HealthConfig) = "health": "Asks a server whether it can measure: prints OK, or the reason and exits with 1"
        .logging()
        .argument("HOST:PORT", true, "HTTP API of the server; https://HOST:PORT if it uses TLS")
        ["parsec health localhost:7070", "parsec health https://10.0.2.100:7070 --tls-ca ca.pem"];
    Provide(ProvideConfig) = "provide": "Publishes a provider record, or many, and shows how long that took; exits with 1 if one is at no peer"
        .argument("FILE", false,
            "File to publish by the sha2-256 of its bytes (`ipfs add` makes another CID); fresh random bytes if not given")
        ["parsec provide --stay", "parsec provide README.md --strategy optprov --format json | jq .explanation",
         "parsec provide --cids keys.txt --manner sweep --format json | jq .keys_failed"];
    Retrieve(RetrieveConfig) = "retrieve": "Looks for a provider and shows how long that took; exits with 1 if it finds none"
        .argument("CID", true, "What to look for")
        ["parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
         "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4 --bootstrap-peers /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj --protocol-id /local/kad/1.0.0"];
    Trace(TraceConfig) = "trace": "Shows what a recorded operation did, request by request, and where its time went"
        .argument("OPERATION_ID", false,
            "Operation to show, by its id or the beginning or end of it; `diff A B` shows two side by side; lists the newest if not given")
        .words(3)
        ["parsec trace --database-url sqlite:parsec.db", "parsec trace 099a8057 --database-url sqlite:parsec.db",
         "parsec trace --slowest 10 --since 24h --kind provide", "parsec trace --outcome timeout,not_found --fleet optprov",
         "parsec trace diff 099a8057 bcce1f03", "parsec trace --slowest 10 --export perfetto -o slowest.json"];
    Explain(ExplainConfig) = "explain": "Says what the time of many operations went to, by what they have in common, or that of one operation"
        .argument("OPERATION_ID", false, "Operation to explain, by its id or the beginning or end of it; adds up all that are selected if not given")
        ["parsec explain --since 7d --by fleet,region", "parsec explain --kind provide --by day --format csv > days.csv",
         "parsec explain 099a8057 --database-url sqlite:parsec.db"];
    Peers(PeersConfig) = "peers": "Says which peers of the DHT cost the most time, and how requests to them failed"
        ["parsec peers --worst 20 --since 7d", "parsec peers --kind provide --addresses --format json"];
    Results(ResultsConfig) = "results":
        "Says what was measured: how many attempts, how many succeeded, how long they took, and how sure that is"
        ["parsec results --since 7d --by fleet,region --database-url sqlite:parsec.db",
         "parsec results --kind provide --by fleet,day --format csv > provides.csv"];
    Compare(CompareConfig) = "compare": "Compares two groups of measurements: is one faster, and how sure is that?"
        ["parsec compare --a fleet=default --b fleet=optprov --since 7d",
         "parsec compare --a since=14d,until=7d --b since=7d --fleet default --by region --margin 10%",
         "parsec compare --a-file main.json --b-file branch.json"];
    Check(CheckConfig) = "check":
        "Checks limits, for CI: exits with 0 if they are kept, 99 if one is crossed, 3 if there are too few measurements to tell"
        ["parsec check --fail-if 'provide.p90{fleet=optprov} > 2s' --fail-if 'failures > 1%' --since 24h",
         "parsec check --file branch.json --baseline main.json --fail-if 'provide.p50 > +10%' --junit check.xml"];
    Export(ExportConfig) = "export": "Writes measurements into files that other programs read, with a data dictionary"
        .argument("TABLE", true, "What to take along")
        .offering(<parsec_store::Dataset as Value>::CHOICES)
        ["parsec export operations --since 30d -o data", "parsec export requests --fleet optprov --format csv -o data --database-url sqlite:parsec.db"];
    Prune(PruneConfig) = "prune": "Says which measurements are older than they have to be kept, and deletes them if it is told to"
        ["parsec prune --keep 90d --database-url sqlite:parsec.db",
         "parsec prune --keep 90d --yes --db-host db.internal --db-user owner --db-password-file /run/secrets/owner"];
    Report(ReportConfig) = "report": "Writes what a period comes to as one page: verdicts, figures, charts, failures, caveats"
        ["parsec report --since 7d -o report.html --database-url sqlite:parsec.db",
         "parsec report --since 2026-11-01 --until 2026-12-01 --format markdown > november.md"];
    Page(PageConfig) = "page": "Shows what was measured as pages in a browser, which change while it is measured"
        .logging()
        ["parsec page --database-url sqlite:parsec.db",
         "parsec page --page-port 8080 --db-host db.internal --db-user reader --db-password-file /run/secrets/reader"];
    Plan(PlanConfig) = "plan": "Says how many rounds it takes to see a difference, by how much those that were measured vary"
        ["parsec plan --to-see 20% --since 7d --database-url sqlite:parsec.db",
         "parsec plan --to-see 5% --kind provide --by fleet,region"];
    Incidents(IncidentsConfig) = "incidents":
        "Says what happened: outages, servers lost and back, rounds skipped, bursts of failures, shifts of p90, each with times"
        ["parsec incidents --since 12h --database-url sqlite:parsec.db",
         "parsec incidents --since 7d --fleet default --format json | jq '.[].said'"];
    Doctor(DoctorConfig) = "doctor":
        "Checks what a server or scheduler with the same settings would find: ports, database, clock, peers, disk; exits with 1 if something is wrong"
        ["parsec doctor --fleet default --db-host db.internal --db-password-file /run/secrets/db",
         "parsec doctor --config parsec.toml --format json | jq '.[] | select(.level != \"ok\")'"];
    Migrate(MigrateConfig) = "migrate": "Brings the database up to date, which servers and schedulers otherwise do when they start"
        ["parsec migrate --db-host db.internal --db-user owner --db-password-file /run/secrets/owner",
         "parsec migrate --print > parsec.sql", "parsec migrate --print --database-url sqlite:parsec.db | sqlite3 parsec.db"];
    Spool(SpoolCommandConfig) = "spool": "Looks after rows that wait on disk for the database"
        .one_of(SpoolAction::CHOICES, "replay", "Database")
        ["parsec spool list", "parsec spool verify --spool-dir /var/lib/parsec/spool",
         "parsec spool replay --spool-dir /var/lib/parsec/spool --database-url sqlite:parsec.db"];
    Conformance(ConformanceConfig) = "conformance":
        "Checks whether a server, in whatever language, keeps the HTTP contract; exits with 1 if it does not"
        .argument("URL", true, "HTTP API of the server, as http://HOST:PORT or https://HOST:PORT")
        ["parsec conformance http://localhost:7070", "parsec conformance http://10.0.2.100:7070 --format json"];
    Bench(BenchConfig) = "bench": "Compares strategies on this machine: on a local network of real libp2p peers, or in a simulated world"
        ["parsec bench --strategies classic,optprov",
         "parsec bench --peers 500 --rtt 100ms --undialable 0.15 --operations 100 --seed 1 --format csv > bench.csv",
         "parsec bench --networks 40 --operations 10 --save main.json",
         "parsec bench --world amino-2022 --operations 10000 --seed 1"];
    Network(NetworkConfig) = "network":
        "Runs a local DHT that servers in other processes can join; prints its protocol id and its bootstrap peers"
        .logging()
        ["parsec network", "parsec network --peers 50 --peer-host 192.0.2.1 --peer-port 4100"];
    Config(ShowConfig) = "config":
        "Shows the settings that a command would use, and where each value comes from; fails if the command would"
        .describing()
        ["parsec config server --fleet default --optprov",
         "parsec config --format toml scheduler --fleets default > parsec.toml", "parsec config --schema | jq '.[].variable'"];
    Completions(CompletionsConfig) = "completions": "Prints a completion script for a shell"
        .argument("SHELL", true, "Shell to complete command lines in")
        .offering(<parsec_layers::Shell as Value>::CHOICES)
        ["parsec completions bash > /etc/bash_completion.d/parsec",
         "parsec completions zsh > \"${fpath[1]}/_parsec\"",
         "parsec completions fish > ~/.config/fish/completions/parsec.fish"];
}

/// The subcommand of `server` that is not for DHTs.
pub(crate) const IPNI: &str = "ipni";

impl Program {
    /// What is declared of it.
    pub(crate) fn declared(self) -> &'static Declared {
        &app().commands[self as usize]
    }

    /// The one of which this is declared.
    pub(crate) fn declared_as(declared: &Declared) -> Self {
        let found = Self::ALL.into_iter().find(|program| program.declared().name == declared.name);
        found.expect("the commands of the table are ours")
    }
}

impl Command {
    /// What it logs. Those that show their results themselves keep quiet unless they are asked to speak.
    pub fn log(&self) -> LogConfig {
        let (program, common) = self.common();
        match common.log() {
            log if !program.declared().logs && log.level == LogLevel::Info => {
                LogConfig { level: LogLevel::Warn, ..log }
            }
            log => log,
        }
    }
}

/// What is declared of the binary: every command and every setting.
pub(crate) fn app() -> &'static App {
    static APP: LazyLock<App> = LazyLock::new(|| {
        let commands: Vec<_> = Program::ALL.into_iter().map(Program::declaration).collect();
        App {
            name: "parsec",
            about: "Measures how fast a libp2p Kademlia DHT publishes and finds provider records",
            hint: "Without installing anything else, see it at work:\n  parsec demo",
            prefix: PREFIX,
            table: Used::all(&commands),
            commands,
        }
    });
    &APP
}

#[cfg(test)]
mod tables;
#[cfg(test)]
pub(crate) use tables::{keys, table};
