//! What is declared of a program: its commands, and the sections of settings that each of them uses.

use std::collections::BTreeMap;

use crate::key::{Choice, Key, Section};

/// What the help calls an action, if one has to be named that is given without a flag.
pub const ACTION: &str = "ACTION";

/// What the binary says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// Its version, and what it was built from.
    pub version: &'static str,
    /// With which codes commands that run unattended end, and what each means.
    pub exit_codes: &'static [(u8, &'static str)],
}

/// A program.
#[derive(Debug)]
pub struct App {
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What the help ends with.
    pub hint: &'static str,
    /// What its environment variables begin with.
    pub prefix: &'static str,
    /// Its commands, in the order of the help.
    pub commands: Vec<Command>,
    /// Every section of settings, and the commands that use it: [`Used::all`].
    pub table: Vec<Used>,
}

/// A command, beside the values of its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// How it is called.
    pub examples: &'static [&'static str],
    /// The settings that it uses.
    pub sections: Vec<&'static Section>,
    /// What may be given without a flag. No command has two.
    pub argument: Option<Argument>,
    /// Its subcommands that are no commands of their own, each with what it does.
    pub actions: &'static [Choice],
    /// If one of them has to be named: the one that a section belongs to, and the heading of that section.
    pub special: Option<(&'static str, &'static str)>,
    /// Whether its log says what it does. Others show their results themselves, and log less unless they are asked to.
    pub logs: bool,
    /// Whether the help names the codes that it ends with.
    pub has_codes: bool,
    /// Whether the words of another command may stand behind it, to be told about.
    pub describes: bool,
}

/// What is given without a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// What the help calls it.
    pub name: &'static str,
    /// Whether it has to be given.
    pub is_required: bool,
    /// What it means.
    pub help: &'static str,
    /// What it is chosen from, if that is a few.
    pub choices: &'static [Choice],
    /// How many words it may have.
    pub words: usize,
}

/// A section, and the names of the commands that use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The section.
    pub section: &'static Section,
    /// The names of the commands.
    pub by: Vec<&'static str>,
}

/// What the words of a command line say.
#[derive(Debug)]
pub struct Words {
    /// The command.
    pub command: &'static Command,
    /// The command that the settings are for: another one behind a command that [describes](Command::describes) it; `None`
    /// if there is none.
    pub meant: Option<&'static Command>,
    /// What was given to that one without a flag, its action included, and what the help calls it.
    pub argument: Option<(&'static str, String)>,
    /// The flags that were given, by the name of their setting: each with the name that it was given by, without the dashes,
    /// and its value. Of several names for one setting, the current one comes first.
    pub flags: BTreeMap<&'static str, Vec<(&'static str, String)>>,
}

impl Command {
    /// With something that is given without a flag.
    #[must_use]
    pub fn argument(self, name: &'static str, is_required: bool, help: &'static str) -> Self {
        Self { argument: Some(Argument { name, is_required, help, choices: &[], words: 1 }), ..self }
    }

    /// With so many words that the argument may have.
    #[must_use]
    pub fn words(self, words: usize) -> Self {
        Self { argument: self.argument.map(|argument| Argument { words, ..argument }), ..self }
    }

    /// With what the argument is chosen from.
    #[must_use]
    pub fn offering(self, choices: &'static [Choice]) -> Self {
        Self { argument: self.argument.map(|argument| Argument { choices, ..argument }), ..self }
    }

    /// With subcommands that are no commands of their own.
    #[must_use]
    pub fn actions(self, actions: &'static [Choice]) -> Self {
        Self { actions, ..self }
    }

    /// With subcommands of which one has to be named. The section of this heading belongs to `action` alone.
    #[must_use]
    pub fn one_of(self, actions: &'static [Choice], action: &'static str, heading: &'static str) -> Self {
        Self { actions, special: Some((action, heading)), ..self }
    }

    /// With a log that says what it does.
    #[must_use]
    pub fn logging(self) -> Self {
        Self { logs: true, ..self }
    }

    /// With codes that say how it ended.
    #[must_use]
    pub fn ending_with_codes(self) -> Self {
        Self { has_codes: true, ..self }
    }

    /// With other commands to be told about.
    #[must_use]
    pub fn describing(self) -> Self {
        Self { describes: true, ..self }
    }

    /// The settings that it uses.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.sections.iter().flat_map(|section| section.keys)
    }
}

impl App {
    /// The command of that name.
    pub fn command(&self, name: &str) -> Option<&Command> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// Every setting, in the order of the table.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.table.iter().flat_map(|used| used.section.keys)
    }

    /// The settings that a flag of this name can mean.
    pub(crate) fn meant_by(&self, flag: &str) -> impl Iterator<Item = &'static Key> {
        self.keys().filter(move |key| key.flags().any(|name| name == flag))
    }

    /// The commands that are there to tell about others.
    pub(crate) fn describers(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| command.describes)
    }
}

impl Used {
    /// Every section that `commands` use.
    pub fn all(commands: &[Command]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for command in commands {
            for section in &command.sections {
                match all.iter_mut().find(|used| used.section == *section) {
                    Some(used) => used.by.push(command.name),
                    None => all.push(Self { section, by: vec![command.name] }),
                }
            }
        }
        all
    }
}
