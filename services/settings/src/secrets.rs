//! Secrets: where they come from, and that nobody sees them.

use crate::tests::{file, parts, run, server};

#[test]
fn the_password_may_stand_in_a_file_of_its_own() {
    let (_dir, path) = file("password", "geheim\n");
    let path = path.to_str().unwrap();
    let in_file = ("PARSEC_DATABASE_PASSWORD_FILE", path);
    assert_eq!(parts(server("", &[in_file])).password.expose(), "geheim");
    assert_eq!(parts(server("--db-password flag", &[in_file])).password.expose(), "flag", "flags win");
    let environment = [("PARSEC_DATABASE_PASSWORD", "env")];
    assert_eq!(parts(server(&format!("--db-password-file {path}"), &environment)).password.expose(), "geheim");
    assert_eq!(
        run("server", &[in_file, environment[0]]).unwrap_err(),
        "error: environment variable PARSEC_DATABASE_PASSWORD and environment variable PARSEC_DATABASE_PASSWORD_FILE are both set; set only one of them"
    );
    assert!(run("server --database-url sqlite:x.db", &[("PARSEC_DATABASE_PASSWORD_FILE", "/nowhere")]).is_ok());
}

#[test]
fn a_file_that_holds_no_password_is_refused_by_its_name() {
    let (_dir, empty) = file("password", "\r\n");
    let (_dir, long) = file("password", &"x".repeat(4097));
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    for (path, word) in [
        (empty.to_str().unwrap(), "it is empty; expected a secret in it"),
        (long.to_str().unwrap(), "it has more than 4096 bytes"),
        (binary.to_str().unwrap(), "valid UTF-8"),
        (dir.path().to_str().unwrap(), "Is a directory"),
        ("/nowhere", "No such file"),
    ] {
        let message = run("server", &[("PARSEC_DATABASE_PASSWORD_FILE", path)]).unwrap_err();
        let beginning = format!("error: environment variable PARSEC_DATABASE_PASSWORD_FILE: cannot read {path}: ");
        assert!(message.starts_with(&beginning) && message.contains(word), "{message}");
    }
}

#[test]
fn a_password_may_hold_anything_but_a_line_break_at_its_end() {
    for (content, password) in [
        ("geheim", "geheim"),
        ("geheim\r\n", "geheim"),
        (" a b\t", " a b\t"),
        ("a\nb\n", "a\nb"),
        ("-x", "-x"),
        (&"x".repeat(4096), &"x".repeat(4096)),
    ] {
        let (_dir, path) = file("password", content);
        let config = server(&format!("--db-password-file {}", path.display()), &[]);
        assert_eq!(parts(config).password.expose(), password);
    }
    assert_eq!(parts(server("--db-password -geheim --fleet x", &[])).password.expose(), "-geheim");
    assert_eq!(parts(server("--db-password=--geheim", &[])).password.expose(), "--geheim");
}

#[test]
fn a_password_is_given_once() {
    let (_dir, path) = file("password", "geheim");
    let message = run(&format!("server --db-password a --db-password-file {}", path.display()), &[]).unwrap_err();
    assert_eq!(message, "error: flag --db-password and flag --db-password-file are both set; set only one of them");
    let (_dir, config) = file("p.toml", &format!("[database]\npassword = 'a'\npassword_file = '{}'\n", path.display()));
    let message = run(&format!("server --config {}", config.display()), &[]).unwrap_err();
    let key = |name| format!("configuration file {}, key `database.{name}`", config.display());
    assert_eq!(
        message,
        format!("error: {} and {} are both set; set only one of them", key("password"), key("password_file"))
    );
}

#[test]
fn no_secret_is_shown_by_a_configuration() {
    let config = server("--db-password geheim", &[]);
    assert!(!format!("{config:?}").contains("geheim"));
    let config = server("--database-url postgres://u:geheim@h/n", &[]);
    assert!(!format!("{config:?}").contains("geheim"));
}
