use std::collections::BTreeMap;

use parsec_layers::{Key, OWN_FILE, command_line};
use parsec_measure::{Cid, Manner, StrategyKind};

use super::*;
use crate::programs::{keys, table};
use crate::serving::ServerConfig;
use crate::tests::BINARY;
use crate::traces::Asked;
use crate::values::LogLevel;

fn run(line: &str) -> Result<(Command, Vec<Warning>), CliError> {
    parse(line.split_whitespace().map(OsString::from), &BTreeMap::new(), &BINARY)
}

fn server(line: &str) -> ServerConfig {
    match run(line) {
        Ok((Command::Server(config), _)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

/// The text of a refusal, with its exit code.
fn refusal(line: &str) -> (String, u8) {
    let error = run(line).unwrap_err();
    (error.to_string(), error.exit_code())
}

#[test]
fn a_bare_server_means_the_server_of_the_dht() {
    assert_eq!(server("parsec server --fullrt --fleet x"), server("parsec server dht --fullrt --fleet x"));
    assert_eq!(server("parsec server --fullrt --fleet x"), server("parsec server --fleet x dht --fullrt"));
}

#[test]
fn global_flags_stand_before_or_after_the_subcommand_and_the_later_wins() {
    let before = server("parsec --debug --db-port 1 server");
    assert_eq!(before, server("parsec server --debug --db-port 1"));
    assert_eq!(before, server("parsec --db-port 2 server --db-port 1 dht --debug"));
    assert_eq!(before.common.log().level, LogLevel::Debug);
}

#[test]
fn a_switch_needs_no_value_and_takes_one() {
    for (flag, expected) in [("--fullrt", true), ("--fullrt=true", true), ("--fullrt=0", false), ("", false)] {
        assert_eq!(server(&format!("parsec server {flag}")).dht.strategy == StrategyKind::Fullrt, expected, "{flag}");
    }
    let (message, code) = refusal("parsec server --fullrt=maybe");
    assert_eq!(message, "error: flag --fullrt: cannot use `maybe`: expected true or false (or 1 or 0)\n");
    assert_eq!(code, 2);
}

#[test]
fn a_list_is_separated_by_commas_or_repeated() {
    let fleets = |line: &str| match run(line) {
        Ok((Command::Scheduler(config), _)) => config.fleets.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(fleets("parsec scheduler --fleets a,b+c"), ["a", "b+c"]);
    assert_eq!(fleets("parsec scheduler --fleets a --fleets b+c"), ["a", "b+c"]);
}

#[test]
fn the_health_question_needs_to_know_whom_to_ask() {
    let Ok((Command::Health(config), _)) = run("parsec health localhost:7070") else { panic!("it is a command") };
    assert_eq!(config.server.to_string(), "http://localhost:7070");
    let (message, code) = refusal("parsec health localhost");
    assert!(message.contains("argument HOST:PORT: cannot use `localhost`: expected HOST:PORT, such as"), "{message}");
    assert_eq!(code, 2);
    assert_eq!(refusal("parsec health").1, 2);
}

#[test]
fn the_contract_is_checked_of_a_server_that_is_named() {
    let Ok((Command::Conformance(config), _)) = run("parsec conformance http://10.0.0.1:7070/ --timeout 5s") else {
        panic!("it is a command")
    };
    assert_eq!((config.server.to_string().as_str(), config.timeout.as_secs()), ("http://10.0.0.1:7070", 5));
    let (message, code) = refusal("parsec conformance ftp://10.0.0.1:7070");
    assert_eq!(
        message,
        "error: argument URL: cannot use `ftp://10.0.0.1:7070`: expected http://HOST:PORT or https://HOST:PORT, such as http://localhost:7070\n"
    );
    assert_eq!(code, 2);
    assert_eq!(refusal("parsec conformance").1, 2);
}

#[test]
fn help_and_version_are_no_failures_and_nonsense_is_one() {
    for line in ["parsec --help", "parsec --version", "parsec server --help", "parsec help demo"] {
        let error = run(line).unwrap_err();
        assert_eq!((error.exit_code(), error.is_failure()), (0, false), "{line}");
    }
    for line in ["parsec", "parsec dance", "parsec server --fulrt", "parsec server --fleet", "parsec demo --fleet x"] {
        let error = run(line).unwrap_err();
        assert_eq!((error.exit_code(), error.is_failure()), (2, true), "{line}");
    }
    assert!(refusal("parsec --version").0.starts_with(concat!("parsec ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_help_of_a_subcommand_shows_every_setting_it_uses() {
    let deeper =
        [("server dht", Program::Server), ("server ipni", Program::Server), ("config server", Program::Server)];
    for (line, program) in Program::ALL.map(|program| (program.name(), program)).into_iter().chain(deeper) {
        let (help, _) = refusal(&format!("parsec {line} --help"));
        for used in table() {
            let is_used = used.by.contains(&program.name());
            for key in used.section.keys {
                let used = is_used && key.idle.is_none();
                // Two subcommands may have flags of one name; the name of the variable is unique.
                assert_eq!(help.contains(&format!("[env: {}", key.variable)), used, "{program:?}: {}", key.name);
                if used {
                    assert!(help.contains(&format!("--{}", key.flag)) && help.contains(&key.described()), "{help}");
                    assert!(key.older_flags.iter().all(|flag| help.contains(&format!("[older: --{flag}]"))), "{help}");
                    assert!(
                        key.short.is_none_or(|short| help.contains(&format!("-{short}, --{}", key.flag))),
                        "{help}"
                    );
                    assert!(key.variables().all(|name| help.contains(name)), "{help}");
                    assert!(
                        help.contains(&format!("[default: {}]", key.default.unwrap_or_default()))
                            || key.default.is_none_or(str::is_empty),
                        "{help}"
                    );
                }
            }
        }
    }
}

/// The words of a command line, as a shell reads them. What it does with the output is its own business.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => word.push(c),
            ('\'' | '"', None) => quote = Some(c),
            ('|' | '>', None) => break,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (_, None) => word.push(c),
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_examples_in_the_help_work() {
    for program in Program::ALL {
        let (help, _) = refusal(&format!("parsec {} --help", program.name()));
        let examples: Vec<_> = help.lines().map(str::trim).filter(|line| line.starts_with("parsec ")).collect();
        assert!(!examples.is_empty(), "{help}");
        for example in examples {
            let line = words(example);
            match parse(line.iter().map(OsString::from), &BTreeMap::new(), &BINARY) {
                Ok(_) => {}
                // The file with the password is not here; that the flag was understood shows in the message.
                Err(CliError::Config(ConfigError::File(_, path, _))) => {
                    assert!(line.iter().any(|word| word == path.to_str().unwrap()));
                }
                Err(error) => panic!("{example}: {error}"),
            }
        }
    }
}

#[test]
fn one_shots_take_what_they_are_about_without_a_flag() {
    let provide = |line: &str| match run(line) {
        Ok((Command::Provide(config), _)) => (config.file, config.stay),
        other => panic!("{line}: {other:?}"),
    };
    let retrieve = |line: &str| match run(line) {
        Ok((Command::Retrieve(config), _)) => config.cid,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(provide("parsec provide"), (None, false));
    assert_eq!(provide("parsec provide --stay README.md"), (Some("README.md".into()), true));
    // The second one is in base64, which has the slash.
    let base64 = "mAVUSICwmtGto/8aP+ZtFPB0wQTQTQi1wZIO/oPmKXohiZueu";
    for cid in ["QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4", base64] {
        assert_eq!(retrieve(&format!("parsec retrieve {cid}")), cid.parse::<Cid>().unwrap());
    }
    assert_eq!(refusal("parsec retrieve").1, 2);
    let (message, code) = refusal("parsec retrieve Qm");
    assert!(message.starts_with("error: argument CID: cannot use `Qm`: "), "{message}");
    assert!(message.ends_with("(expected `Qm…` or a multibase CIDv1)\n"), "{message}");
    assert_eq!(code, 2);
}

#[test]
fn many_keys_are_published_in_place_of_one_content() {
    let provide = |line: &str| match run(line) {
        Ok((Command::Provide(config), _)) => (config.cids, config.manner, config.file),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(provide("parsec provide"), (None, Manner::Each, None));
    assert_eq!(provide("parsec provide --cids keys.txt"), (Some("keys.txt".into()), Manner::Each, None));
    assert_eq!(provide("parsec provide --cids - --manner sweep"), (Some("-".into()), Manner::Sweep, None));
    for (line, message) in [
        (
            "parsec provide README.md --cids keys.txt",
            "argument FILE: cannot use `README.md`: --cids says what to publish; expected only one of the two",
        ),
        ("parsec provide --manner sweep", "flag --manner needs --cids, which is not set"),
        ("parsec provide --manner each", "flag --manner needs --cids, which is not set"),
        ("parsec provide --cids keys.txt --manner broom", "flag --manner: cannot use `broom`: "),
    ] {
        let (refused, code) = refusal(line);
        assert!(refused.starts_with(&format!("error: {message}")), "{refused}");
        assert_eq!(code, 2);
    }
}

#[test]
fn a_trace_is_of_one_operation_or_of_two_or_the_newest_are_listed() {
    let asked = |line: &str| match run(line) {
        Ok((Command::Trace(config), _)) => config.asked,
        other => panic!("{line}: {other:?}"),
    };
    let part = |text: &str| text.parse().unwrap();
    assert_eq!(asked("parsec trace"), Asked::List);
    let one = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(asked(&format!("parsec trace {one}")), Asked::One(part(one)));
    assert_eq!(asked("parsec trace --format json diff 099a8057 1f03"), Asked::Diff(part("099a8057"), part("1f03")));
    assert_eq!(asked("parsec trace diff 099a8057 1f03 --format json"), Asked::Diff(part("099a8057"), part("1f03")));
    let (message, code) = refusal("parsec trace seven");
    assert!(message.starts_with("error: argument OPERATION_ID: cannot use `seven`: expected the id"), "{message}");
    assert_eq!(code, 2);
    assert_eq!(refusal("parsec trace diff 099a8057 1f03 774b").1, 2);
}

#[test]
fn a_flag_may_have_a_letter() {
    let output = |line: &str| match run(line) {
        Ok((Command::Trace(config), _)) => config.output,
        other => panic!("{line}: {other:?}"),
    };
    for line in [
        "parsec trace -o x.json",
        "parsec trace -o=x.json",
        "parsec trace --output x.json",
        "parsec trace -output x.json",
    ] {
        assert_eq!(output(line), Some("x.json".into()), "{line}");
    }
}

#[test]
fn a_flag_that_a_subcommand_has_no_use_for_is_pointed_out() {
    let (_, warnings) = run("parsec --db-host db.internal demo").unwrap();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!(warning.to_string(), "flag --db-host has no effect on `demo`");
    assert_eq!(run("parsec --db-host db.internal server").unwrap().1, []);
}

#[test]
fn the_url_of_the_database_wins_over_its_parts() {
    let config = server("parsec server --db-host elsewhere --database-url sqlite:/var/lib/parsec.db");
    let url = config.database.url.map(|url| url.expose().to_owned());
    assert_eq!((url.as_deref(), config.database.host.as_str()), (Some("sqlite:/var/lib/parsec.db"), "localhost"));
}

/// Whoever prunes with `--db-host` does not mean the database of a URL that was exported an hour ago.
#[test]
fn a_part_of_the_database_is_refused_beside_a_url_that_was_set_in_a_place_that_loses() {
    let url = "sqlite:/var/lib/parsec.db";
    let variable = &[("PARSEC_DATABASE_URL", url)][..];
    let by_variable = crate::tests::run;
    for flag in ["db-host db", "db-port 1", "db-user owner", "db-password x", "db-password-file x", "db-sslmode prefer"]
    {
        let name = flag.split(' ').next().unwrap();
        let both = format!(
            "error: flag --{name} and environment variable PARSEC_DATABASE_URL are both set; set only one of them"
        );
        for line in ["prune --keep 5d", "results", "config server"] {
            assert_eq!(by_variable(&format!("{line} --{flag}"), variable).unwrap_err(), both, "{line}");
        }
    }
    let (_dir, path) = crate::tests::file("p.toml", &format!("[database]\nurl = '{url}'\n"));
    let both = refusal(&format!("parsec prune --keep 5d --db-host db --config {}", path.display())).0;
    assert!(both.contains("flag --db-host and configuration file") && both.contains("key `database.url`"), "{both}");
    let line = format!("results --config {}", path.display());
    let both = by_variable(&line, &[("PARSEC_DATABASE_HOST", "db")]).unwrap_err();
    assert!(both.contains("environment variable PARSEC_DATABASE_HOST and configuration file"), "{both}");
    // A part that was set in the same way, or the URL as a flag besides, is as clear as ever; and a wait is no part.
    for line in ["results", "results --database-wait 1s", "results --db-host db --database-url sqlite:x.db"] {
        assert!(by_variable(line, &[variable, &[("PARSEC_DATABASE_HOST", "db")]].concat()).is_ok(), "{line}");
    }
}

#[test]
fn parsec_alone_shows_its_commands_the_demonstration_first_and_no_settings() {
    let (help, code) = refusal("parsec");
    assert_eq!(code, 2);
    let commands: Vec<_> = help.lines().skip_while(|line| *line != "Commands:").skip(1).collect();
    assert_eq!(commands[0].trim(), "demo", "{help}");
    assert!(!help.contains("--db-host") && help.lines().count() < 90, "{help}");
    assert!(help.contains("parsec demo"), "{help}");
}

#[test]
fn settings_without_effect_stay_out_of_the_help_and_are_read() {
    let (help, _) = refusal("parsec server --help");
    assert!(help.contains("--fleet") && !help.contains("firehose") && !help.contains("indexer"), "{help}");
    let (help, _) = refusal("parsec spool list --help");
    assert!(help.contains("--spool-dir") && !help.contains("--db-host"), "{help}");
    assert!(run("parsec spool list --db-host db").is_ok());
    assert!(refusal("parsec spool replay --help").0.contains("--db-host"));
}

#[test]
fn the_values_of_a_choice_are_in_the_help_and_every_other_one_is_judged_where_it_was_written() {
    let (help, _) = refusal("parsec bench -h");
    for (flag, values) in
        [("--transport", "memory, tcp, quic"), ("--strategies", "classic, optprov, fullrt, libp2p, sweep")]
    {
        let line = help.lines().skip_while(|line| !line.contains(flag)).nth(1).unwrap();
        assert!(line.ends_with(&format!("[possible values: {values}]")), "{line}");
    }
    let (message, code) = refusal("parsec bench --transport quick");
    let expected =
        "error: flag --transport: cannot use `quick`: expected one of: memory, tcp, quic; did you mean `quic`?\n";
    assert_eq!((message.as_str(), code), (expected, 2));
}

#[test]
fn the_command_line_definition_is_sound() {
    command_line(app(), &BINARY).debug_assert();
}

#[test]
fn what_stands_before_the_subcommand_has_its_variable_in_the_general_help() {
    let (help, _) = refusal("parsec --help");
    for key in table().iter().filter(|used| used.section.global).flat_map(|used| used.section.keys) {
        assert!(help.contains(&format!("--{}", key.flag)) && help.contains(key.variable), "{}: {help}", key.name);
    }
}

#[test]
fn a_server_for_ipni_ends_as_what_cannot_be_done() {
    let (message, code) = refusal("parsec server ipni --indexer-host cid.contact");
    assert_eq!((message.lines().count(), code), (1, 2), "{message}");
    assert!(message.contains("this build measures DHTs only"), "{message}");
}

#[test]
fn a_shell_is_told_every_command_and_every_flag() {
    for shell in ["bash", "zsh", "fish"] {
        let Ok((Command::Completions(config), _)) = run(&format!("parsec completions {shell}")) else {
            panic!("{shell} is known")
        };
        let script = completion_script(config.shell, &BINARY);
        for program in Program::ALL {
            assert!(script.contains(program.name()), "{shell}: {}", program.name());
        }
        for flag in keys().filter(|key| key.idle.is_none()).map(|key| key.flag) {
            // fish has its own way to write a flag.
            let written = if shell == "fish" { format!("-l {flag} ") } else { format!("--{flag}") };
            assert!(script.contains(&written), "{shell}: {flag}");
        }
    }
    let (message, code) = refusal("parsec completions tcsh");
    assert_eq!(message, "error: argument SHELL: cannot use `tcsh`: expected one of: bash, zsh, fish\n");
    assert_eq!(code, 2);
}

#[test]
fn bash_completes_with_the_script() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parsec.bash");
    std::fs::write(&path, completion_script(Shell::Bash, &BINARY)).unwrap();
    let bash = |args: &[&str]| {
        let output = std::process::Command::new("bash").arg("--norc").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    bash(&["-n", path.to_str().unwrap()]);
    let complete = |words: &str, typed: &str| {
        let count = words.split(' ').count();
        let before = words.rsplit(' ').next().unwrap();
        let script = format!(
            "source {}; COMP_WORDS=(parsec {words} {typed}); COMP_CWORD={}; _parsec parsec '{typed}' '{before}'; echo ${{COMPREPLY[@]}}",
            path.display(),
            count + 1
        );
        bash(&["-c", &script]).trim().to_owned()
    };
    assert_eq!(complete("server", "--flee"), "--fleet");
    assert_eq!(complete("server dht", "--full"), "--fullrt");
    assert_eq!(complete("config", "sche"), "scheduler");
    assert_eq!(complete("config scheduler", "--flee"), "--fleets");
    assert_eq!(complete("bench --transport", "q"), "quic");
    assert_eq!(complete("server --db-sslmode", "verify"), "verify-ca verify-full");
    assert_eq!(complete("completions", "f"), "fish");
    assert_eq!(complete("bench --world", "pri"), "private-50");
    assert_eq!(complete("bench --world", "Cargo.t"), "Cargo.toml", "a file of one's own");
    assert_eq!(complete("bench --scenario", "FIL"), "", "a placeholder is no word");
}

#[test]
fn where_a_flag_takes_a_name_or_a_file_every_shell_offers_both() {
    let takes_both = |key: &&Key| key.choices.iter().any(|(name, _)| *name == OWN_FILE);
    // The flags of `config` are those of the others once more.
    assert!(keys().filter(takes_both).count() >= 3, "--world of two commands, and --scenario");
    for (name, meaning) in keys().filter(takes_both).flat_map(|key| key.choices).filter(|(name, _)| *name != OWN_FILE) {
        assert!(!meaning.contains('\''), "zsh has this list in quotes: {name}: {meaning}");
    }
    for (shell, files) in [
        (Shell::Bash, "COMPREPLY+=($(compgen -f -- \"${cur}\"))"),
        (Shell::Zsh, r"))'\'' '\''files\:file\:_files'\''}'"),
        (Shell::Fish, " -r -F -a \"amino-2022\\t'"),
    ] {
        let script = completion_script(shell, &BINARY);
        assert!(script.contains("private-50") && !script.contains(OWN_FILE), "{shell}");
        assert!(script.matches(files).count() >= 3, "{shell}");
    }
}
