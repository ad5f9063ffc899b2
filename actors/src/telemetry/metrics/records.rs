//! Counters of records: what peers confirmed, and what was found at the closest peers later.

use std::time::Duration;

use parsec_measure::{CHECK_AGES, FollowUp, HolderCheck};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels;

/// The label of each of [`CHECK_AGES`].
const AGES: [&str; CHECK_AGES.len()] = ["0h", "1h", "12h", "24h"];

/// The label of any other age.
const OTHER_AGE: &str = "other";

/// The possible results for one of the closest peers.
const OUTCOMES: [&str; 3] = ["held", "missing", "silent"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checked {
    age: &'static str,
    outcome: &'static str,
    fleet: String,
}

/// Counters of records.
#[derive(Debug, Default)]
pub(super) struct RecordMetrics {
    background_puts: Family<labels::Outcome, Counter>,
    confirmed_puts: Family<labels::Fleet, Counter>,
    unconfirmed_publications: Family<labels::Fleet, Counter>,
    checked_holders: Family<Checked, Counter>,
}

impl RecordMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "parsec_background_puts",
            "Puts of publications by what became of them, counted when the last of a publication has ended; pending were \
             cut off by a stop",
            self.background_puts.clone(),
        );
        registry.register(
            "parsec_confirmed_puts",
            "Puts that the peer has taken in, as the clean end of its stream says",
            self.confirmed_puts.clone(),
        );
        registry.register(
            "parsec_unconfirmed_publications",
            "Publications whose record was written to peers, and confirmed by none of them",
            self.unconfirmed_publications.clone(),
        );
        registry.register(
            "parsec_checked_holders",
            "Closest peers asked for a record of a known age, by what they said: held, missing, or silent",
            self.checked_holders.clone(),
        );
    }

    /// A server of this fleet begins to serve: its counters are created at zero.
    pub(super) fn serving(&self, fleet: &str) {
        for outcome in ["stored", "failed", "pending"] {
            let _ = self.background_puts.get_or_create(&labels::Outcome::new(outcome, fleet));
        }
        let _ = self.confirmed_puts.get_or_create(&labels::Fleet::new(fleet));
        let _ = self.unconfirmed_publications.get_or_create(&labels::Fleet::new(fleet));
        for (age, outcome) in AGES.into_iter().flat_map(|age| OUTCOMES.map(|outcome| (age, outcome))) {
            let _ = self.checked_holders.get_or_create(&Checked { age, outcome, fleet: fleet.to_owned() });
        }
    }

    /// A publication has ended.
    pub(super) fn followed_up(&self, fleet: &str, follow_up: &FollowUp) {
        let pending = follow_up.pending.unwrap_or(0);
        for (outcome, puts) in [("stored", follow_up.stored), ("failed", follow_up.failed), ("pending", pending)] {
            self.background_puts.get_or_create(&labels::Outcome::new(outcome, fleet)).inc_by(u64::from(puts));
        }
        let confirmed = u64::from(follow_up.confirmed.unwrap_or(0));
        self.confirmed_puts.get_or_create(&labels::Fleet::new(fleet)).inc_by(confirmed);
        let unconfirmed = u64::from(follow_up.is_unconfirmed());
        self.unconfirmed_publications.get_or_create(&labels::Fleet::new(fleet)).inc_by(unconfirmed);
    }

    /// The closest peers were asked for a record of this age.
    pub(super) fn checked(&self, fleet: &str, after: Duration, holders: &[HolderCheck]) {
        let age = CHECK_AGES.into_iter().zip(AGES).find(|(age, _)| *age == after).map_or(OTHER_AGE, |(_, name)| name);
        for holder in holders {
            let outcome = match (holder.answered, holder.has_record) {
                (_, true) => "held",
                (true, false) => "missing",
                (false, false) => "silent",
            };
            self.checked_holders.get_or_create(&Checked { age, outcome, fleet: fleet.to_owned() }).inc();
        }
    }
}
