//! The command line as clap knows it, made from the table of settings.

use clap::{Arg, ArgAction};

use crate::declared::{DATABASE_HEADING, SECTIONS};
use crate::key::{Key, Kind, Program, Secrecy};
use crate::values::SpoolAction;

/// What the binary says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// Its version, and what it was built from.
    pub version: &'static str,
    /// With which codes `server` and `scheduler` end, and what each means.
    pub exit_codes: &'static [(u8, &'static str)],
}

/// What the binary is called.
pub(super) const NAME: &str = "parsec";

/// The subcommand of `server` that is not for DHTs.
pub(super) const IPNI: &str = "ipni";

/// How clap knows the flag `--schema`. It says what to do, so it is no setting.
pub(super) const SCHEMA: &str = "schema";

/// How clap knows the flag `--format`. Some commands have a setting of that name, and take it after their own.
pub(super) const FORMAT: &str = "show.format";

/// How clap knows a flag: the current one by the name of its setting, an older one by its own.
pub(super) fn id(key: &'static Key, flag: &'static str) -> &'static str {
    if flag == key.flag { key.name } else { flag }
}

/// How clap knows the argument without a flag. No command has two.
pub(super) const ARGUMENT: &str = "argument";

/// The argument of a command that has one.
pub(super) fn argument(program: Program) -> Option<Arg> {
    let (name, required, help) = match program {
        Program::Health => ("HOST:PORT", true, "HTTP API of the server; https://HOST:PORT if it uses TLS"),
        Program::Provide => (
            "FILE",
            false,
            "File to publish by the sha2-256 of its bytes (`ipfs add` makes another CID); fresh random bytes if not given",
        ),
        Program::Retrieve => ("CID", true, "What to look for"),
        Program::Trace => ("OPERATION_ID", false, "Operation to show; lists the newest if not given"),
        Program::Conformance => ("URL", true, "HTTP API of the server, as http://HOST:PORT or https://HOST:PORT"),
        Program::Completions => ("SHELL", true, "Shell to complete command lines in: bash, zsh or fish"),
        Program::Server
        | Program::Scheduler
        | Program::Migrate
        | Program::Spool
        | Program::Bench
        | Program::Demo
        | Program::Network
        | Program::Config => {
            return None;
        }
    };
    Some(Arg::new(ARGUMENT).value_name(name).required(required).help(help))
}

pub(super) fn command_line(binary: &Binary) -> clap::Command {
    let globals = SECTIONS.iter().filter(|section| section.global);
    let globals = globals.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading)));
    let root = clap::Command::new(NAME)
        .version(binary.version)
        .about("Measures how fast a libp2p Kademlia DHT publishes and finds provider records")
        .after_help("Without installing anything else, see it at work:\n  parsec demo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .next_line_help(true)
        // `parsec` alone and `parsec -h` are about the commands; `parsec --help` shows what may stand before all of them.
        .args(globals.map(|arg| arg.hide_short_help(true)));
    Program::ALL.into_iter().fold(root, |root, program| root.subcommand(subcommand(program, binary)))
}

fn subcommand(program: Program, binary: &Binary) -> clap::Command {
    let (about, examples) = about(program);
    let heading = if examples.len() == 1 { "Example" } else { "Examples" };
    let plain = with_settings(clap::Command::new(program.name()).about(about), program)
        .args(argument(program))
        .after_help(format!("{heading}:\n  {}{}", examples.join("\n  "), exit_codes(program, binary)));
    match program {
        Program::Server => {
            let dht = clap::Command::new("dht").about("Measures provider records in the DHT (the default)");
            let ipni = clap::Command::new(IPNI).about("Ends with a message: this build measures DHTs only");
            plain.subcommand(with_settings(dht, program)).subcommand(with_settings(ipni, program))
        }
        Program::Spool => with_actions(plain),
        Program::Config => with_programs(plain, binary),
        _ => plain,
    }
}

/// What can be done with a spool.
fn with_actions(spool: clap::Command) -> clap::Command {
    let actions = [
        (SpoolAction::List, "Says where rows wait, and how many"),
        (SpoolAction::Verify, "Reads every row that waits; exits with 1 if some are damaged"),
        (SpoolAction::Replay, "Writes the rows that no running process looks after to the database"),
    ];
    actions.into_iter().fold(spool.subcommand_required(true), |spool, (action, about)| {
        let command = with_settings(clap::Command::new(action.as_str()).about(about), Program::Spool);
        let writes = action == SpoolAction::Replay;
        spool.subcommand(command.mut_args(|arg| {
            let needed = writes || arg.get_help_heading() != Some(DATABASE_HEADING);
            if needed { arg } else { arg.hide(true) }
        }))
    })
}

/// What a command does, and how it is used.
fn about(program: Program) -> (&'static str, &'static [&'static str]) {
    match program {
        Program::Server => (
            "Takes part in a DHT and measures it on request",
            &[
                "parsec server --fleet default --server-host 0.0.0.0 --db-host db.internal --db-password-file /run/secrets/db",
                "parsec server --fleet fullrt dht --fullrt --database-url sqlite:parsec.db",
            ],
        ),
        Program::Scheduler => (
            "Lets the servers of a fleet publish and look up, round after round, and stores what they measured",
            &["parsec scheduler --fleets default,optprov --interval 1m --database-url sqlite:parsec.db"],
        ),
        Program::Health => (
            "Asks a server whether it can measure: prints OK, or the reason and exits with 1",
            &["parsec health localhost:7070", "parsec health https://10.0.2.100:7070 --tls-ca ca.pem"],
        ),
        Program::Provide => (
            "Publishes one provider record and shows how long that took; exits with 1 if it fails",
            &["parsec provide --stay", "parsec provide README.md --strategy optprov --format json | jq .explanation"],
        ),
        Program::Retrieve => (
            "Looks for a provider and shows how long that took; exits with 1 if it finds none",
            &[
                "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4",
                "parsec retrieve QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4 --bootstrap-peers /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWQnUASa11PcTJZQPR5AJq5o4BYqqzYVn4kuEnnJ7dSTvj --protocol-id /local/kad/1.0.0",
            ],
        ),
        Program::Trace => (
            "Shows what a recorded operation did, request by request, and where its time went",
            &[
                "parsec trace --database-url sqlite:parsec.db",
                "parsec trace 01890a5d-ac96-774b-bcce-b302099a8057 --database-url sqlite:parsec.db",
            ],
        ),
        Program::Migrate => (
            "Brings the database up to date, which servers and schedulers otherwise do when they start",
            &[
                "parsec migrate --db-host db.internal --db-user owner --db-password-file /run/secrets/owner",
                "parsec migrate --print > parsec.sql",
                "parsec migrate --print --database-url sqlite:parsec.db | sqlite3 parsec.db",
            ],
        ),
        Program::Spool => (
            "Looks after rows that wait on disk for the database",
            &[
                "parsec spool list",
                "parsec spool verify --spool-dir /var/lib/parsec/spool",
                "parsec spool replay --spool-dir /var/lib/parsec/spool --database-url sqlite:parsec.db",
            ],
        ),
        Program::Conformance => (
            "Checks whether a server, in whatever language, keeps the HTTP contract; exits with 1 if it does not",
            &["parsec conformance http://localhost:7070", "parsec conformance http://10.0.2.100:7070 --format json"],
        ),
        Program::Bench => (
            "Compares strategies on a simulated network of real libp2p peers, on this machine",
            &[
                "parsec bench --strategies classic,optprov",
                "parsec bench --peers 500 --rtt 100ms --undialable 0.15 --operations 100 --seed 1 --format csv > bench.csv",
            ],
        ),
        Program::Demo => (
            "Measures a DHT on this machine: peers, servers and scheduler in one process",
            &["parsec demo --peers 50 --rounds 10"],
        ),
        Program::Network => (
            "Runs a local DHT that servers in other processes can join; prints its protocol id and its bootstrap peers",
            &["parsec network", "parsec network --peers 50 --peer-host 192.0.2.1 --peer-port 4100"],
        ),
        Program::Config => (
            "Shows the settings that a command would use, and where each value comes from; fails if the command would",
            &[
                "parsec config server --fleet default --optprov",
                "parsec config --format toml scheduler --fleets default > parsec.toml",
                "parsec config --schema | jq '.[].variable'",
            ],
        ),
        Program::Completions => (
            "Prints a completion script for a shell",
            &[
                "parsec completions bash > /etc/bash_completion.d/parsec",
                "parsec completions zsh > \"${fpath[1]}/_parsec\"",
                "parsec completions fish > ~/.config/fish/completions/parsec.fish",
            ],
        ),
    }
}

/// What those that run unattended say by their end.
fn exit_codes(program: Program, binary: &Binary) -> String {
    if !matches!(program, Program::Server | Program::Scheduler) {
        return String::new();
    }
    let codes = binary.exit_codes.iter().map(|(code, meaning)| format!("\n  {code:>3}  {meaning}"));
    format!("\n\nExit codes:{}", codes.collect::<String>())
}

fn with_settings(command: clap::Command, program: Program) -> clap::Command {
    let used = SECTIONS.iter().filter(|section| section.used_by.contains(&program));
    let args = used.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading)));
    command.next_line_help(true).args(args)
}

/// The flags of a setting, older names hidden.
fn args(key: &'static Key, heading: &'static str) -> impl Iterator<Item = Arg> {
    let names = key.flags().map(move |flag| (flag, flag != key.flag));
    names.map(move |(flag, older)| {
        arg(key).id(id(key, flag)).long(flag).hide(older || key.idle.is_some()).help_heading(heading)
    })
}

fn arg(key: &'static Key) -> Arg {
    let variables = key.variables().collect::<Vec<_>>().join(", ");
    let default = match key.default {
        None | Some("") => String::new(),
        Some(default) => format!(" [default: {default}]"),
    };
    let older: String = key.older_flags.iter().map(|flag| format!(" [older: --{flag}]")).collect();
    let arg = Arg::new(key.name)
        .value_name(key.placeholder)
        // A password may begin with a dash, as it may with anything.
        .allow_hyphen_values(key.secrecy == Secrecy::Secret)
        .help(format!("{}{default}", key.meaning()))
        .long_help(format!("{} [env: {variables}]{default}{older}", key.meaning()));
    match key.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List => arg.action(ArgAction::Append),
        Kind::Text | Kind::Number | Kind::Decimal => arg,
    }
}

/// Adds what `parsec config` has of its own: each other command with its flags, what may stand before them, and two flags.
fn with_programs(config: clap::Command, binary: &Binary) -> clap::Command {
    let config = config
        .arg(
            Arg::new(FORMAT)
                .long("format")
                .value_name("FORMAT")
                .default_value("text")
                .help("As text, json, or toml (a configuration file)"),
        )
        .arg(
            Arg::new(SCHEMA)
                .long(SCHEMA)
                .action(ArgAction::SetTrue)
                .help("Print every setting of every command as JSON, for programs"),
        );
    let before = SECTIONS.iter().filter(|section| section.global && !section.used_by.contains(&Program::Config));
    let before = before.flat_map(|section| section.keys.iter().flat_map(|key| args(key, section.heading)));
    let config = config.args(before.map(|arg| arg.hide(true)));
    described().fold(config, |config, program| config.subcommand(subcommand(program, binary)))
}

/// The commands that can be asked for.
pub(super) fn described() -> impl Iterator<Item = Program> {
    Program::ALL.into_iter().filter(|program| *program != Program::Config)
}
