//! What is no text: variables and arguments may hold anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::tests::BINARY;

fn run(line: &str, variable: &str) -> Result<(), String> {
    let latin1 = OsString::from_vec(b"geheim \xfc".to_vec());
    let environment = BTreeMap::from([(variable.to_owned(), latin1)]);
    let words = line.split_whitespace().map(OsString::from);
    crate::cli::parse(words, &environment, &BINARY).map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_variable_that_is_not_utf8_is_named_and_no_default_stands_in_for_it() {
    for (variable, shown) in
        [("PARSEC_DATABASE_PASSWORD", "***"), ("PARSEC_SERVER_FLEET", "geheim \u{fffd}"), ("PARSEC_CONFIG", "geheim")]
    {
        let message = run("parsec server", variable).unwrap_err();
        let beginning = format!("error: environment variable {variable}: cannot use `{shown}");
        assert!(message.starts_with(&beginning) && message.contains("it is not UTF-8"), "{message}");
    }
}

#[test]
fn a_variable_that_is_not_utf8_harms_nobody_who_does_not_read_it() {
    assert_eq!(run("parsec server --db-password x", "PARSEC_DATABASE_PASSWORD"), Ok(()));
    assert_eq!(run("parsec health localhost:1", "PARSEC_DATABASE_PASSWORD"), Ok(()));
    assert_eq!(run("parsec server", "HOME"), Ok(()));
}

#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    let words = [b"parsec".to_vec(), b"server".to_vec(), b"--fleet".to_vec(), b"\xfc".to_vec()];
    let refused = crate::cli::parse(words.map(OsString::from_vec), &BTreeMap::new(), &BINARY).unwrap_err();
    assert!(refused.to_string().contains("UTF-8"), "{refused}");
}
