//! Publications of many keys: apart from those of single ones, whose durations they would distort.

use parsec_measure::{Manner, OutcomeClass, ProvidedMany};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the durations, in seconds: up to the time limit of such a request.
const BUCKETS: [f64; 13] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0];

/// What can become of a key.
const OF_KEYS: [OutcomeClass; 8] = [
    OutcomeClass::Ok,
    OutcomeClass::Timeout,
    OutcomeClass::NoPeers,
    OutcomeClass::DialFailed,
    OutcomeClass::NoTransport,
    OutcomeClass::LocalLimit,
    OutcomeClass::Protocol,
    OutcomeClass::Cancelled,
];

/// What becomes of a request for many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All keys are published.
    Published,
    /// Some keys are published.
    Partly,
    /// No key is published.
    Nowhere,
    /// Another one is under way.
    Busy,
    /// The node does not measure, or has broken.
    Failed,
    /// Whoever asked has gone.
    Abandoned,
}

impl End {
    const ALL: [Self; 6] = [Self::Published, Self::Partly, Self::Nowhere, Self::Busy, Self::Failed, Self::Abandoned];

    fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Partly => "partly",
            Self::Nowhere => "nowhere",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    fn of(all: &ProvidedMany) -> Self {
        match all.lost() {
            0 => Self::Published,
            lost if lost < all.keys.len() => Self::Partly,
            _ => Self::Nowhere,
        }
    }
}

/// The strategy as the request has it: `each` or `sweep`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Many {
    strategy: &'static str,
    fleet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    strategy: &'static str,
    outcome: &'static str,
    fleet: String,
}

impl Many {
    fn new(fleet: &str, manner: Manner) -> Self {
        Self { strategy: manner.as_str(), fleet: fleet.to_owned() }
    }

    fn outcome(&self, outcome: &'static str) -> Outcome {
        Outcome { strategy: self.strategy, outcome, fleet: self.fleet.clone() }
    }
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub(super) struct ManyMetrics {
    publications: Family<Outcome, Counter>,
    keys: Family<Outcome, Counter>,
    durations: Family<Many, Histogram>,
    records: Family<Many, Counter>,
    questions: Family<Many, Counter>,
    dials: Family<Many, Counter>,
}

impl Default for ManyMetrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            publications: Family::default(),
            keys: Family::default(),
            durations: Family::new_with_constructor(histogram),
            records: Family::default(),
            questions: Family::default(),
            dials: Family::default(),
        }
    }
}

impl ManyMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "parsec_many_publications",
            "Requests to publish many keys by how they ended: published, partly or nowhere, busy or failed, or abandoned by \
             whoever asked",
            self.publications.clone(),
        );
        registry.register(
            "parsec_many_keys",
            "Keys of requests to publish many, by what became of them",
            self.keys.clone(),
        );
        registry.register_with_unit(
            "parsec_many_duration",
            "How long publishing many keys took",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("parsec_many_records", "Records written for many keys at once", self.records.clone());
        registry.register("parsec_many_questions", "Questions asked for many keys at once", self.questions.clone());
        registry.register("parsec_many_dials", "Connections dialled for many keys at once", self.dials.clone());
    }

    /// A server of this fleet begins to serve: its series are created at zero.
    pub(super) fn serving(&self, fleet: &str) {
        for many in Manner::ALL.map(|manner| Many::new(fleet, manner)) {
            for end in End::ALL {
                let _ = self.publications.get_or_create(&many.outcome(end.as_str()));
            }
            for class in OF_KEYS {
                let _ = self.keys.get_or_create(&many.outcome(class.as_str()));
            }
            let _ = self.durations.get_or_create(&many);
            for counters in [&self.records, &self.questions, &self.dials] {
                let _ = counters.get_or_create(&many);
            }
        }
    }

    /// A request for many keys is taken on.
    pub(super) fn begins(&self, fleet: &str, manner: Manner) -> ManyUnderWay {
        ManyUnderWay { metrics: self.clone(), many: Many::new(fleet, manner), is_counted: false }
    }
}

/// A request for many keys that is under way. It counts as abandoned if it is dropped before its end.
#[derive(Debug)]
#[must_use]
pub struct ManyUnderWay {
    metrics: ManyMetrics,
    many: Many,
    is_counted: bool,
}

impl ManyUnderWay {
    /// Its end is a result, whatever became of the keys.
    pub fn ended(self, all: &ProvidedMany) {
        let ManyMetrics { keys, durations, records, questions, dials, .. } = &self.metrics;
        for key in &all.keys {
            keys.get_or_create(&self.many.outcome(key.class.as_str())).inc();
        }
        durations.get_or_create(&self.many).observe(all.duration.as_secs_f64());
        for (counters, count) in [(records, all.records), (questions, all.questions), (dials, all.dials)] {
            counters.get_or_create(&self.many).inc_by(count);
        }
        self.over(End::of(all));
    }

    /// Another one is under way already, or too many operations are.
    pub fn refused(self) {
        self.over(End::Busy);
    }

    /// Nothing is known of its keys.
    pub fn failed(self) {
        self.over(End::Failed);
    }

    fn over(mut self, end: End) {
        self.count(end);
    }

    fn count(&mut self, end: End) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.metrics.publications.get_or_create(&self.many.outcome(end.as_str())).inc();
        }
    }
}

impl Drop for ManyUnderWay {
    fn drop(&mut self) {
        self.count(End::Abandoned);
    }
}
