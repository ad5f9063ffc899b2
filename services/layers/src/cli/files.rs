//! Files in completions. What clap writes offers words or files, and a flag may take either: one of a few names, or a file of one's own.

use clap_complete::Shell;

use crate::key::OWN_FILE;

/// How the script of a shell offers words of which the last stands for any file.
struct Offer {
    /// That word, with what tells it from the same letters elsewhere.
    last: String,
    /// How the list begins, and how it has to begin so that files are offered, too.
    begin: [&'static str; 2],
    /// How it ends behind the last word, and how it has to end.
    end: [&'static str; 2],
}

impl Offer {
    fn of(shell: Shell) -> Option<Self> {
        let (before, behind, begin, end) = match shell {
            Shell::Bash => (" ", "\"", ["COMPREPLY=("; 2], [" -- \"${cur}\"))", BASH]),
            // The list stands in quotes within quotes: no word in it may have a quote.
            Shell::Zsh => (
                "\n",
                "\\:\"",
                [":((", r":{_alternative '\''names\:name\:(("],
                ["\"))'", r"))'\'' '\''files\:file\:_files'\''}'"],
            ),
            Shell::Fish => ("\n", "\\t'", [" -r -f -a \"", " -r -F -a \""], ["'\"", "\""]),
            _ => return None,
        };
        Some(Self { last: format!("{before}{OWN_FILE}{behind}"), begin, end })
    }
}

/// Names of files may have blanks in them, and what is a directory is not yet complete; the bash of macOS cannot tell.
const BASH: &str = r#"" -- "${cur}"))
                    local IFS=$'\n'
                    COMPREPLY+=($(compgen -f -- "${cur}"))
                    compopt -o filenames 2>/dev/null"#;

/// The script that clap has written, in which no shell offers [`OWN_FILE`] as a word: it offers files there.
pub(super) fn with_files(script: &str, shell: Shell) -> String {
    let Some(Offer { last, begin, end }) = Offer::of(shell) else { return script.to_owned() };
    let mut parts = script.split(&last);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(at) = whole.rfind(begin[0]) {
            whole.replace_range(at..at + begin[0].len(), begin[1]);
        }
        whole += end[1];
        whole += part.split_once(end[0]).map_or(part, |(_, rest)| rest);
    }
    whole
}
