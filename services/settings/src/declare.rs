//! How the settings of a command are declared: each of them once.

/// Declares the settings of a command: a struct with a field for each, the rows that command line, environment, file, help
/// and documentation are made of (`KEYS`), and how they are read (`read`).
///
/// A line says: field and type; kind, file key, flag and placeholder; what else there is to say of it, such as its default;
/// whether it must have a value and how a text is read; and what it means. Reading goes from top to bottom, and a reader may
/// use the fields above its own. A line with a plus is a field that is no setting of this command alone.
macro_rules! settings {
    (
        $(#[$doc:meta])* $struct:ident read($from:ident $(, $argument:ident: $argument_type:ty)*);
        $(+ $(#[$part_doc:meta])* $part:ident: $part_type:ty = $part_value:expr;)*
        $($field:ident: $type:ty = $kind:ident($name:literal, $flag:literal, $placeholder:literal)
            $(.$detail:ident($($given:expr),*))*, $get:ident $reader:expr, $help:expr;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $struct {
            $($(#[$part_doc])* pub $part: $part_type,)*
            $(#[doc = $help] pub $field: $type,)*
        }

        impl $struct {
            /// The rows of the table of settings.
            pub(crate) const KEYS: &'static [$crate::key::Key] = &[$(
                $crate::declare::row!($kind, $name, $flag, $placeholder)
                    $(.$detail($($given),*))*
                    .help($help)
            ),*];

            /// Reads them.
            ///
            /// # Errors
            /// Names the first setting that cannot be used.
            pub(crate) fn read(
                $from: &$crate::sources::Sources
                $(, $argument: $argument_type)*
            ) -> Result<Self, $crate::error::ConfigError> {
                $(let $part = $part_value;)*
                $(let $field = $from.$get($name, $reader)?;)*
                Ok(Self { $($part,)* $($field,)* })
            }
        }
    };
}

/// A row of the table: kind, file key, flag and placeholder. The environment variable follows from the file key by a rule:
/// `PARSEC_` and the key in capitals, with `_` for each dot. Exceptions say so with `.variable(…)`.
macro_rules! row {
    ($kind:ident, $name:literal, $flag:literal, $placeholder:literal) => {{
        const LENGTH: usize = $name.len() + $crate::declare::PREFIX.len();
        const BYTES: [u8; LENGTH] = $crate::declare::by_rule($name);
        const VARIABLE: &str = match std::str::from_utf8(&BYTES) {
            Ok(variable) => variable,
            Err(_) => panic!("the names of settings are ASCII"),
        };
        $crate::key::Key::$kind($name, $flag, VARIABLE, $placeholder)
    }};
}

pub(crate) use {row, settings};

/// What our variables begin with.
pub(crate) const PREFIX: &str = "PARSEC_";

/// The bytes of the environment variable of the setting `name`.
pub(crate) const fn by_rule<const N: usize>(name: &str) -> [u8; N] {
    let (name, prefix) = (name.as_bytes(), PREFIX.as_bytes());
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = if index < prefix.len() {
            prefix[index]
        } else {
            match name[index - prefix.len()] {
                b'.' => b'_',
                letter => letter.to_ascii_uppercase(),
            }
        };
        index += 1;
    }
    bytes
}
