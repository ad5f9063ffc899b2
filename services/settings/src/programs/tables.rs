//! Short ways to what is declared, for tests.

use parsec_layers::{Key, Used};

use super::{Program, app};

/// Every section of settings, and the commands that use it.
pub(crate) fn table() -> &'static [Used] {
    &app().table
}

/// Every setting, in the order of the table.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    app().keys()
}

impl Program {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        self.declared().name
    }

    /// The settings that it uses.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        self.declared().keys()
    }
}
