//! Whether a record is where it was put: what is planned to be looked at, and what was seen.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AttemptId, Fleet, FollowUp, NodeId, clock};

/// How old a record is when it is looked for: right after the last put, and after 1, 12 and 24 hours, which spans the 22 h
/// after which providers of the field publish again.
pub const CHECK_AGES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(3_600), Duration::from_secs(12 * 3_600), Duration::from_secs(24 * 3_600)];

/// The identity of a check, made when it is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CheckId(pub Uuid);

impl CheckId {
    /// A new identity, ordered by time (UUIDv7).
    pub fn fresh() -> Self {
        Self(clock::fresh_id())
    }
}

/// A look at the true closest peers of a key, at a time that is known beforehand. Whoever does it need not be the server
/// that published: that one may have been started again since, under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCheck {
    /// Its identity.
    pub id: CheckId,
    /// The attempt that published, if it was made under one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    /// The node that published.
    pub node: NodeId,
    /// Its fleet: another server of it may take the check over,
    pub fleet: Fleet,
    /// if it runs in the same region.
    pub region: String,
    /// The key.
    pub cid: String,
    /// The peer id that the record names.
    pub provider: String,
    /// When the last put had ended.
    pub published: DateTime<Utc>,
    /// How long after that to look: one of [`CHECK_AGES`].
    pub after: Duration,
}

impl PlannedCheck {
    /// When to look.
    pub fn due(&self) -> DateTime<Utc> {
        self.published + self.after
    }
}

/// What one of the closest peers said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderCheck {
    /// Its peer id.
    pub holder: String,
    /// Its place among the closest, from 1.
    pub rank: u32,
    /// Whether it gave a proper answer.
    pub answered: bool,
    /// Whether its answer named the provider.
    pub has_record: bool,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckDone {
    /// When the last peer had been asked.
    pub at: DateTime<Utc>,
    /// The node that asked.
    pub by: NodeId,
    /// The closest peers at that time, closest first.
    pub holders: Vec<HolderCheck>,
}

/// A check as it is recorded: when it is planned, and again when it was made. One that nobody made stays visibly open.
/// It is written into files as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCheck {
    /// What was planned.
    #[serde(flatten)]
    pub plan: PlannedCheck,
    /// What was seen; `None` until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<CheckDone>,
}

impl PlannedCheck {
    /// The checks of a publication by `node` that ended at `published`: none if it chose nobody who may have the record.
    pub fn of_publication(
        follow_up: &FollowUp,
        node: NodeId,
        (fleet, region, provider): (&Fleet, &str, &str),
        published: DateTime<Utc>,
    ) -> Vec<Self> {
        if follow_up.stored == 0 {
            return Vec::new();
        }
        let plan = |after| Self {
            id: CheckId::fresh(),
            attempt: follow_up.attempt,
            node,
            fleet: fleet.clone(),
            region: region.to_owned(),
            cid: follow_up.cid.clone(),
            provider: provider.to_owned(),
            published,
            after,
        };
        CHECK_AGES.into_iter().map(plan).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow_up(stored: u32) -> FollowUp {
        FollowUp {
            attempt: Some(AttemptId::fresh()),
            cid: "Qm".to_owned(),
            stored,
            confirmed: Some(0),
            failed: 20 - stored,
            pending: Some(0),
            duration: Duration::from_secs(3),
            confirming: Duration::ZERO,
        }
    }

    fn checks(stored: u32) -> Vec<PlannedCheck> {
        let published = "2026-01-02T03:04:05Z".parse().unwrap();
        let whose = (&"default".parse().unwrap(), "eu", "12D3KooW");
        PlannedCheck::of_publication(&follow_up(stored), NodeId(7), whose, published)
    }

    #[test]
    fn a_publication_is_looked_for_right_after_it_and_after_1_12_and_24_hours() {
        let checks = checks(20);
        let due: Vec<_> = checks.iter().map(|check| check.due().to_rfc3339()).collect();
        assert_eq!(
            due,
            [
                "2026-01-02T03:04:05+00:00",
                "2026-01-02T04:04:05+00:00",
                "2026-01-02T15:04:05+00:00",
                "2026-01-03T03:04:05+00:00",
            ]
        );
        assert!(checks.windows(2).all(|two| two[0].id != two[1].id && two[0].cid == two[1].cid));
    }

    #[test]
    fn one_that_was_stored_nowhere_is_not_looked_for() {
        assert_eq!(checks(0), []);
        assert_eq!(checks(1).len(), 4, "also if nobody confirmed it: that is worth knowing");
    }
}
