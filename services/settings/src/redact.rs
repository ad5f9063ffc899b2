//! Command lines without their secrets.

use std::ffi::OsString;

use crate::programs::app;

/// The command line as it may be stored and shown: the values of secret flags are blanked, and so is
/// every password in a URL or a login, wherever it stands.
pub fn redacted(args: impl IntoIterator<Item = OsString>) -> String {
    parsec_layers::redacted(app(), args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_command_line_are_blanked_wherever_they_stand() {
        for (line, shown) in [
            ("parsec --db-password geheim server", "parsec --db-password *** server"),
            ("parsec server --db-password=geheim --fleet x", "parsec server --db-password=*** --fleet x"),
            ("parsec server --db-password=a=geheim", "parsec server --db-password=***"),
            ("parsec server --db-password --geheim", "parsec server --db-password ***"),
            ("parsec server --db-password", "parsec server --db-password"),
            ("parsec -db-password geheim server", "parsec -db-password *** server"),
            ("parsec -db-password=geheim server", "parsec -db-password=*** server"),
            ("parsec server --db-password -geheim dht", "parsec server --db-password *** dht"),
            ("parsec server --api-token geheim", "parsec server --api-token ***"),
            ("parsec scheduler --api-token=geheim --fleets a", "parsec scheduler --api-token=*** --fleets a"),
            ("parsec server --api-token-file /run/x", "parsec server --api-token-file /run/x"),
            ("parsec server --db-password-file /run/x", "parsec server --db-password-file /run/x"),
            ("--database-url postgres://u:geheim@h:1/n", "--database-url postgres://u:***@h:1/n"),
            ("--database-url=postgres://u:geheim@h/n", "--database-url=postgres://u:***@h/n"),
            ("--database-url=postgres://u:ge@he:/im@h/n?x=1", "--database-url=postgres://u:***@h/n?x=1"),
            ("--database-url=postgres://h/n?password=geheim&x=1", "--database-url=postgres://h/n?password=***&x=1"),
            ("--database-url=postgres://u@h/n", "--database-url=postgres://u@h/n"),
            ("--database-url sqlite:/var/p.db", "--database-url sqlite:/var/p.db"),
            ("typo postgres://u:geheim@h/n", "typo postgres://u:***@h/n"),
            ("--db-host postgres://u:geheim@h/n", "--db-host postgres://u:***@h/n"),
            ("--db-host u:geheim@h", "--db-host u:***@h"),
            ("--db-name=password=geheim", "--db-name=password=***"),
            (
                "server --alpha=3 --external-addresses /ip4/1.2.3.4/tcp/1",
                "server --alpha=3 --external-addresses /ip4/1.2.3.4/tcp/1",
            ),
        ] {
            let result = redacted(line.split(' ').map(OsString::from));
            assert_eq!(result, shown);
            assert!(!result.contains("geheim"));
        }
    }
}
