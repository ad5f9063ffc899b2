//! The table of settings for programs: what deployment files name is checked against it.

use serde_json::{Value, json};

use crate::declared::SECTIONS;
use crate::key::{Key, Program, Secrecy, Section};

/// Every setting of every subcommand, one object for each.
pub(super) fn schema() -> Value {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| row(section, key))).collect()
}

fn row(section: &Section, key: &Key) -> Value {
    let programs: Vec<_> = section.used_by.iter().copied().map(Program::name).collect();
    json!({
        "section": section.heading,
        "programs": programs,
        "name": key.name,
        "flag": key.flag,
        "older_flags": key.older_flags,
        "variable": key.variable,
        "older_variables": key.older_variables,
        "kind": key.kind.as_str(),
        "default": key.default,
        "secret": key.secrecy != Secrecy::Open,
        "no_effect": key.idle,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::keys;

    #[test]
    fn the_table_for_programs_names_every_setting() {
        let schema = schema();
        let rows = schema.as_array().unwrap();
        let find = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(rows.len(), keys().count());
        assert_eq!(
            *find("server.dht.server_mode"),
            json!({
                "section": "Server", "programs": ["server"], "name": "server.dht.server_mode", "flag": "server-mode",
                "older_flags": ["dht-server"], "variable": "PARSEC_SERVER_DHT_SERVER_MODE",
                "older_variables": ["PARSEC_SERVER_DHT_SERVER"], "kind": "switch", "default": "false", "secret": false,
                "no_effect": null
            })
        );
        assert_eq!(find("database.password")["secret"], true);
        assert_eq!(find("aws.region")["default"], Value::Null);
        assert_eq!(find("server.level_db")["no_effect"], "provider records are kept in memory");
    }
}
