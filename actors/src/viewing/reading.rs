//! How each answer is read and counted. What takes processor time runs on a thread for such work; the database is read page by page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{
    IdPart, NodeId, NotedAttempt, OperationKind, SampledOperation, SeenServer, StoredOperation, Trace,
    without_addresses,
};
use parsec_results::statistics::{self, Comparison, Sample};
use parsec_results::{Costs, Looked, Sampling, incidents};
use parsec_show::chart::Times;
use parsec_show::compared::{Pair, Pairs};
use parsec_show::page::{Overview, SeenAttempt, answers, measured};
use parsec_show::peers::PeerTable;
use parsec_show::{incidents as happenings, perfetto, recorded};
use parsec_store::{Glance, Selection, TRACES_AT_ONCE};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::attempts::{Attempts, known};
use super::question::{Answer, Filter, Glimpse, Question, Unanswered};

/// How far back is looked unless somebody says how far.
pub(super) const A_WEEK: Duration = Duration::from_secs(7 * 86_400);
const A_DAY: Duration = Duration::from_secs(86_400);

/// How many attempts are counted at once: a year of a large deployment. Each takes some thirty bytes, and some fifty more while its
/// group is counted.
pub(super) const MAX_ATTEMPTS: usize = 2_000_000;

/// How many attempts an overview has: more than it shows, so that those who listen miss none between two looks.
const GLIMPSED: u32 = 200;

/// How many rounds it has.
const ROUNDS: u32 = 24;

/// Attempts that began longer ago are no news: the longest round has ended by then.
const NEWS: TimeDelta = TimeDelta::hours(1);

/// How many traces are read to find the peers that cost most: a minute's work.
const MAX_TRACES: u64 = 20_000;

/// How many peers are shown.
const WORST: usize = 25;

/// By how much times may differ and still count as equal.
const MARGIN: f64 = 0.05;

/// Periods up to this long are told hour by hour.
const BY_HOUR: TimeDelta = TimeDelta::days(3);

/// Finds the answer to a question, with nobody waiting for anything else.
pub(super) async fn answer(store: Arc<dyn Glance>, question: Question) -> Result<Answer, Unanswered> {
    let now = Utc::now();
    let found = match question {
        Question::Overview => overview(&*store, now).await,
        Question::Measurements(filter) => measurements(&*store, filter, now).await,
        Question::Comparison { a, b, of } => comparison(&*store, (a, b), of, now).await,
        Question::Peers(filter) => peers(&*store, filter, now).await,
        Question::Incidents(filter) => happened(&*store, filter, now).await,
        Question::Operations { of, before, limit } => {
            let selection = of.selection(now, A_WEEK);
            let servers = store.servers(None).await?;
            // What the database cannot narrow down is left out here, so a page may be shorter than asked for, and not be the last.
            let found = store.newest_attempts(&selection, before, limit).await?;
            let next =
                found.last().filter(|_| found.len() >= limit as usize).map(|last| last.operation.id.0.to_string());
            let attempts = seen(&servers, found, &of);
            let operations: Vec<_> = attempts.iter().map(SeenAttempt::document).collect();
            Ok(Answer { document: json!({ "operations": operations, "next_cursor": next }), ..Answer::default() })
        }
        Question::Operation(part) => operation(&*store, &part).await,
    };
    let took = (Utc::now() - now).to_std().unwrap_or_default();
    found.map(|answer| Answer { at: now, took, ..answer })
}

async fn counted<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unanswered> {
    spawn_blocking(work).await.map_err(|error| Unanswered::Failed(error.to_string()))
}

fn seen(servers: &[SeenServer], found: Vec<NotedAttempt>, filter: &Filter) -> Vec<SeenAttempt> {
    let by_id: BTreeMap<NodeId, &SeenServer> = servers.iter().map(|server| (server.life.id, server)).collect();
    let place = |noted: NotedAttempt| {
        let server = by_id.get(&noted.operation.node)?;
        let [network, strategy] = [&server.network, &server.strategy].map(|name| name.as_deref().unwrap_or("unknown"));
        let life = &server.life;
        let taken = filter.takes([network, &life.fleet, &life.region, strategy]);
        taken.then(|| SeenAttempt { noted, fleet: life.fleet.clone(), region: life.region.clone() })
    };
    found.into_iter().filter_map(place).collect()
}

async fn overview(store: &dyn Glance, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    let servers = store.servers(Some(now - TimeDelta::days(1))).await?;
    let rounds = store.newest_rounds(ROUNDS).await?;
    let lately = Selection { since: Some(now - NEWS), ..Selection::default() };
    let mut found = store.newest_attempts(&lately, None, GLIMPSED).await?;
    if found.is_empty() {
        found = store.newest_attempts(&Selection::default(), None, GLIMPSED).await?;
    }
    let missing = found.iter().any(|noted| servers.iter().all(|server| server.life.id != noted.operation.node));
    let attempts = if missing {
        seen(&store.servers(None).await?, found, &Filter::default())
    } else {
        seen(&servers, found, &Filter::default())
    };
    let overview = Overview { at: now, servers, rounds, attempts };
    let news = overview.attempts.iter().rev().map(|attempt| (attempt.noted.operation.id, attempt.news())).collect();
    let glimpse = Some(Glimpse { attempts: news, mark: overview.mark() });
    Ok(Answer { html: overview.html(), document: overview.document(), glimpse, ..Answer::default() })
}

/// All selected attempts.
async fn attempts(
    store: &dyn Glance,
    filter: &Filter,
    selection: &Selection,
) -> Result<(Attempts, Vec<SeenServer>), Unanswered> {
    let servers = store.servers(None).await?;
    let mut attempts = Attempts::new(filter.clone(), &servers);
    let mut after = None;
    loop {
        let page = store.operations(selection, after).await?;
        let Some(last) = page.last() else { return Ok((attempts, servers)) };
        after = Some(last.id);
        page.iter().for_each(|operation| attempts.add(operation));
        if attempts.len() > MAX_ATTEMPTS {
            return Err(Unanswered::TooMany(MAX_ATTEMPTS));
        }
    }
}

async fn measurements(store: &dyn Glance, filter: Filter, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_WEEK);
    let (attempts, servers) = attempts(store, &filter, &selection).await?;
    let rounds = store.rounds(&selection).await?;
    let known = known(&servers);
    counted(move || {
        let used = used(&selection, attempts.looked());
        if attempts.len() == 0 {
            let names = if known.fleets.is_empty() { "none yet".to_owned() } else { known.fleets.join(", ") };
            let none = format!(
                "No measurement of these servers is recorded {}. Fleets that are known: {names}.",
                told(&selection)
            );
            let document = json!({ "used": used, "groups": [] });
            return Answer { html: measured::used(&none), document, known, ..Answer::default() };
        }
        let mut html = measured::used(&format!("{used}."));
        html += &measured::by_fleet(&attempts.by_fleet(), Times::FromZero);
        let (length, format) = match attempts.span() {
            Some((first, last)) if last - first <= BY_HOUR => (TimeDelta::hours(1), "%FT%HZ"),
            _ => (TimeDelta::days(1), "%F"),
        };
        html += &measured::by_time(&attempts.by_time(format), length);
        let (regions, groups) = measured::by_region(attempts.by_region());
        html += &regions;
        html += &measured::rounds(&rounds);
        let document = json!({ "used": used, "groups": groups });
        Answer { html, document, known, ..Answer::default() }
    })
    .await
}

async fn comparison(
    store: &dyn Glance,
    (a, b): (String, String),
    mut filter: Filter,
    now: DateTime<Utc>,
) -> Result<Answer, Unanswered> {
    let servers = store.servers(None).await?;
    let known = known(&servers);
    let unnamed = a.is_empty() || b.is_empty();
    // Whoever has not chosen yet sees the first two.
    let (a, b) = match &known.fleets[..] {
        [first, second, ..] if unnamed => {
            let a = if a.is_empty() { first.clone() } else { a };
            let other = if a == *second { first } else { second };
            let b = if b.is_empty() { other.clone() } else { b };
            (a, b)
        }
        _ if unnamed => {
            let html = measured::used("There are not two fleets to compare yet.");
            return Ok(Answer { html, document: json!({ "pairs": [] }), known, ..Answer::default() });
        }
        _ => (a, b),
    };
    if a == b {
        return Err(Unanswered::Unanswerable(format!("`{a}` stands on both sides; choose two fleets")));
    }
    filter.fleets = vec![a.clone(), b.clone()];
    let selection = filter.selection(now, A_WEEK);
    let (attempts, _) = attempts(store, &filter, &selection).await?;
    counted(move || {
        let kinds = [OperationKind::Provide, OperationKind::Retrieve];
        let samples = kinds.map(|kind| (kind, attempts.of_fleet(&a, kind), attempts.of_fleet(&b, kind)));
        let is_due = |(_, a, b): &(OperationKind, Sample, Sample)| a.counts().due + b.counts().due > 0;
        let samples: Vec<_> = samples.into_iter().filter(is_due).collect();
        let sides: Vec<_> = samples.iter().map(|(_, a, b)| (a, b)).collect();
        let compared = statistics::compare(&sides, Comparison { margin: MARGIN, ..Comparison::default() });
        let pairs = samples.into_iter().zip(compared).map(|((kind, a, b), compared)| {
            let both = (a.in_strata_of(&b), b.in_strata_of(&a));
            let due = |sample: &Sample| sample.counts().due;
            let left_out = due(&a) + due(&b) - due(&both.0) - due(&both.1);
            let compared = compared.map_err(|error| error.to_string());
            Pair { common: String::new(), kind, samples: both, left_out, compared }
        });
        let pairs = Pairs { names: (a, b), pairs: pairs.collect() };
        let used = used(&selection, attempts.looked());
        let html = measured::used(&format!("{used}.")) + &answers::comparison(&pairs);
        Answer { html, document: json!({ "used": used, "pairs": pairs.document() }), known, ..Answer::default() }
    })
    .await
}

async fn peers(store: &dyn Glance, filter: Filter, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_DAY);
    let servers = store.servers(None).await?;
    let nodes = Attempts::new(filter, &servers);
    let mut sampling = Sampling::default();
    let (mut kept, mut after) = (Vec::new(), None);
    loop {
        let page = store.sampled(&selection, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.operation.id);
        for sampled in page.iter().filter(|sampled| nodes.takes(sampled.operation.node)) {
            sampling.count(sampled);
            kept.extend(sampled.why_kept.is_some().then_some(*sampled));
        }
        if kept.len() as u64 > MAX_TRACES {
            let sentence = format!("more than {MAX_TRACES} traces are selected; choose a shorter period, or a fleet");
            return Err(Unanswered::Unanswerable(sentence));
        }
    }
    let known = known(&servers);
    let nothing = |why: &str, known| {
        let html = measured::used(&format!("{why} ({}).", told(&selection)));
        Ok(Answer { html, document: json!({ "peers": [] }), known, ..Answer::default() })
    };
    if sampling.operations() == 0 {
        return nothing("No operation whose peers are known is recorded", known);
    }
    if let Err(error) = sampling.weigh() {
        return nothing(&error.to_string(), known);
    }
    let mut costs = Costs::new(&sampling);
    for some in kept.chunks(TRACES_AT_ONCE) {
        let ids: Vec<_> = some.iter().map(|sampled: &SampledOperation| sampled.operation.id).collect();
        let traces = store.traces(&ids).await?;
        let read = some.iter().zip(traces).filter_map(|(sampled, (_, trace))| Some((sampled, trace?)));
        read.for_each(|(sampled, trace): (_, Trace)| costs.add(sampled, &trace));
    }
    let table = PeerTable { costs: costs.finish(WORST), addresses: false };
    let html = measured::used(&format!("{} operations {}.", sampling.operations(), told(&selection)))
        + &answers::peers(&table);
    Ok(Answer { html, document: json!({ "peers": table.document() }), known, ..Answer::default() })
}

async fn happened(store: &dyn Glance, filter: Filter, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_DAY);
    let history = store.history(&selection).await?;
    let known = known(&store.servers(None).await?);
    let end = selection.until.map_or(now, |until| until.min(now));
    counted(move || {
        let (attempts, rounds) = (history.attempts.len(), history.rounds.len());
        let found = incidents::find(&history, end);
        let used = format!("{attempts} attempts and {rounds} rounds {}", told(&selection));
        let html = measured::used(&format!("{used}.")) + &answers::happened(&found);
        let document = json!({ "used": used, "incidents": happenings::document(&found) });
        Answer { html, document, known, ..Answer::default() }
    })
    .await
}

async fn operation(store: &dyn Glance, part: &IdPart) -> Result<Answer, Unanswered> {
    let gone = || Unanswered::NotFound(format!("no operation {part} is recorded, or it has been pruned"));
    let meant = store.meant(part).await?;
    let id = match meant[..] {
        [] => return Err(gone()),
        [id] => id,
        _ => return Err(Unanswered::NotFound(format!("{part} can mean several operations; write more of the id"))),
    };
    let whole = anonymous(store.whole(id).await?.ok_or_else(gone)?);
    let events = perfetto::events(1, &whole);
    let trace = (!events.is_empty()).then(|| json!({ "displayTimeUnit": "ms", "traceEvents": events }));
    Ok(Answer { html: answers::operation(&whole), document: operation_document(&whole), trace, ..Answer::default() })
}

fn operation_document(whole: &StoredOperation) -> Value {
    let mut document = recorded::document(whole);
    document["explanation"] = recorded::explanation_document(whole)["explanation"].take();
    document
}

/// Where the peers of others are is nobody's business here.
fn anonymous(mut operation: StoredOperation) -> StoredOperation {
    let result = &mut operation.attempt.result;
    result.trace = result.trace.take().map(|trace| Arc::new(Trace::clone(&trace).without_addresses()));
    result.error = result.error.take().map(|error| without_addresses(&error).into_owned());
    operation
}

/// Which rows an answer is made of.
fn used(selection: &Selection, looked: Looked) -> String {
    let Looked { grouped, from_own_records, later_looks } = looked;
    let mut used = format!("{grouped} attempts {}", told(selection));
    let left_out =
        [(from_own_records, "answered from the own records of a server"), (later_looks, "later looks at the same key")];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        used += &format!("; {count} left out: {what}");
    }
    used
}

fn told(selection: &Selection) -> String {
    let shown = |at: DateTime<Utc>| at.format("%F %H:%M").to_string();
    let since = selection.since.map_or_else(|| "the beginning".to_owned(), shown);
    let until = selection.until.map_or_else(|| "now".to_owned(), shown);
    format!("from {since} to {until}")
}
