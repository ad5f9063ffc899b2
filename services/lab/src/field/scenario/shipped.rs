//! The scenarios that come with parsec.

use super::Scenario;

/// Their names and files.
pub const SHIPPED_SCENARIOS: [(&str, &str); 5] = [
    ("silent-2023", include_str!("../../../scenarios/silent-2023.toml")),
    ("merge", include_str!("../../../scenarios/merge.toml")),
    ("udp-blocked", include_str!("../../../scenarios/udp-blocked.toml")),
    ("half-leaves", include_str!("../../../scenarios/half-leaves.toml")),
    ("churn", include_str!("../../../scenarios/churn.toml")),
];

impl Scenario {
    /// The scenario of this name that comes with parsec, if there is one.
    pub fn shipped(name: &str) -> Option<Self> {
        let (_, text) = SHIPPED_SCENARIOS.into_iter().find(|(shipped, _)| *shipped == name)?;
        Some(Self::read(name, text).expect("a test reads every scenario that is shipped"))
    }
}
