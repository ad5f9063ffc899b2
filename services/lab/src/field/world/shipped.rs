//! The worlds that come with parsec.

use super::World;

/// Their names and files.
pub const SHIPPED: [(&str, &str); 4] = [
    ("amino-2022", include_str!("../../../worlds/amino-2022.toml")),
    ("amino-2023-silent", include_str!("../../../worlds/amino-2023-silent.toml")),
    ("amino-2026", include_str!("../../../worlds/amino-2026.toml")),
    ("private-50", include_str!("../../../worlds/private-50.toml")),
];

impl World {
    /// The world of this name that comes with parsec, if there is one.
    pub fn shipped(name: &str) -> Option<Self> {
        let (_, text) = SHIPPED.into_iter().find(|(shipped, _)| *shipped == name)?;
        Some(Self::read(name, text).expect("a test reads every world that is shipped"))
    }
}
