//! `parsec config`: the settings that a command would run with, and where each of them came from.

use parsec_layers::{Setting, Used, schema, table, toml};
use serde_json::Value;

use crate::common::CommonConfig;
use crate::declare::settings;
use crate::values::choice;

choice! {
    /// How settings are written.
    ShowFormat {
        Text = "text" or "table", "For people";
        Json = "json", "One array of objects";
        Toml = "toml", "A configuration file";
    }
}

settings! {
    /// `parsec config`.
    ShowConfig(from) = "Config";
    + common: CommonConfig, "What every command has";
    format: ShowFormat = ("show.format", "format", "FORMAT").default("text"), "How settings are written";
    schema: bool = ("show.schema", "schema", "BOOL"), "Print every setting of every command as JSON, for programs";
    => table: &'static [Used] = &from.app.table, "Every setting, with the commands that use it";
    => settings: Vec<Setting> = if schema { Vec::new() } else { Setting::all(from) }, "The settings of the command that is asked for";
}

impl ShowConfig {
    /// What to print.
    pub fn text(&self) -> String {
        match self.format {
            _ if self.schema => format!("{:#}", schema(self.table)),
            ShowFormat::Text => table(&self.settings),
            ShowFormat::Json => format!("{:#}", self.settings.iter().map(Setting::json).collect::<Value>()),
            ShowFormat::Toml => toml(&self.settings),
        }
    }
}

#[cfg(test)]
mod tests;
