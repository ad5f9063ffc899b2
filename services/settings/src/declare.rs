//! How the settings of a command are declared: each of them once.

use parsec_layers::{ConfigError, Section, Sources};

/// Settings that belong together.
pub(crate) trait Settings: Sized {
    /// Adds their sections to those of a command.
    fn sections(found: &mut Vec<&'static Section>);

    /// Reads them.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    fn read(from: &Sources) -> Result<Self, ConfigError>;
}

/// Declares settings that belong together: a struct with a field for each, the rows that command line, environment, file,
/// help and documentation are made of, and how they are read.
///
/// It begins with the name of the struct and the heading of the section. A line is a setting: field and type; file key, flag
/// and placeholder; what else there is to say of it, such as its default; how a text is read, if not as all values of that
/// type are; and what it means. A setting that nobody has to make has the type `Option`. Before them, a line with a plus is a
/// part: settings that other commands have, too. Behind them, a line with an arrow is a field that is made of what is above.
/// Reading goes from top to bottom, and a reader may use the fields above its own.
macro_rules! settings {
    (
        $(#[$doc:meta])* $struct:ident($from:ident) = $heading:literal $($global:ident)?;
        $(+ $part:ident: $part_type:ty, $part_help:expr;)*
        $($field:ident: $type:ty = ($name:literal, $flag:literal, $placeholder:literal)
            $(.$detail:ident($($given:expr),*))* $(by $reader:expr)?, $help:expr;)*
        $(=> $made:ident: $made_type:ty = $made_value:expr, $made_help:expr;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $struct {
            $(#[doc = $part_help] pub $part: $part_type,)*
            $(#[doc = $help] pub $field: $type,)*
            $(#[doc = $made_help] pub $made: $made_type,)*
        }

        impl $crate::declare::Settings for $struct {
            fn sections(found: &mut Vec<&'static parsec_layers::Section>) {
                static SECTION: parsec_layers::Section = parsec_layers::Section {
                    heading: $heading,
                    global: !stringify!($($global)?).is_empty(),
                    keys: &[$(
                        $crate::declare::row!($type, $name, $flag, $placeholder)
                            $(.$detail($($given),*))*
                            .help($help)
                    ),*],
                };
                $(<$part_type as $crate::declare::Settings>::sections(found);)*
                found.extend((!SECTION.keys.is_empty()).then_some(&SECTION));
            }

            fn read($from: &parsec_layers::Sources) -> Result<Self, parsec_layers::ConfigError> {
                $(let $part = <$part_type as $crate::declare::Settings>::read($from)?;)*
                $(let $field: $type = $crate::values::field($from, $name, $crate::declare::reader!($type $(, $reader)?))?;)*
                $(let $made = $made_value;)*
                Ok(Self { $($part,)* $($field,)* $($made,)* })
            }
        }
    };
}

/// How the text of a setting is read: as said, or as all values of its type are.
macro_rules! reader {
    ($type:ty) => {
        <<$type as $crate::values::Field>::Value as $crate::values::Value>::read
    };
    ($type:ty, $reader:expr) => {
        $reader
    };
}

/// A row of the table: type, file key, flag and placeholder. The environment variable follows from the file key by a rule:
/// `PARSEC_` and the key in capitals, with `_` for each dot. Exceptions say so with `.variable(…)`.
macro_rules! row {
    ($type:ty, $name:literal, $flag:literal, $placeholder:literal) => {{
        const BYTES: [u8; $name.len() + $crate::declare::PREFIX.len()] = $crate::declare::by_rule($name);
        const VARIABLE: &str = match std::str::from_utf8(&BYTES) {
            Ok(variable) => variable,
            Err(_) => panic!("the names of settings are ASCII"),
        };
        parsec_layers::Key::new($crate::values::form::<$type>(), ($name, $flag, $placeholder), VARIABLE)
    }};
}

pub(crate) use {reader, row, settings};

/// What our variables begin with.
pub(crate) const PREFIX: &str = "PARSEC_";

/// The bytes of the environment variable of the setting `name`.
pub(crate) const fn by_rule<const N: usize>(name: &str) -> [u8; N] {
    let (name, prefix) = (name.as_bytes(), PREFIX.as_bytes());
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = match index.checked_sub(prefix.len()) {
            None => prefix[index],
            Some(index) if name[index] == b'.' => b'_',
            Some(index) => name[index].to_ascii_uppercase(),
        };
        index += 1;
    }
    bytes
}
