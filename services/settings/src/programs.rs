//! The commands: what each does, and which settings it takes.

use std::sync::LazyLock;

use crate::common::{CommonConfig, LogConfig};
use crate::declare::Settings;
use crate::demo::DemoConfig;
use crate::error::ConfigError;
use crate::idle;
use crate::key::{Choice, Key, Section, Used};
use crate::serving::{HealthConfig, SchedulerConfig, ServerConfig};
use crate::show::ShowConfig;
use crate::sources::Sources;
use crate::tools::{
    BenchConfig, CompletionsConfig, ConformanceConfig, MigrateConfig, NetworkConfig, ProvideConfig, RetrieveConfig,
    Shell, SpoolAction, SpoolCommandConfig, TraceConfig,
};
use crate::values::{LogLevel, Value};

/// What there is to say of a command beside its settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) examples: &'static [&'static str],
    /// What may be given without a flag. No command has two.
    pub(crate) argument: Option<Argument>,
    /// Its subcommands that are no commands of their own.
    pub(crate) actions: &'static [Choice],
    /// Settings that it takes without using them.
    idle: &'static [&'static Section],
    /// Whether it shows its results itself, and so logs less unless it is asked to.
    shows_itself: bool,
}

/// What is given without a flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    pub(crate) choices: &'static [Choice],
    pub(crate) help: &'static str,
}

/// Shows its results itself.
const BY_HAND: Facts =
    Facts { name: "", about: "", examples: &[], argument: None, actions: &[], idle: &[], shows_itself: true };

/// Logs what it does.
const LOGGING: Facts = Facts { shows_itself: false, ..BY_HAND };

const fn needed(name: &'static str, help: &'static str) -> Option<Argument> {
    Some(Argument { name, is_required: true, choices: &[], help })
}

const fn optional(name: &'static str, help: &'static str) -> Option<Argument> {
    Some(Argument { name, is_required: false, choices: &[], help })
}

macro_rules! programs {
    ($($(#[$doc:meta])* $program:ident($config:ident) = $facts:expr;)+) => {
        /// A subcommand of the binary.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Program { $($(#[$doc])* $program),+ }

        /// What the process was started to do, with everything that it needs to know.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Command { $($(#[$doc])* $program(Box<$config>)),+ }

        impl Program {
            /// Every subcommand, in the order of the help.
            pub(crate) const ALL: [Self; [$(stringify!($program)),+].len()] = [$(Self::$program),+];

            pub(crate) fn facts(self) -> Facts {
                match self { $(Self::$program => $facts),+ }
            }

            fn sections(self) -> Vec<&'static Section> {
                let mut found = Vec::new();
                match self { $(Self::$program => $config::sections(&mut found)),+ }
                found.extend(self.facts().idle);
                found
            }

            /// Makes of the settings what it needs.
            pub(crate) fn read(self, from: &Sources) -> Result<Command, ConfigError> {
                idle::check(from)?;
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
    /// Show everything at once, on this machine.
    Demo(DemoConfig) = Facts {
        name: "demo",
        about: "Measures a DHT on this machine: peers, servers and scheduler in one process",
        examples: &["parsec demo --peers 50 --rounds 10"],
        ..BY_HAND
    };
    /// Take part in a DHT and measure it on request.
    Server(ServerConfig) = Facts {
        name: "server",
        about: "Takes part in a DHT and measures it on request",
        examples: &[
            "parsec server --fleet default --server-host 0.0.0.0 --db-host db.internal --db-password-file /run/secrets/db",
            "parsec server --fleet fullrt dht --fullrt --database-url sqlite:parsec.db",
        ],
        actions: &[
            ("dht", "Measures provider records in the DHT (the default)"),
            (IPNI, "Ends with a message: this build measures DHTs only"),
        ],
        idle: idle::OF_SERVERS,
        ..LOGGING
    };
    /// Let servers measure, round after round.
    Scheduler(SchedulerConfig) = Facts {
        name: "scheduler",
        about: "Lets the servers of a fleet publish and look up, round after round, and stores what they measured",
        examples: &["parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db"],
        idle: idle::OF_SCHEDULERS,
        ..LOGGING
    };
    /// Ask a server whether it can measure.
    Health(HealthConfig) = Facts {
        name: "health",
        about: "Asks a server whether it can measure: prints OK, or the reason and exits with 1",
        examples: &["parsec health localhost:7070", "parsec health https://10.0.2.100:7070 --tls-ca ca.pem"],
        argument: needed("HOST:PORT", "HTTP API of the server; https://HOST:PORT if it uses TLS"),
        ..LOGGING
    };
    /// Publish once, and show how that went.
    Provide(ProvideConfig) = Facts {
        name: "provide",
        about: "Publishes one provider record and shows how long that took; exits with 1 if it fails",
        examples: &["parsec provide --stay", "parsec provide README.md --strategy optprov --format json | jq .explanation"],
        argument: optional("FILE",
            "File to publish by the sha2-256 of its bytes (`ipfs add` makes another CID); fresh random bytes if not given"),
        ..BY_HAND
    };
    /// Look up once, and show how that went.
    Retrieve(RetrieveConfig) = Facts {
        name: "retrieve",
        about: "Looks for a provider and shows how long that took; exits with 1 if it finds none",
        examples: &[
            "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
            "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4 --bootstrap-peers /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj --protocol-id /local/kad/1.0.0",
        ],
        argument: needed("CID", "What to look for"),
        ..BY_HAND
    };
    /// Show what an operation did that was recorded.
    Trace(TraceConfig) = Facts {
        name: "trace",
        about: "Shows what a recorded operation did, request by request, and where its time went",
        examples: &[
            "parsec trace --database-url sqlite:parsec.db",
            "parsec trace 01890a5d-ac96-774b-bcce-b302099a8057 --database-url sqlite:parsec.db",
        ],
        argument: optional("OPERATION_ID", "Operation to show; lists the newest if not given"),
        ..BY_HAND
    };
    /// Bring the database up to date.
    Migrate(MigrateConfig) = Facts {
        name: "migrate",
        about: "Brings the database up to date, which servers and schedulers otherwise do when they start",
        examples: &[
            "parsec migrate --db-host db.internal --db-user owner --db-password-file /run/secrets/owner",
            "parsec migrate --print > parsec.sql",
            "parsec migrate --print --database-url sqlite:parsec.db | sqlite3 parsec.db",
        ],
        ..BY_HAND
    };
    /// Look after rows that wait for the database.
    Spool(SpoolCommandConfig) = Facts {
        name: "spool",
        about: "Looks after rows that wait on disk for the database",
        examples: &[
            "parsec spool list",
            "parsec spool verify --spool-dir /var/lib/parsec/spool",
            "parsec spool replay --spool-dir /var/lib/parsec/spool --database-url sqlite:parsec.db",
        ],
        actions: SpoolAction::CHOICES,
        ..BY_HAND
    };
    /// Check whether a server keeps the contract.
    Conformance(ConformanceConfig) = Facts {
        name: "conformance",
        about: "Checks whether a server, in whatever language, keeps the HTTP contract; exits with 1 if it does not",
        examples: &["parsec conformance http://localhost:7070", "parsec conformance http://10.0.2.100:7070 --format json"],
        argument: needed("URL", "HTTP API of the server, as http://HOST:PORT or https://HOST:PORT"),
        ..BY_HAND
    };
    /// Compare strategies on a simulated network.
    Bench(BenchConfig) = Facts {
        name: "bench",
        about: "Compares strategies on a simulated network of real libp2p peers, on this machine",
        examples: &[
            "parsec bench --strategies classic,optprov",
            "parsec bench --peers 500 --rtt 100ms --undialable 0.15 --operations 100 --seed 1 --format csv > bench.csv",
        ],
        ..BY_HAND
    };
    /// Be a DHT for servers of their own processes.
    Network(NetworkConfig) = Facts {
        name: "network",
        about: "Runs a local DHT that servers in other processes can join; prints its protocol id and its bootstrap peers",
        examples: &["parsec network", "parsec network --peers 50 --peer-host 192.0.2.1 --peer-port 4100"],
        ..LOGGING
    };
    /// Show the settings.
    Config(ShowConfig) = Facts {
        name: "config",
        about: "Shows the settings that a command would use, and where each value comes from; fails if the command would",
        examples: &[
            "parsec config server --fleet default --optprov",
            "parsec config --format toml scheduler --fleets default > parsec.toml",
            "parsec config --schema | jq '.[].variable'",
        ],
        ..BY_HAND
    };
    /// Print a script that completes command lines.
    Completions(CompletionsConfig) = Facts {
        name: "completions",
        about: "Prints a completion script for a shell",
        examples: &[
            "parsec completions bash > /etc/bash_completion.d/parsec",
            "parsec completions zsh > \"${fpath[1]}/_parsec\"",
            "parsec completions fish > ~/.config/fish/completions/parsec.fish",
        ],
        argument: Some(Argument {
            name: "SHELL", is_required: true, choices: Shell::CHOICES, help: "Shell to complete command lines in",
        }),
        ..BY_HAND
    };
}

/// The subcommand of `server` that is not for DHTs.
pub(crate) const IPNI: &str = "ipni";

impl Program {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        self.facts().name
    }

    /// The subcommand of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.name() == name)
    }

    /// The settings that it uses.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        self.used().flat_map(|section| section.keys)
    }

    /// Their sections.
    pub(crate) fn used(self) -> impl Iterator<Item = &'static Section> {
        table().iter().filter(move |used| used.by.contains(&self.name())).map(|used| used.section)
    }
}

impl Command {
    /// What it logs. Those that show their results themselves keep quiet unless they are asked to speak.
    pub fn log(&self) -> LogConfig {
        let (program, common) = self.common();
        match common.log() {
            log if program.facts().shows_itself && log.level == LogLevel::Info => {
                LogConfig { level: LogLevel::Warn, ..log }
            }
            log => log,
        }
    }
}

/// Every section of settings, and the commands that use it.
pub(crate) fn table() -> &'static [Used] {
    static TABLE: LazyLock<Vec<Used>> = LazyLock::new(|| {
        let mut table: Vec<Used> = Vec::new();
        for program in Program::ALL {
            for section in program.sections() {
                match table.iter_mut().find(|used| used.section == section) {
                    Some(used) if used.by.contains(&program.name()) => {}
                    Some(used) => used.by.push(program.name()),
                    None => table.push(Used { section, by: vec![program.name()] }),
                }
            }
        }
        table
    });
    &TABLE
}

/// Every setting, in the order of the table.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    table().iter().flat_map(|used| used.section.keys)
}
