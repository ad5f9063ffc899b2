//! A toy of a program with all that can be declared, and what becomes of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::plain::{self, within};
use crate::*;

const TEXT: Form = (Kind::Text, &[], plain::text);
const NUMBER: Form = (Kind::Number, &[], |text| within(1..=9_u8)(text).map(|number| number.to_string()));
const SWITCH: Form = (Kind::Switch, &[], |text| plain::switch(text).map(|on| on.to_string()));

static GENERAL: Section = Section {
    heading: "General",
    global: true,
    keys: &[
        Key::new(TEXT, (CONFIG, "config", "FILE"), "TOY_CONFIG").help("Configuration file"),
        Key::new(SWITCH, ("debug", "debug", "BOOL"), "TOY_DEBUG").help("Say more"),
        Key::new(TEXT, ("password", "db-password", "PASSWORD"), "TOY_PASSWORD")
            .default("none")
            .secrecy(Secrecy::Secret)
            .rivals(&["password_file"])
            .help("Password"),
        Key::new(TEXT, ("password_file", "db-password-file", "FILE"), "TOY_PASSWORD_FILE")
            .rivals(&["password"])
            .help("File that holds it"),
    ],
};

static PLAY: Section = Section {
    heading: "Play",
    global: false,
    keys: &[
        Key::new(TEXT, ("play.fleet", "fleet", "FLEET"), "TOY_PLAY_FLEET")
            .older(&["TOY_FLEET"])
            .found(|variables| Some(set(variables, "HOME")?.to_str()?.to_owned()))
            .help("Who plays"),
        Key::new(SWITCH, ("play.serving", "server-mode", "BOOL"), "TOY_PLAY_SERVING")
            .older_flags(&["dht-server"])
            .help("Answer, too"),
        Key::new(SWITCH, ("play.dht.fullrt", "fullrt", "BOOL"), "TOY_PLAY_FULLRT").help("Know all"),
        Key::new(NUMBER, ("play.peers", "peers", "N"), "TOY_PLAY_PEERS").short('p').default("3").help("How many"),
        Key::new(NUMBER, ("play.rounds", "rounds", "N"), "TOY_PLAY_ROUNDS").help("How often"),
        Key::new(NUMBER, ("play.luck", "luck", "N"), "TOY_PLAY_LUCK").default("7").idle("there is none").help("Luck"),
    ],
};

static TELL: Section = Section {
    heading: "Tell",
    global: false,
    keys: &[Key::new(TEXT, ("tell.format", "format", "FORMAT"), "TOY_TELL_FORMAT")
        .short('p')
        .default("text")
        .help("How to tell")],
};

const BINARY: Binary = Binary { version: "1.0", exit_codes: &[(0, "well"), (9, "badly")] };

pub(crate) fn app() -> &'static App {
    static APP: LazyLock<App> = LazyLock::new(|| {
        let command = |name, sections| Command {
            name,
            about: "Does it",
            examples: &["toy play"],
            sections,
            ..Command::default()
        };
        let commands = vec![
            command("play", vec![&GENERAL, &PLAY])
                .actions(&[("dht", "With others"), ("alone", "Without")])
                .ending_with_codes(),
            command("find", vec![&GENERAL]).argument("WHAT", true, "What to find"),
            command("keep", vec![&GENERAL, &PLAY]).one_of(
                &[("list", "Says what"), ("empty", "Forgets")],
                "empty",
                "Play",
            ),
            command("tell", vec![&GENERAL, &TELL]).describing(),
        ];
        let table = Used::all(&commands);
        App { name: "toy", about: "Plays", hint: "Play.", prefix: "TOY_", commands, table }
    });
    &APP
}

fn environment(variables: &[(&str, &str)]) -> Variables {
    variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(*value))).collect()
}

fn split(line: &str) -> Result<Words, CliError> {
    words(app(), &BINARY, line.split_whitespace().map(OsString::from))
}

/// What is merged of a command line and an environment, and what is odd about them.
fn merged(line: &str, variables: &[(&str, &str)]) -> Result<(Sources, Vec<String>), String> {
    let environment = environment(variables);
    let words = split(line).map_err(|error| error.to_string())?;
    let from = Sources::load(app(), words, &environment).map_err(|error| error.to_string())?;
    let odd = warnings(&from, &environment);
    Ok((from, odd.iter().map(ToString::to_string).collect()))
}

fn value(line: &str, variables: &[(&str, &str)], name: &str) -> Result<Option<String>, String> {
    let (from, _) = merged(line, variables)?;
    from.optional(name, from.key(name).meaning).map_err(|error| error.to_string())
}

fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

#[test]
fn each_layer_wins_over_those_below_it_and_the_origin_is_remembered() {
    let (_dir, path) = file("toy.yaml", "play: {peers: 4, rounds: 4, fleet: file}\n");
    let line = format!("toy --config {} play --peers 6", path.display());
    let (from, odd) = merged(&line, &[("TOY_PLAY_PEERS", "5"), ("TOY_PLAY_ROUNDS", "5"), ("HOME", "/home")]).unwrap();
    assert_eq!(odd, [""; 0]);
    for (name, expected, origin) in [
        ("play.peers", "6", Origin::Flag("peers")),
        ("play.rounds", "5", Origin::Variable("TOY_PLAY_ROUNDS")),
        ("play.fleet", "file", Origin::File(path.clone(), "play.fleet")),
        ("play.dht.fullrt", "false", Origin::Default("play.dht.fullrt")),
    ] {
        assert_eq!(from.optional(name, from.key(name).meaning), Ok(Some(expected.to_owned())));
        assert_eq!(from.origin(name), &origin);
    }
    assert_eq!(value("toy play", &[("HOME", "/home")], "play.fleet"), Ok(Some("/home".to_owned())));
    assert_eq!(value("toy play", &[], "play.fleet"), Ok(None));
}

#[test]
fn what_cannot_be_used_is_named_with_its_place_and_what_would_be_right() {
    let (_dir, path) = file("toy.toml", "[play]\npeers = '10'\n");
    let place = format!("configuration file {}, key `play.peers`", path.display());
    let by_file = format!("toy play --config {}", path.display());
    let variable = ("TOY_PLAY_PEERS", "10");
    for (line, variables, place) in [
        ("toy play --peers 10", vec![], "flag --peers"),
        ("toy play", vec![variable], "environment variable TOY_PLAY_PEERS"),
        (&by_file, vec![], &place),
    ] {
        let expected = format!("{place}: cannot use `10`: expected a whole number from 1 to 9");
        assert_eq!(value(line, &variables, "play.peers"), Err(expected));
    }
    let (_dir, path) = file("toy.toml", "[play]\npears = 1\n");
    let refused = merged(&format!("toy play --config {}", path.display()), &[]).unwrap_err();
    assert!(refused.ends_with("unknown key `play.pears`; did you mean `play.peers`?"), "{refused}");
}

#[test]
fn a_name_in_quotes_is_one_name_and_no_path() {
    let fullrt = |content: &str| {
        let (_dir, path) = file("toy.toml", content);
        value(&format!("toy play --config {}", path.display()), &[], "play.dht.fullrt")
    };
    for content in ["play.dht.fullrt = true", "[play]\n'dht'.'fullrt' = true", "'play.dht.fullrt' = true"] {
        assert_eq!(fullrt(content), Ok(Some("true".to_owned())), "{content}");
    }
    for (content, said) in [
        ("[play]\n'dht.fullrt' = true", "unknown key `play.\"dht.fullrt\"`; did you mean `play.dht.fullrt`?"),
        ("['']\nplay.dht.fullrt = true", "unknown key `\"\".play.dht.fullrt`; did you mean `play.dht.fullrt`?"),
        ("[play]\n'' = true", "unknown key `play.\"\"`"),
    ] {
        let refused = fullrt(content).expect_err(content);
        assert!(refused.ends_with(said), "{refused}");
    }
}

#[test]
fn a_table_where_no_value_is_says_nothing_or_is_refused_by_its_place() {
    let peers = |content: &str| {
        let (_dir, path) = file("toy.toml", content);
        let place = path.display().to_string();
        let peers = value(&format!("toy play --config {}", path.display()), &[], "play.peers");
        peers.map_err(|error| error.replace(&place, "FILE"))
    };
    for content in ["[x]", "[play]", "[play.dht]\n[play.dht.x]", ""] {
        assert_eq!(peers(content), Ok(Some("3".to_owned())), "{content}");
    }
    let key = "configuration file FILE, key `play.peers`: cannot use";
    let unknown = |name: &str| format!("configuration file FILE: unknown key `\"{name}\"`");
    for (content, refused) in [
        ("[play.peers]", format!("{key} `{{  }}`: expected a whole number")),
        (
            "[play.peers]\nx = 1",
            "configuration file FILE: unknown key `play.peers.x`; did you mean `play.peers`?".to_owned(),
        ),
        ("play = 1", "configuration file FILE: unknown key `play`".to_owned()),
        ("'play.peers[0]' = 1", unknown("play.peers[0]")),
        ("'play[-2]' = 1", unknown("play[-2]")),
        ("'play[9223372036854775807]' = 1", unknown("play[9223372036854775807]")),
        ("[play]\n'peers[1]' = 1", "configuration file FILE: unknown key `play.\"peers[1]\"`".to_owned()),
    ] {
        assert_eq!(peers(content), Err(refused), "{content}");
    }
}

#[test]
fn words_are_split_into_command_action_argument_and_flags() {
    let words = split("toy play alone --fleet x").unwrap();
    assert_eq!((words.command.name, words.meant.map(|meant| meant.name)), ("play", Some("play")));
    assert_eq!(words.argument, Some((ACTION, "alone".to_owned())));
    assert_eq!(words.flags["play.fleet"], [("fleet", "x".to_owned())]);
    assert_eq!(split("toy play").unwrap().argument, None);
    assert_eq!(split("toy find it").unwrap().argument, Some(("WHAT", "it".to_owned())));

    let words = split("toy tell --format x play --fleet y dht").unwrap();
    assert_eq!((words.command.name, words.meant.map(|meant| meant.name)), ("tell", Some("play")));
    assert_eq!((words.flags.len(), words.argument), (2, Some((ACTION, "dht".to_owned()))));
    assert_eq!(split("toy tell").unwrap().meant, None);
    for (line, is_failure) in [("toy", true), ("toy keep", true), ("toy find", true), ("toy play -h", false)] {
        assert_eq!(split(line).unwrap_err().is_failure(), is_failure, "{line}");
    }
    command_line(app(), &BINARY).debug_assert();
}

#[test]
fn a_letter_stands_for_a_flag_of_each_command_that_has_it() {
    let flags = |line: &str| {
        let flags = split(line).unwrap().flags.into_iter();
        flags.map(|(name, given)| format!("{name}: {given:?}")).collect::<Vec<_>>()
    };
    for line in ["toy play -p 6", "toy play -p6", "toy play -p=6", "toy play --peers 6", "toy play -peers 6"] {
        assert_eq!(flags(line), [r#"play.peers: [("peers", "6")]"#], "{line}");
    }
    let both = [r#"play.peers: [("peers", "6")]"#, r#"tell.format: [("format", "x")]"#];
    assert_eq!(flags("toy tell -p x play -p 6"), both);
    let refused = split("toy play --p 6").unwrap_err().to_string();
    assert!(refused.contains("unexpected argument '--p'"), "{refused}");
    assert!(split("toy play --help").unwrap_err().to_string().contains("-p, --peers <N>"));
}

#[test]
fn the_help_says_what_is_declared_and_nothing_else() {
    let help = |line: &str| split(line).unwrap_err().to_string();
    let play = help("toy play --help");
    assert!(play.contains("[env: TOY_PLAY_FLEET, TOY_FLEET]") && play.contains("  9  badly"), "{play}");
    assert!(!play.contains("--luck"), "{play}");
    assert!(help("toy keep empty --help").contains("--peers") && !help("toy keep list --help").contains("--peers"));
    assert!(!help("toy find --help").contains("badly"));
}

#[test]
fn of_a_secret_and_its_file_the_higher_layer_wins_and_one_layer_has_one() {
    let (_dir, path) = file("secret", "geheim\r\n");
    let path = path.to_str().unwrap();
    let password = |line: &str, variables: &[(&str, &str)]| value(line, variables, "password");
    assert_eq!(password("toy find x", &[("TOY_PASSWORD_FILE", path)]), Ok(Some("geheim".to_owned())));
    assert_eq!(password("toy find x --db-password y", &[("TOY_PASSWORD_FILE", path)]), Ok(Some("y".to_owned())));
    let both = password("toy find x", &[("TOY_PASSWORD_FILE", path), ("TOY_PASSWORD", "z")]).unwrap_err();
    assert!(both.ends_with("TOY_PASSWORD_FILE are both set; set only one of them"), "{both}");
    let line = ["toy", "--db-password", "geheim", "find", "-db-password=geheim"].map(OsString::from);
    assert_eq!(redacted(app(), line), "toy --db-password *** find -db-password=***");
}

#[test]
fn what_is_odd_is_told() {
    let variables = [("TOY_FLEET", "x"), ("TOY_PLAY_PAERS", "1"), ("TOY_PLAY_LUCK", "8"), ("OTHER", "1")];
    let (_, odd) = merged("toy play --dht-server", &variables).unwrap();
    let expected = [
        "environment variable TOY_PLAY_PAERS is not known and has no effect; did you mean `TOY_PLAY_PEERS`?",
        "environment variable TOY_FLEET is an older name, still read, of TOY_PLAY_FLEET",
        "flag --dht-server is an older name, still read, of --server-mode",
        "environment variable TOY_PLAY_LUCK has no effect: there is none",
    ];
    assert_eq!(odd, expected);
    assert_eq!(merged("toy tell play --luck 7", &[]).unwrap().1, [""; 0], "that is what the default says");
}

#[test]
fn what_is_shown_as_a_file_means_the_same_when_it_is_read() {
    let (from, _) =
        merged("toy tell play --peers 6 --fullrt --db-password geheim --luck 8", &[("TOY_FLEET", "a\t\"b\"")]).unwrap();
    let text = toml(&Setting::all(&from));
    assert!(text.contains("\n# password = \"***\" # flag --db-password\n") && text.contains("# play.luck"), "{text}");
    let (_dir, path) = file("toy.toml", &text);
    let (again, _) = merged(&format!("toy play --config {}", path.display()), &[]).unwrap();
    for name in ["play.peers", "play.dht.fullrt", "play.fleet", "play.rounds"] {
        let read = |from: &Sources| from.optional(name, from.key(name).meaning);
        assert_eq!(read(&again), read(&from), "{name}:\n{text}");
    }
    let lines = table(&Setting::all(&merged("toy tell", &[]).unwrap().0));
    assert!(lines.contains("play.peers") && !lines.contains("tell.format"), "{lines}");
    let rows = schema(&app().table);
    assert_eq!(rows.as_array().unwrap().len(), app().keys().count());
}
