//! The command line as clap knows it, made from the tables.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction};

use crate::app::{App, Binary, Command};
use crate::key::{Choice, Key, Kind, Secrecy, Section};

/// How clap knows the argument without a flag. No command has two.
pub(super) const ARGUMENT: &str = "argument";

/// How clap knows a flag: the current one by the name of its setting, an older one by its own.
pub(super) fn id(key: &'static Key, flag: &'static str) -> &'static str {
    if flag == key.flag { key.name } else { flag }
}

/// The whole command line.
pub fn command_line(app: &'static App, binary: &Binary) -> clap::Command {
    let root = clap::Command::new(app.name)
        .version(binary.version)
        .about(app.about)
        .after_help(app.hint)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .next_line_help(true)
        // The program alone and its `-h` are about the commands; `--help` shows what may stand before all of them.
        .args(args(globals(app)).map(|arg| arg.hide_short_help(true)));
    app.commands.iter().fold(root, |root, command| root.subcommand(subcommand(app, command, binary)))
}

fn subcommand(app: &'static App, command: &'static Command, binary: &Binary) -> clap::Command {
    let heading = if command.examples.len() == 1 { "Example" } else { "Examples" };
    let codes = if command.has_codes { exit_codes(binary) } else { String::new() };
    let argument = command.argument.map(|argument| {
        let arg = Arg::new(ARGUMENT).value_name(argument.name).required(argument.is_required).help(argument.help);
        let arg = if argument.words > 1 { arg.num_args(1..=argument.words) } else { arg };
        arg.value_parser(Offering(argument.choices))
    });
    let with_flags = |name: &'static str, about: &'static str| {
        let clap = clap::Command::new(name).about(about).next_line_help(true);
        clap.args(args(command.sections.iter().copied()))
    };
    let clap = with_flags(command.name, command.about)
        .args(argument)
        .subcommand_required(command.special.is_some())
        .after_help(format!("{heading}:\n  {}{codes}", command.examples.join("\n  ")));
    let clap = command.actions.iter().fold(clap, |clap, (name, about)| {
        let spared = command.special.filter(|(action, _)| action != name).map(|(_, heading)| heading);
        clap.subcommand(with_flags(name, about).mut_args(|arg| {
            let hidden = arg.is_hide_set() || spared.is_some() && arg.get_help_heading() == spared;
            arg.hide(hidden)
        }))
    });
    if command.describes { with_others(clap, app, command, binary) } else { clap }
}

/// What those that run unattended say by their end.
fn exit_codes(binary: &Binary) -> String {
    let codes = binary.exit_codes.iter().map(|(code, meaning)| format!("\n  {code:>3}  {meaning}"));
    format!("\n\nExit codes:{}", codes.collect::<String>())
}

/// Adds to a command each that it can tell about with its flags, and what may stand before them.
fn with_others(clap: clap::Command, app: &'static App, command: &'static Command, binary: &Binary) -> clap::Command {
    let before = args(globals(app).filter(|section| !command.sections.contains(section)));
    let clap = clap.args(before.map(|arg| arg.hide(true)));
    let others = app.commands.iter().filter(|other| !other.describes);
    others.fold(clap, |clap, other| clap.subcommand(subcommand(app, other, binary)))
}

fn globals(app: &App) -> impl Iterator<Item = &'static Section> {
    app.table.iter().map(|used| used.section).filter(|section| section.global)
}

/// The flags of settings, older names and those without effect hidden.
fn args(sections: impl Iterator<Item = &'static Section>) -> impl Iterator<Item = Arg> {
    sections.flat_map(|section| {
        let flags = section.keys.iter().flat_map(|key| key.flags().map(move |flag| (key, flag)));
        flags.map(|(key, flag)| {
            let hidden = flag != key.flag || key.idle.is_some();
            let short = key.short.filter(|_| flag == key.flag);
            arg(key).id(id(key, flag)).short(short).long(flag).hide(hidden).help_heading(section.heading)
        })
    })
}

fn arg(key: &'static Key) -> Arg {
    let variables = key.variables().collect::<Vec<_>>().join(", ");
    let default = key.default.filter(|default| !default.is_empty());
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let older: String = key.older_flags.iter().map(|flag| format!(" [older: --{flag}]")).collect();
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
