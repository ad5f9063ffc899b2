//! The command line as clap knows it, made from the table of settings.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction};

use crate::key::{Choice, Key, Kind, Secrecy, Section};
use crate::programs::{Program, keys, table};

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

/// How clap knows the argument without a flag. No command has two.
pub(super) const ARGUMENT: &str = "argument";

/// How clap knows a flag: the current one by the name of its setting, an older one by its own.
pub(super) fn id(key: &'static Key, flag: &'static str) -> &'static str {
    if flag == key.flag { key.name } else { flag }
}

pub(super) fn command_line(binary: &Binary) -> clap::Command {
    let root = clap::Command::new(NAME)
        .version(binary.version)
        .about("Measures how fast a libp2p Kademlia DHT publishes and finds provider records")
        .after_help("Without installing anything else, see it at work:\n  parsec demo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .next_line_help(true)
        // `parsec` alone and `parsec -h` are about the commands; `parsec --help` shows what may stand before all of them.
        .args(args(globals()).map(|arg| arg.hide_short_help(true)));
    Program::ALL.into_iter().fold(root, |root, program| root.subcommand(subcommand(program, binary)))
}

fn subcommand(program: Program, binary: &Binary) -> clap::Command {
    let facts = program.facts();
    let heading = if facts.examples.len() == 1 { "Example" } else { "Examples" };
    let codes = match program {
        Program::Server | Program::Scheduler => exit_codes(binary),
        _ => String::new(),
    };
    let argument = facts.argument.map(|argument| {
        let arg = Arg::new(ARGUMENT).value_name(argument.name).required(argument.is_required).help(argument.help);
        arg.value_parser(Offering(argument.choices))
    });
    let command = clap::Command::new(facts.name).about(facts.about).next_line_help(true).args(argument);
    let command = command.args(args(program.used())).subcommand_required(program == Program::Spool);
    let command = command.after_help(format!("{heading}:\n  {}{codes}", facts.examples.join("\n  ")));
    let command = facts.actions.iter().fold(command, |command, (name, about)| {
        let action = clap::Command::new(*name).about(*about).next_line_help(true).args(args(program.used()));
        // Only what writes rows looks at the database.
        let spared = if program == Program::Spool && *name != "replay" { Some("Database") } else { None };
        command.subcommand(action.mut_args(|arg| {
            let hidden = arg.is_hide_set() || spared.is_some() && arg.get_help_heading() == spared;
            arg.hide(hidden)
        }))
    });
    match program {
        Program::Config => with_programs(command, binary),
        _ => command,
    }
}

/// What those that run unattended say by their end.
fn exit_codes(binary: &Binary) -> String {
    let codes = binary.exit_codes.iter().map(|(code, meaning)| format!("\n  {code:>3}  {meaning}"));
    format!("\n\nExit codes:{}", codes.collect::<String>())
}

/// Adds to `parsec config` each other command with its flags, and what may stand before them.
fn with_programs(config: clap::Command, binary: &Binary) -> clap::Command {
    let own: Vec<_> = Program::Config.used().collect();
    let before = args(globals().filter(move |section| !own.contains(section)));
    let config = config.args(before.map(|arg| arg.hide(true)));
    described().fold(config, |config, program| config.subcommand(subcommand(program, binary)))
}

/// The commands that `parsec config` can be asked for.
pub(super) fn described() -> impl Iterator<Item = Program> {
    Program::ALL.into_iter().filter(|program| *program != Program::Config)
}

fn globals() -> impl Iterator<Item = &'static Section> {
    table().iter().map(|used| used.section).filter(|section| section.global)
}

/// The flags of settings, older names and those without effect hidden.
fn args(sections: impl Iterator<Item = &'static Section>) -> impl Iterator<Item = Arg> {
    sections.flat_map(|section| {
        let flags = section.keys.iter().flat_map(|key| key.flags().map(move |flag| (key, flag)));
        flags.map(|(key, flag)| {
            let hidden = flag != key.flag || key.idle.is_some();
            arg(key).id(id(key, flag)).long(flag).hide(hidden).help_heading(section.heading)
        })
    })
}

/// What the help says of a second name of a flag. One letter is short, not old.
pub(super) fn other_name(flag: &str) -> String {
    if flag.len() == 1 { format!("[short: -{flag}]") } else { format!("[older: --{flag}]") }
}

fn arg(key: &'static Key) -> Arg {
    let variables = key.variables().collect::<Vec<_>>().join(", ");
    let default = key.default.filter(|default| !default.is_empty());
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let older: String = key.older_flags.iter().map(|flag| format!(" {}", other_name(flag))).collect();
    let arg = Arg::new(key.name)
        .value_name(key.placeholder)
        // A password may begin with a dash, as it may with anything.
        .allow_hyphen_values(key.secrecy == Secrecy::Secret)
        .help(format!("{}{default}", key.described()))
        .long_help(format!("{} [env: {variables}]{default}{older}", key.described()));
    match key.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List => arg.action(ArgAction::Append).value_parser(Offering(key.choices)),
        Kind::Text | Kind::Number | Kind::Decimal => arg.value_parser(Offering(key.choices)),
    }
}

/// Takes every value, because it is judged alike wherever it was written, and names those that there are in the help and
/// in completions.
#[derive(Debug, Clone, Copy)]
struct Offering(&'static [Choice]);

impl TypedValueParser for Offering {
    type Value = String;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |(name, meaning): &Choice| match *meaning {
            "" => PossibleValue::new(*name),
            meaning => PossibleValue::new(*name).help(meaning),
        };
        if self.0.is_empty() { None } else { Some(Box::new(self.0.iter().map(value))) }
    }
}

/// The settings that `flag` can mean.
pub(super) fn settings(flag: &str) -> impl Iterator<Item = &'static Key> {
    keys().filter(move |key| key.flags().any(|name| name == flag))
}
