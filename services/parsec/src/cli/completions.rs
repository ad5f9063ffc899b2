//! Scripts that complete command lines in a shell.

use crate::config::Shell;

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut command = super::command_line();
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut command, super::NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
