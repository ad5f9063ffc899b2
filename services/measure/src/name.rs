//! Names that are kept as text: in databases, answers and metrics.

use thiserror::Error;

/// Has values written down as the text that they display as, and read back from it.
macro_rules! as_text {
    ($($type:ty),+) => {
        $(
            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    to.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )+
    };
}

pub(crate) use as_text;

/// A name from a database or an answer that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} `{name}`")]
pub struct UnknownName {
    /// Of which list the name should have been.
    pub what: &'static str,
    /// The name that was found.
    pub name: String,
}
