//! `parsec trace`: operations out of the database.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use parsec_measure::{Attempt, AttemptId, FollowUp, FoundProvider, Trace};
use parsec_show::{Look, words};
use parsec_store::{Store, StoreConfig, StoreError, StoredOperation};
use serde_json::{Map, Value, json};

use super::{Heading, document, text};
use crate::facts::{facts, figures, records};
use crate::{database, output};
use parsec_settings::{OutputFormat, TraceConfig};

/// How many operations the list shows.
const LISTED: u32 = 20;

/// An operation as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    /// Its identity.
    pub(crate) id: AttemptId,
    /// When it started.
    pub(crate) started: DateTime<Utc>,
    /// What became of it.
    pub(crate) heading: Heading,
    /// What else there is to say of it, in sentences.
    pub(crate) facts: Vec<String>,
    /// The same by name.
    pub(crate) figures: Map<String, Value>,
    /// What it did, if that was kept.
    pub(crate) trace: Option<Trace>,
}

/// Where recorded operations are.
#[async_trait]
pub(crate) trait Recordings: Send + Sync {
    /// The operation with this id.
    async fn operation(&self, id: AttemptId) -> Result<Option<Recorded>, StoreError>;
    /// The newest operations that have a trace, the newest first, at most `limit`.
    async fn recent(&self, limit: u32) -> Result<Vec<Recorded>, StoreError>;
}

#[async_trait]
impl Recordings for Arc<dyn Store> {
    async fn operation(&self, id: AttemptId) -> Result<Option<Recorded>, StoreError> {
        Ok(self.as_ref().operation(id).await?.map(Recorded::from))
    }

    async fn recent(&self, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        Ok(self.as_ref().recent_operations(limit).await?.into_iter().map(Recorded::from).collect())
    }
}

impl From<StoredOperation> for Recorded {
    fn from(StoredOperation { attempt, peer_id, region, fleet, follow_up }: StoredOperation) -> Self {
        let Attempt { id, kind, cid, started, mut result, .. } = attempt;
        // The database has them in the trace alone.
        result.providers = result.trace.iter().flat_map(|trace| trace.named()).map(FoundProvider::bounded).collect();
        let strategy = result.trace.as_ref().map(|trace| trace.strategy);
        let mut figures = figures(&peer_id, strategy, &result);
        figures.insert("follow_up".to_owned(), follow_up.as_ref().map_or(Value::Null, in_the_end));
        let mut facts = facts(kind, &result);
        let end = |end: &FollowUp| format!("in the end: {} after {}", records(end), words::duration(end.duration));
        facts.extend(follow_up.as_ref().map(end));
        let heading = Heading {
            kind,
            cid,
            class: result.class,
            error: result.error,
            duration: result.duration,
            fleet: Some(fleet.to_string()),
            region: Some(region),
        };
        Self { id, started, heading, facts, figures, trace: result.trace.map(Arc::unwrap_or_clone) }
    }
}

/// What became of a publication.
fn in_the_end(follow_up: &FollowUp) -> Value {
    let FollowUp { stored, confirmed, failed, pending, duration, .. } = follow_up;
    json!({
        "holders_stored": stored,
        "holders_confirmed": confirmed,
        "holders_failed": failed,
        "holders_pending": pending,
        "duration_seconds": duration.as_secs_f64(),
    })
}

/// Runs `parsec trace`.
pub(crate) async fn run(config: TraceConfig, look: Look) -> anyhow::Result<ExitCode> {
    let target = database::target(&config.database)?;
    if let StoreConfig::Sqlite { path } = &target
        && !path.exists()
    {
        bail!("database {}: there is no such file", path.display());
    }
    let store = database::open(&target, config.database.wait).await?;
    show(&store, config.id, config.format, look).await
}

async fn show(
    recordings: &impl Recordings,
    id: Option<AttemptId>,
    format: OutputFormat,
    look: Look,
) -> anyhow::Result<ExitCode> {
    let Some(id) = id else {
        let newest = recordings.recent(LISTED).await?;
        output::line(&list(&newest, format))?;
        return Ok(ExitCode::SUCCESS);
    };
    let recorded = recordings.operation(id).await?.with_context(|| format!("no operation {} is recorded", id.0))?;
    output::line(&one(&recorded, format, look))?;
    Ok(ExitCode::SUCCESS)
}

fn one(recorded: &Recorded, format: OutputFormat, look: Look) -> String {
    let Recorded { heading, facts, figures, trace, .. } = recorded;
    let started = recorded.started.to_rfc3339_opts(SecondsFormat::Millis, true);
    match format {
        OutputFormat::Text => {
            let facts: Vec<_> = [format!("started {started}")].into_iter().chain(facts.clone()).collect();
            text(heading, &facts, trace.as_ref(), look)
        }
        OutputFormat::Json => {
            let mut about = identity(recorded);
            about.extend(figures.clone());
            parsec_show::json(&document(heading, about, trace.as_ref()))
        }
    }
}

fn list(newest: &[Recorded], format: OutputFormat) -> String {
    let summary = |recorded: &Recorded| {
        let Value::Object(mut all) = document(&recorded.heading, identity(recorded), None) else { return Value::Null };
        all.retain(|name, _| name != "trace" && name != "explanation");
        Value::Object(all)
    };
    match format {
        OutputFormat::Json => parsec_show::json(&Value::Array(newest.iter().map(summary).collect())),
        OutputFormat::Text if newest.is_empty() => "no operation with a trace is recorded".to_owned(),
        OutputFormat::Text => newest.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

fn line(recorded: &Recorded) -> String {
    let Heading { kind, class, duration, fleet, region, .. } = &recorded.heading;
    let started = recorded.started.to_rfc3339_opts(SecondsFormat::Secs, true);
    let place: Vec<_> = [fleet, region].into_iter().flatten().map(String::as_str).collect();
    let took = words::duration(*duration);
    format!("{} {started} {kind:<8} {class:<12} {took:>8} {}", recorded.id.0, place.join(" ")).trim_end().to_owned()
}

fn identity(recorded: &Recorded) -> Map<String, Value> {
    let started = recorded.started.to_rfc3339();
    Map::from_iter([("id".to_owned(), json!(recorded.id.0.to_string())), ("started".to_owned(), json!(started))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::{Measured, NodeId, OperationKind, OutcomeClass, RoundId, SchedulerId, TracedRequest, WhyKept};

    use super::super::testing::{request, trace};
    use super::*;

    fn recorded() -> Recorded {
        Recorded {
            id: AttemptId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()),
            started: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            heading: Heading {
                kind: OperationKind::Provide,
                cid: "QmX".to_owned(),
                class: OutcomeClass::Ok,
                error: None,
                duration: Duration::from_millis(250),
                fleet: Some("default".to_owned()),
                region: Some("eu-central-1".to_owned()),
            },
            facts: vec!["requests: 1 (0 failed), dials: 0 (0 failed)".to_owned()],
            figures: Map::from_iter([("rpcs".to_owned(), json!(1))]),
            trace: Some(trace(250, vec![request("peer", 0, 250)])),
        }
    }

    #[test]
    fn the_newest_are_listed_with_what_it_takes_to_ask_for_one() {
        assert_eq!(
            list(&[recorded()], OutputFormat::Text),
            "01890a5d-ac96-774b-bcce-b302099a8057 2026-01-02T03:04:05Z provide  ok             250 ms default eu-central-1"
        );
        let listed: Value = serde_json::from_str(&list(&[recorded()], OutputFormat::Json)).unwrap();
        assert_eq!(listed[0]["id"], "01890a5d-ac96-774b-bcce-b302099a8057");
        assert!(listed[0].get("trace").is_none());
        assert_eq!(list(&[], OutputFormat::Text), "no operation with a trace is recorded");
        assert_eq!(list(&[], OutputFormat::Json), "[]");
    }

    #[test]
    fn whom_a_recorded_search_found_is_read_off_its_trace() {
        let named = |peer: &str| FoundProvider {
            peer: peer.to_owned(),
            addresses: vec!["/ip4/1.2.3.4/tcp/4001".to_owned()],
            named_by: None,
        };
        let liar = TracedRequest { providers: 1, named: vec![named("QmStranger")], ..request("QmLiar", 0, 250) };
        let result = Measured {
            trace: Some(Arc::new(trace(250, vec![request("QmHonest", 0, 9), liar]))),
            found_publisher: Some(false),
            ..Measured::unmeasured(OutcomeClass::WrongProvider, Duration::from_millis(250), "provided by QmStranger")
        };
        let at = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let attempt = Attempt {
            id: recorded().id,
            round: RoundId::fresh(),
            scheduler: SchedulerId(1),
            node: NodeId(2),
            kind: OperationKind::Retrieve,
            probe: 0,
            cid: "QmX".to_owned(),
            due: at,
            started: at,
            ended: at,
            result,
            why_kept: Some(WhyKept::Failed),
        };
        let (peer_id, region, fleet) = ("QmSelf".to_owned(), String::new(), "default".parse().unwrap());
        let recorded = Recorded::from(StoredOperation { attempt, peer_id, region, fleet, follow_up: None });
        let look = Look { width: 160, colour: false };
        let shown = one(&recorded, OutputFormat::Text, look);
        for part in [
            "retrieve QmX: wrong_provider after 250 ms",
            "\nprovided by QmStranger\n",
            "\nprovider QmStranger at /ip4/1.2.3.4/tcp/4001, named by QmLiar\n",
            "\nwho had published is not among those found\n",
            "1 provider (…ranger), 20 closer",
        ] {
            assert!(shown.contains(part), "no `{part}` in {shown}");
        }
        let document: Value = serde_json::from_str(&one(&recorded, OutputFormat::Json, look)).unwrap();
        let provider = json!([{ "peer": "QmStranger", "addresses": ["/ip4/1.2.3.4/tcp/4001"], "named_by": "QmLiar" }]);
        assert_eq!((&document["providers"], &document["found_publisher"]), (&provider, &json!(false)));
    }

    #[test]
    fn one_operation_is_shown_whole() {
        let look = Look { width: 100, colour: false };
        let shown = one(&recorded(), OutputFormat::Text, look);
        assert!(
            shown.starts_with("provide QmX: ok after 250 ms, strategy classic, fleet default, region eu-central-1\n")
        );
        assert!(shown.contains("started 2026-01-02T03:04:05.678Z\n") && shown.contains("FIND_NODE"), "{shown}");
        let document: Value = serde_json::from_str(&one(&recorded(), OutputFormat::Json, look)).unwrap();
        assert_eq!((&document["operation"], &document["trace"]["returned"]), (&json!("provide"), &json!(250_000)));
        assert_eq!(document["rpcs"], 1);
    }
}
